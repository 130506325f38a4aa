"""What a CGGTTS file holds: its header, its delays, and its tracks as columns.

Sign: REFSV is reference − satellite clock and REFSYS reference − time of the satellite system, both at the middle of
the track; so x_ref − x_system. Delays are positive times; the receiver has already taken them out of the figures.

What it does not do: read or write text (:mod:`timeball.formats.cggtts` and :mod:`timeball.formats.cggtts.writer`).

Source: Allan and Thomas, Metrologia 31 (1994) 69 (version 01); Azoubib and Lewandowski, CGGTTS version 02 (1998);
Defraigne and Petit, Metrologia 52 (2015) G1 (version 2E).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from timeball.formats.defects import Defect

VERSIONS = ("1", "01", "2", "02", "2E")
NOT_KNOWN = -1  # of `ioe`
DelayKind = Literal["INT", "SYS", "TOT"]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
SYSTEMS = "GRECJIS"  # letters of satellites: GPS, GLONASS, Galileo, BeiDou, QZSS, NavIC, SBAS


class CodeDelay(NamedTuple):
    """The delay of one code, named as the file names it ("GPS P1"; "" where the file names none)."""

    code: str
    delay_s: float


@dataclass(frozen=True, slots=True)
class Delays:
    """Calibration of the receiver. ``kind`` says what ``codes`` hold: INT, antenna and receiver alone; SYS, these and
    the antenna cable; TOT, all from the antenna to the reference. NaN: the file does not give it.
    """

    kind: DelayKind = "INT"
    codes: tuple[CodeDelay, ...] = ()
    cable_s: float = float("nan")
    ref_s: float = float("nan")
    cal_id: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """The header. ``ionosphere`` tells whether tracks have the measured ionosphere (MSIO, SMSI, ISG); ``checksum_ok``
    whether CKSUM is that of the text; ``unread`` are lines of keys that no version has.
    """

    version: str = "2E"
    rev_date: str = ""
    receiver: str = ""
    channels: int = 0
    ims: str = "99999"
    lab: str = ""
    position_m: tuple[float, float, float] = (float("nan"), float("nan"), float("nan"))
    frame: str = "ITRF"
    comments: tuple[str, ...] = ("NO COMMENTS",)
    delays: Delays = Delays()
    ref: str = ""
    ionosphere: bool = True
    checksum_ok: bool = True
    line_end: str = "\n"
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """Tracks as columns of one length, in file order; what a file does not give is NaN.

    line: number in the file. satellite: such as "G05". cl: class of the track, "FF" or "99". mjd, start_s: UTC day and
    second of it; epoch: the same as ns of TAI since 1970. track_s: length. elevation_deg, azimuth_deg: at the middle.
    refsv_s, refsys_s, mdtr_s (troposphere), mdio_s and msio_s (ionosphere, modelled and measured): s. srsv, srsys,
    smdt, smdi, smsi: their slopes, s/s. dsg_s, isg_s: rms of the residuals. ioe: issue of ephemeris, -1 when not
    known. fr: GLONASS frequency channel, hc: receiver channel, 0 when not known, frc: code, such as "L3P": version 1
    has none of these three (0, 0, "").
    """

    line: IntArray
    satellite: tuple[str, ...]
    cl: tuple[str, ...]
    mjd: IntArray
    start_s: IntArray
    epoch: IntArray
    track_s: IntArray
    elevation_deg: FloatArray
    azimuth_deg: FloatArray
    refsv_s: FloatArray
    srsv: FloatArray
    refsys_s: FloatArray
    srsys: FloatArray
    dsg_s: FloatArray
    ioe: IntArray
    mdtr_s: FloatArray
    smdt: FloatArray
    mdio_s: FloatArray
    smdi: FloatArray
    msio_s: FloatArray
    smsi: FloatArray
    isg_s: FloatArray
    fr: IntArray
    hc: IntArray
    frc: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.epoch.size)

    @property
    def system(self) -> tuple[str, ...]:
        """The letter of each track's satellite system."""
        return tuple(name[:1] for name in self.satellite)

    def take(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Tracks:
        """Keep some tracks (mask or indices)."""
        places = np.arange(len(self))[rows].tolist()
        kept: dict[str, Any] = {}
        for each in fields(self):
            column = getattr(self, each.name)
            kept[each.name] = tuple(column[place] for place in places) if isinstance(column, tuple) else column[rows]
        return Tracks(**kept)


@dataclass(frozen=True, slots=True, eq=False)
class Cggtts:
    """A file: header, tracks that can be trusted, and what was wrong with the others."""

    header: Header
    tracks: Tracks
    defects: list[Defect] = field(default_factory=list)
