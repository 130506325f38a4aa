"""Tracks of one station as columns, from one or many CGGTTS files.

Sign: REFSYS is the station's reference clock minus system time, REFSV the same minus the satellite's clock; a longer
internal or cable delay than the file assumed makes both too large.

What it does not do: read files (:mod:`timeball.formats` does), or leave tracks out (see `sieve`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from timeball.formats.cggtts.records import Cggtts
from timeball.readings import EpochArray, FloatArray
from timeball.transfer.errors import TransferError
from timeball.transfer.rejected import RejectedRows, Words

TextArray = npt.NDArray[np.str_]
IntArray = npt.NDArray[np.int64]
MaskArray = npt.NDArray[np.bool_]
NS_PER_SECOND = 10**9


@dataclass(frozen=True, slots=True, eq=False)
class StationTracks:
    """n tracks of one station; columns of equal length n.

    name: of the station's reference clock. files: names; source: int64[n], index into them; line: from 1. satellite:
    such as G05. epoch: of the start, ns of TAI. track_s: length. refsys_s, refsv_s: at the middle of the track. srsys:
    slope (s/s). dsg_s: rms of the fit. ioe: -1 when not given. mdio_s, msio_s: modelled and measured ionosphere. frc:
    the code, empty where the version has none. A value that the file does not have is NaN.
    """

    name: str
    files: tuple[str, ...]
    source: IntArray
    line: IntArray
    satellite: TextArray
    epoch: EpochArray
    track_s: FloatArray
    elevation_deg: FloatArray
    azimuth_deg: FloatArray
    refsv_s: FloatArray
    refsys_s: FloatArray
    srsys: FloatArray
    dsg_s: FloatArray
    ioe: IntArray
    mdio_s: FloatArray
    msio_s: FloatArray
    frc: TextArray

    def __post_init__(self) -> None:
        lengths = {getattr(self, name).shape for name in COLUMNS}
        if len(lengths) != 1 or self.epoch.ndim != 1:
            raise TransferError(f"tracks of {self.name}: columns must be of one length, not {sorted(lengths)}")

    def __len__(self) -> int:
        return int(self.epoch.size)

    @property
    def system(self) -> TextArray:
        """The letter of each track's satellite system: G, E, R, C, J."""
        return self.satellite.astype("U1")

    @property
    def middle(self) -> EpochArray:
        """Epochs of the middle of each track (ns of TAI), to which its values belong (CGGTTS V2E, section 3.2)."""
        return self.epoch + np.round(self.track_s * (NS_PER_SECOND / 2)).astype(np.int64)

    def take(self, rows: MaskArray | IntArray) -> StationTracks:
        """Keep some rows (mask or indices)."""
        return StationTracks(self.name, self.files, **{name: getattr(self, name)[rows] for name in COLUMNS})

    def replaced(self, **columns: npt.NDArray[np.generic]) -> StationTracks:
        """Give the same tracks with some columns changed."""
        return StationTracks(
            self.name, self.files, **{name: columns.get(name, getattr(self, name)) for name in COLUMNS}
        )

    def rejected(
        self, rows: MaskArray | IntArray, reason: str, values: npt.NDArray[Any] | None = None, words: Words = str
    ) -> RejectedRows:
        """Say of some rows (mask or indices) that they were left out. values: of all rows, told with ``words``."""
        told = None if values is None else values[rows]
        columns = (self.source[rows], self.line[rows], self.satellite[rows], self.epoch[rows])
        return RejectedRows(self.files, *columns, reason, told, words)


COLUMNS = tuple(each.name for each in fields(StationTracks) if each.name not in ("name", "files"))


def station_tracks(cggtts: Cggtts, file: str, name: str | None = None) -> StationTracks:
    """Take the tracks of one file; name: of the reference clock, default what the header says, REF or else LAB."""
    tracks, header = cggtts.tracks, cggtts.header
    texts: dict[str, Any] = {
        "satellite": np.array(tracks.satellite, dtype="U3"),
        "frc": np.array(tracks.frc, dtype="U3"),
    }
    whole: dict[str, Any] = {
        "source": np.zeros(len(tracks), dtype=np.int64),
        "track_s": tracks.track_s.astype(np.float64),
    }
    copied: dict[str, Any] = {column: getattr(tracks, column) for column in COLUMNS if column not in (*texts, *whole)}
    named = name or "_".join((header.ref or header.lab or "station").split())
    return StationTracks(named, (file,), **texts, **whole, **copied)


def join_tracks(parts: Sequence[StationTracks], name: str | None = None) -> StationTracks:
    """Join tracks of several files of one station, in order of time, then satellite, code and place in the files.

    name: of the reference clock; default that of the first part. Raises ``TransferError`` without any part.
    """
    if not parts:
        raise TransferError("no file with tracks")
    columns: dict[str, Any] = {column: np.concatenate([getattr(part, column) for part in parts]) for column in COLUMNS}
    shift = np.cumsum([0, *(len(part.files) for part in parts)])
    columns["source"] = np.concatenate([part.source + add for part, add in zip(parts, shift.tolist(), strict=False)])
    whole = StationTracks(name or parts[0].name, tuple(file for part in parts for file in part.files), **columns)
    return whole.take(np.lexsort((whole.line, whole.source, whole.frc, whole.satellite, whole.epoch)))
