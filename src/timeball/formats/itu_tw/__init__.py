"""Two-way satellite time transfer files of Recommendation ITU-R TF.1153-4, Annex 2, section 3.3 (results of quadratic
fits): a header of lines that begin with ``*``, then a line for every session that the local station received.

    LOC REM LI MJD STTIME NTL TW DRMS SMP ATL REFDELAY RSIG CI S CALR ESDVAR ESIG TMP HUM PRES

Signs and units: TW is the local counter's reading of the remote station's signal and REFDELAY the delay from the local
reference to the modem, both in s; CALR and ESDVAR (earth station delay variation) are printed in ns and given in s. All
are given as printed, with their signs: what makes a clock difference of two of them is :mod:`timeball.transfer`. A
field of nines only says that nothing was measured: NaN, or -1 in columns of integers.

What it does not do: read the lists of 1 s measurements (section 2), or join the two sides of a session.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from timeball.formats.bulletin.text import Line, bulletin_lines
from timeball.formats.defects import Defect, FormatError, shown, whole_file_error
from timeball.formats.itu_tw.header import TwoWayHeader, read_header
from timeball.formats.itu_tw.lines import FIELDS, LineError, Session, read_session
from timeball.instants import MJD_OF_1970, NS_PER_SECOND, InstantError, LeapTable, from_utc_parts
from timeball.readings import FloatArray

KIND = "itu-tw"
IntArray = npt.NDArray[np.int64]
_TEXTS = ("local", "remote", "link", "calibration")
_NUMBERS = ("mjd", "start_s", "switch")


@dataclass(frozen=True, slots=True, eq=False)
class TwoWay:
    """A file: n sessions in file order, a column each, and what was wrong.

    local, remote: the stations' codes; link: LI; calibration: CI ("999": none). mjd, start_s: day and second of the
    start in UTC; epoch: the same in ns of TAI; nominal_s: NTL, the length of the session. tw_s; drms_s: residuals of
    the fit; samples: those used; actual_s: from the first to the last of them. refdelay_s, refdelay_sd_s; switch: S,
    how CALR is to be used (-1: not said); calr_s, esdvar_s, esdvar_sd_s; temperature_c, humidity (%), pressure_hpa.
    line: in the file, from 1. The fit gives TW at the middle of the session: ``midpoint``, ns of TAI.
    """

    header: TwoWayHeader
    local: tuple[str, ...]
    remote: tuple[str, ...]
    link: tuple[str, ...]
    calibration: tuple[str, ...]
    mjd: IntArray
    start_s: IntArray
    epoch: IntArray
    nominal_s: IntArray
    tw_s: FloatArray
    drms_s: FloatArray
    samples: IntArray
    actual_s: IntArray
    refdelay_s: FloatArray
    refdelay_sd_s: FloatArray
    switch: IntArray
    calr_s: FloatArray
    esdvar_s: FloatArray
    esdvar_sd_s: FloatArray
    temperature_c: FloatArray
    humidity: FloatArray
    pressure_hpa: FloatArray
    line: IntArray
    defects: tuple[Defect, ...]

    def __len__(self) -> int:
        return len(self.local)

    @property
    def midpoint(self) -> IntArray:
        """The middle of each session, ns of TAI: what TW refers to."""
        return self.epoch + self.nominal_s * (NS_PER_SECOND // 2)


def is_itu_tw(head: bytes) -> bool:
    """Tell from its head whether a file is one: a line of ``*``, the heading of columns or FORMAT, LAB and ES."""
    lines = [line.strip() for line in head[: 1 << 14].split(b"\n")]
    starred = [line[1:].strip() for line in lines if line.startswith(b"*")]
    if not starred or not next(line for line in lines if line).startswith(b"*"):
        return False
    if any(line.startswith(b"EARTH-STAT") for line in starred):
        return True
    return all(any(line.startswith(key) for line in starred) for key in (b"FORMAT", b"LAB", b"ES "))


def read_itu_tw(data: bytes, name: str, leaps: LeapTable) -> TwoWay:
    """Read a file, plain or gzip.

    leaps: for the starts, which are in UTC. A bad line is a defect; of a session given twice the first line stands.
    Raises ``FormatError`` when no session can be used.
    """
    lines, defects = bulletin_lines(data, name)
    starred: list[Line] = []
    plain: list[Line] = []
    for line in lines:
        if line[1].strip():
            (starred if line[1].lstrip().startswith("*") else plain).append(line)
    header, faults = read_header(starred, name)
    sessions, bad = _sessions(plain, name, leaps)
    if not sessions:
        if bad and starred:
            raise FormatError(bad[0])
        raise whole_file_error(name, data[:40], "no line of a two-way session")
    return _columns(header, sessions, (*defects, *faults, *bad))


@dataclass(frozen=True, slots=True)
class _Placed:
    session: Session
    epoch: int
    line: int


def _sessions(lines: list[Line], name: str, leaps: LeapTable) -> tuple[list[_Placed], list[Defect]]:
    placed: dict[tuple[str, str, str, int, int], _Placed] = {}
    defects: list[Defect] = []
    for number, line in lines:
        try:
            session = read_session(line)
            key = (session.local, session.remote, session.link, session.mjd, session.start_s)
            if key in placed:
                raise LineError("session", " ".join(line.split()), f"given in line {placed[key].line}, which stands")
            epoch = from_utc_parts(session.mjd - MJD_OF_1970, session.start_s, 0, leaps).ns
            placed[key] = _Placed(session, epoch, number)
        except LineError as error:
            defects.append(Defect(name, number, error.field, shown(error.text), error.reason))
        except InstantError as error:
            defects.append(Defect(name, number, "STTIME", shown(line.strip()), str(error)))
    return list(placed.values()), defects


def _columns(header: TwoWayHeader, placed: list[_Placed], defects: tuple[Defect, ...]) -> TwoWay:
    sessions = [each.session for each in placed]
    figures: dict[str, Any] = {key: np.array([session.figures[key] for session in sessions]) for key in FIELDS}
    whole = ("nominal_s", "samples", "actual_s")
    counts: dict[str, Any] = {key: np.nan_to_num(figures.pop(key), nan=-1.0).astype(np.int64) for key in whole}
    texts: dict[str, Any] = {key: tuple(getattr(session, key) for session in sessions) for key in _TEXTS}
    numbers: dict[str, Any] = {
        key: np.array([getattr(session, key) for session in sessions], dtype=np.int64) for key in _NUMBERS
    }
    return TwoWay(
        header,
        **texts,
        **numbers,
        **counts,
        **figures,
        epoch=np.array([each.epoch for each in placed], dtype=np.int64),
        line=np.array([each.line for each in placed], dtype=np.int64),
        defects=defects,
    )
