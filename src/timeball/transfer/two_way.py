"""Two-way satellite time transfer: two stations measure each other's signals through one satellite at one time.

Sign: x = clock at station a minus clock at station b (s). Recommendation ITU-R TF.1153-4, Annex 2:
``x = ½ (TW_a + ESDVAR_a) + REFDELAY_a − ½ (TW_b + ESDVAR_b) − REFDELAY_b + ½ (CALR_a − CALR_b)``. What the two paths
have in common drops out; CALR holds what does not (stations, Sagnac effect), and is used where both lines say S = 1.

What it does not do: compute a Sagnac correction from positions, or a link by way of a third station.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from timeball.formats.itu_tw import TwoWay
from timeball.readings import FloatArray
from timeball.transfer.common_view import ns_text
from timeball.transfer.errors import NoLinkError, TransferError
from timeball.transfer.link import Link, Shown, summary_of
from timeball.transfer.rejected import RejectedRows, Rejections, Words, by_reason
from timeball.transfer.robust import WINDOW_S, outliers
from timeball.transfer.tracks import IntArray, MaskArray

CALIBRATED = 1
# A quadratic fitted to n samples of scatter s is uncertain by 1.5 s/√n in its middle.
QUADRATIC = 1.5


@dataclass(frozen=True, slots=True)
class TwoWayOptions:
    """Which sessions count. drms_s: largest rms of a fit; samples: fewest in it; sigmas, window_s: as for tracks."""

    drms_s: float = 1e-9
    samples: int = 60
    sigmas: float = 5.0
    window_s: float = 8 * WINDOW_S


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The sessions of one station, of one or many files. name: of its clock; source: int64[n], index into files."""

    name: str
    files: tuple[str, ...]
    source: IntArray
    sessions: TwoWay

    def rejected(
        self, rows: IntArray | MaskArray, reason: str, values: npt.NDArray[Any] | None = None, words: Words = str
    ) -> RejectedRows:
        """Say of some sessions (mask or indices) that they were left out. values: one for each, told with ``words``."""
        tw = self.sessions
        return RejectedRows(self.files, self.source[rows], tw.line[rows], None, tw.epoch[rows], reason, values, words)


def join_sessions(parts: Sequence[tuple[str, TwoWay]], name: str | None = None) -> Side:
    """Join the files (name, content) of one station; of a session that stands in two the first counts.

    name: of the station's clock; default what the first header says, else the station's code.
    Raises ``TransferError`` without any file.
    """
    if not parts:
        raise TransferError("no file with sessions")
    columns: dict[str, Any] = {}
    for each in fields(TwoWay):
        values = [getattr(tw, each.name) for _, tw in parts]
        if isinstance(values[0], np.ndarray):
            columns[each.name] = np.concatenate(values)
        elif each.name != "header":
            columns[each.name] = tuple(item for value in values for item in value)
    calibrations = tuple(each for _, tw in parts for each in tw.header.calibrations)
    header = replace(parts[0][1].header, calibrations=calibrations)
    source = np.repeat(np.arange(len(parts), dtype=np.int64), [len(tw) for _, tw in parts])
    whole = TwoWay(header=header, **columns)
    named = name or header.reference or (whole.local[0] if len(whole) else header.lab)
    return Side("_".join(named.split()), tuple(file for file, _ in parts), source, whole)


def two_way(a: Side, b: Side, options: TwoWayOptions | None = None) -> Link:
    """Compare two stations by the sessions that both measured. Raises ``NoLinkError`` when there is none, with reasons.

    Where some sessions have a calibration, those without are left out; where none has, the link is not calibrated.
    """
    chosen = options or TwoWayOptions()
    rejected: list[RejectedRows] = []
    good_a, good_b = _good(a, chosen, rejected), _good(b, chosen, rejected)
    rows_a, rows_b = _common(a, b, good_a, good_b, rejected)
    rows_a, rows_b, calibrated = _calibrated(a, b, rows_a, rows_b, rejected)
    if not rows_a.size:
        raise NoLinkError(f"{a.name} and {b.name} have no session in common", by_reason(Rejections(rejected)))
    order = np.argsort(a.sessions.midpoint[rows_a], kind="stable")
    rows_a, rows_b = rows_a[order], rows_b[order]
    x = _half(a.sessions, rows_a, calibrated) - _half(b.sessions, rows_b, calibrated)
    epoch = a.sessions.midpoint[rows_a]
    keep = np.ones(x.shape, dtype=bool)
    if chosen.sigmas > 0:
        out, residual = outliers(epoch, x, chosen.sigmas, chosen.window_s)
        keep = ~out
        reason = f"more than {chosen.sigmas:g} σ from the others"
        ends = ((a, rows_a), (b, rows_b))
        rejected += [end.rejected(rows[out], reason, residual[out], ns_text) for end, rows in ends]
    return _link(a, b, rows_a[keep], rows_b[keep], x[keep], calibrated, Rejections(rejected))


def _good(side: Side, options: TwoWayOptions, rejected: list[RejectedRows]) -> IntArray:
    tw = side.sessions
    own = np.array([local == remote for local, remote in zip(tw.local, tw.remote, strict=True)], dtype=bool)
    few = (tw.samples >= 0) & (tw.samples < options.samples)
    rules: tuple[tuple[MaskArray, str, npt.NDArray[Any] | None, Words], ...] = (
        (own, "of the station with itself", None, str),
        (~np.isfinite(tw.tw_s), "without TW", None, str),
        (tw.drms_s > options.drms_s, f"with DRMS above {options.drms_s * 1e9:g} ns", tw.drms_s, _rms_text),
        (few, f"of fewer than {options.samples} samples", tw.samples, str),
        (~np.isfinite(tw.refdelay_s), "without REFDELAY", None, str),
    )
    out = np.zeros(len(tw), dtype=bool)
    for broken, reason, values, words in rules:
        new = broken & ~out
        rejected.append(side.rejected(new, reason, None if values is None else values[new], words))
        out |= broken
    return np.flatnonzero(~out).astype(np.int64)


def _common(
    a: Side, b: Side, good_a: IntArray, good_b: IntArray, rejected: list[RejectedRows]
) -> tuple[IntArray, IntArray]:
    """Pair sessions: one start, and each the other's remote station; the others are rejected."""

    def key(side: Side, row: int, local: tuple[str, ...], remote: tuple[str, ...]) -> tuple[int, str, str]:
        return int(side.sessions.epoch[row]), local[row], remote[row]

    theirs: dict[tuple[int, str, str], int] = {}
    again: list[int] = []
    for row in good_b.tolist():
        if theirs.setdefault(key(b, row, b.sessions.remote, b.sessions.local), row) != row:
            again.append(row)
    pairs, alone = [], []
    for row in good_a.tolist():
        place = theirs.pop(key(a, row, a.sessions.local, a.sessions.remote), None)
        if place is None:
            alone.append(row)
        else:
            pairs.append((row, place))
    rejected += [
        b.rejected(_rows(again), "repeated"),
        a.rejected(_rows(alone), f"not measured by {b.name}"),
        b.rejected(_rows(sorted(theirs.values())), f"not measured by {a.name}"),
    ]
    return _rows([row for row, _ in pairs]), _rows([place for _, place in pairs])


def _rows(places: list[int]) -> IntArray:
    return np.array(places, dtype=np.int64)


def _rms_text(rms_s: float) -> str:
    return f"{rms_s * 1e9:.1f} ns"


def _calibrated(
    a: Side, b: Side, rows_a: IntArray, rows_b: IntArray, rejected: list[RejectedRows]
) -> tuple[IntArray, IntArray, bool]:
    known = np.ones(rows_a.shape, dtype=bool)
    for side, rows in ((a, rows_a), (b, rows_b)):
        known &= (side.sessions.switch[rows] == CALIBRATED) & np.isfinite(side.sessions.calr_s[rows])
    if not known.any():
        return rows_a, rows_b, False
    reason = "without the calibration that others have"
    rejected += [a.rejected(rows_a[~known], reason), b.rejected(rows_b[~known], reason)]
    return rows_a[known], rows_b[known], True


def _half(tw: TwoWay, rows: IntArray, calibrated: bool) -> FloatArray:
    """One station's half of the equation. Without a calibration ESDVAR has nothing it could vary from (S = 9)."""
    half: FloatArray = 0.5 * tw.tw_s[rows] + tw.refdelay_s[rows]
    if not calibrated:
        return half
    return half + 0.5 * np.nan_to_num(tw.esdvar_s[rows], nan=0.0) + 0.5 * tw.calr_s[rows]


def _u_b(tw: TwoWay, rows: IntArray) -> float:
    """Give the largest stated uncertainty of the calibrations that are used, NaN when none is stated."""
    used = {tw.calibration[row] for row in rows.tolist()}
    stated = [each.u_s for each in tw.header.calibrations if each.code in used and math.isfinite(each.u_s)]
    return max(stated, default=math.nan)


def _notes(side: Side, rows: IntArray, calibrated: bool) -> tuple[str, ...]:
    """Say which calibrations are used, and how old they were at the last session."""
    if not calibrated:
        return ("not calibrated: no session has S = 1 and a CALR at both ends",)
    tw, day = side.sessions, int(side.sessions.mjd[rows].max())
    used = {tw.calibration[row] for row in rows.tolist()}
    found = {each.code: each for each in tw.header.calibrations if each.code in used}
    said = []
    for code in sorted(used):
        age = "" if code not in found or found[code].mjd is None else f", {day - (found[code].mjd or 0)} days old"
        u = "not stated" if code not in found or math.isnan(found[code].u_s) else f"{found[code].u_s * 1e9:.2f} ns"
        said.append(f"calibration {code}{age}, u {u}")
    return tuple(said)


def _link(
    a: Side, b: Side, rows_a: IntArray, rows_b: IntArray, x: FloatArray, calibrated: bool, rejected: Rejections
) -> Link:
    stated = (_u_b(a.sessions, rows_a), _u_b(b.sessions, rows_b)) if calibrated else ()
    u_b_s = next(filter(math.isfinite, stated), math.nan)  # one calibration of the link, that both files name
    epoch = a.sessions.midpoint[rows_a]
    u = 0.5 * QUADRATIC * np.sqrt(_noise(a.sessions, rows_a) + _noise(b.sessions, rows_b))
    mean, spread, u_a = summary_of(epoch, x, np.ones(x.shape))
    unknown = np.full(x.shape, np.nan)
    empty = np.full(x.shape, "", dtype="U3")
    shown = Shown(epoch, empty, x, x - mean, unknown, unknown)
    return Link(
        a.name, b.name, "two-way", epoch, x, u, np.ones(x.shape, dtype=np.int64), mean, spread, int(x.size), u_a,
        u_b_s, rejected, shown, notes=_notes(a, rows_a, calibrated),
    )  # fmt: skip


def _noise(tw: TwoWay, rows: IntArray) -> FloatArray:
    samples = np.where(tw.samples[rows] > 0, tw.samples[rows], np.nan)
    return tw.drms_s[rows] ** 2 / samples
