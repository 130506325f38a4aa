"""The tables and sentences of a report: a record and a period in, numbers and words out.

Sign: clocks minus TA(k); UTC − UTC(k). Rates are straight lines of least squares over the period. A clock's deviations
are taken against a scale of the others, computed anew without it (AT1), so none is measured against itself. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from timeball.ensemble import codes
from timeball.ensemble.at1.batch import run_at1
from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.scale import grid_phases, leave_one_out
from timeball.ensemble.steps import CODES, si_time
from timeball.readings import PhaseTable
from timeball.stability import StabilityError, oadev
from timeball.station.bulletin.period import Period
from timeball.station.bulletin.record import (
    CIRCULAR_T,
    LINK,
    UTCR,
    FloatArray,
    Points,
    Record,
    ReportError,
    SteerLine,
)

NS_PER_DAY = 86400e9
NOT_COUNTED = (codes.LEFT_OUT, codes.CAME_BACK, codes.RATE_STEP, codes.NOISE_STEP)
ORIGINS = (CIRCULAR_T, UTCR, LINK)  # the most trustworthy first
LEAST_POINTS = 2
Row = list[float]


@dataclass(frozen=True, eq=False)
class ClockLine:
    """One clock over the period: mean weight, rate (1) and its phase at the end (s), and what became of it.

    missing, left_out: parts of the epochs. oadev: [(tau_s, sigma)] against the scale without it.
    """

    name: str
    kind: str
    weight: float
    rate: float
    x_s: float
    missing: float
    left_out: float
    oadev: list[tuple[float, float]]
    words: str


@dataclass(frozen=True, eq=False)
class Report:
    """A report ready to be set: `record` is the part inside the period; `table` holds values (s) at `period.marks`."""

    period: Period
    record: Record
    clocks: list[ClockLine]
    table: dict[str, Row]
    headline: str
    sentences: dict[str, str]

    @property
    def heading(self) -> str:
        """`UTC(TB)`."""
        return f"UTC({self.record.laboratory})"

    def to_json(self) -> dict[str, Any]:
        """The report for `--json`: SI units, epochs in ns of TAI as strings."""
        return {
            "laboratory": self.record.laboratory,
            "simulated": self.record.simulated,
            "period": {
                "kind": self.period.kind,
                "title": self.period.title,
                "begins_tai_ns": str(self.period.begins),
                "ends_tai_ns": str(self.period.ends),
            },
            "source": self.record.source,
            "algorithm": self.record.algorithm,
            "headline": self.headline,
            "marks_tai_ns": [str(mark) for mark in self.period.marks],
            "bulletin": [{"row": name, "values_s": values} for name, values in self.table.items()],
            "clocks": [_clock_json(clock) for clock in self.clocks],
            "utc": [_points_json(origin, points) for origin, points in self.record.points.items()],
            "steers": [_steer_json(each) for each in self.record.steers],
            "events": [
                {"tai_ns": str(each.epoch), "clocks": each.clocks, "kind": each.kind, "words": each.words}
                for each in self.record.events
            ],
        }


def make_contents(record: Record, period: Period, tell: Callable[[int, int], None] | None = None) -> Report:
    """Make the report of a period.

    tell: called with (done, total) after each clock judged. Raises ``ReportError`` when fewer than two epochs lie in
    the period.
    """
    part = record.within(period.begins, period.ends)
    if len(part.epochs) < LEAST_POINTS:
        raise ReportError(f"{period.title}: the record has {len(part.epochs)} epochs there, a report needs two")
    members = [name for name in part.clocks if name not in part.signals]
    table = _phase_table(part, members)
    clocks = []
    for done, name in enumerate(members, start=1):
        clocks.append(_clock_line(part, name, table))
        if tell is not None:
            tell(done, len(members))
    clocks.sort(key=lambda clock: (-clock.weight, clock.name))
    bulletin = _bulletin(part, period, members)
    headline = _headline(part)
    return Report(period, part, clocks, bulletin, headline, _sentences(part, period, clocks))


def utc_statistics(points: Points) -> tuple[float, float, float]:
    """Mean, rms and greatest size (s) of UTC − UTC(k)."""
    x = points.x_s
    return float(x.mean()), float(np.sqrt((x * x).mean())), float(np.abs(x).max())


def best_points(record: Record) -> tuple[str, Points] | None:
    """The most trustworthy points of which there are at least two; None when UTC was never compared."""
    for origin in ORIGINS:
        points = record.points.get(origin)
        if points is not None and len(points.epochs) >= LEAST_POINTS:
            return origin, points
    return None


def _phase_table(record: Record, members: list[str]) -> PhaseTable:
    """The recorded phases of the clocks as comparisons with the first clock present: their differences are readings."""
    columns = [record.clocks.index(name) for name in members]
    x = record.x[:, columns]
    keep = np.isfinite(x).sum(axis=1) > 1
    x = x[keep]
    pivot = np.argmax(np.isfinite(x), axis=1).astype(np.int32)
    return PhaseTable(record.epochs[keep], tuple(members), x - x[np.arange(len(x)), pivot][:, None], pivot, "TA")


def _clock_line(record: Record, name: str, table: PhaseTable) -> ClockLine:
    j = record.clocks.index(name)
    x = record.x[:, j]
    known = np.flatnonzero(np.isfinite(x))
    read = record.code[:, j] != codes.MISSING
    left_out = float(np.isin(record.code[:, j], NOT_COUNTED).mean())
    return ClockLine(
        name=name,
        kind=record.kinds.get(name, ""),
        weight=float(record.weight[:, j].mean()),
        rate=_slope(record.epochs, x),
        x_s=float(x[known[-1]]) if known.size else float("nan"),
        missing=float(1.0 - read.mean()),
        left_out=left_out,
        oadev=_deviations(record, table, name),
        words=_words(record, j),
    )


def _words(record: Record, j: int) -> str:
    """What stands beside a clock: the steps it made, else what it was at the last epoch when that was unusual."""
    counted = ((codes.PHASE_STEP, "phase step"), (codes.RATE_STEP, "rate step"), (codes.NOISE_STEP, "change of noise"))
    words = []
    for code, what in counted:
        count = int((record.code[:, j] == code).sum())
        if count:
            words.append(f"{count} {what}{'s' if count > 1 and code != codes.NOISE_STEP else ''}")
    last = int(record.code[-1, j])
    if last not in (codes.OK, codes.AT_CAP, codes.REDUCED):
        words.append(f"at the end: {CODES[last]}")
    return ", ".join(words)


def _slope(epochs: Any, x: FloatArray) -> float:
    known = np.isfinite(x)
    if known.sum() < LEAST_POINTS:
        return float("nan")
    t = (epochs[known] - epochs[0]) / 1e9
    t = t - t.mean()
    return float((t * x[known]).sum() / (t * t).sum())


def _deviations(record: Record, table: PhaseTable, name: str) -> list[tuple[float, float]]:
    """Overlapping Allan deviations at octaves of the interval, up to a quarter of the record; empty: too little."""
    try:
        phases = leave_one_out(table, name, run_at1)
        found = oadev(grid_phases(table.epochs, phases, record.interval_s), record.interval_s)
    except (EnsembleError, StabilityError):
        return []
    longest = float(table.epochs[-1] - table.epochs[0]) / 4e9
    pairs = zip(found.tau_s.tolist(), found.sigma.tolist(), strict=True)
    return [(tau_s, sigma) for tau_s, sigma in pairs if np.isfinite(sigma) and sigma > 0 and tau_s <= longest]


def _bulletin(record: Record, period: Period, members: list[str]) -> dict[str, Row]:
    """The bulletin's rows, each a value at every mark: UTC − UTC(k) by origin, UTC(k) − TA(k), clocks minus TA(k)."""
    k = record.laboratory
    step_ns = int(np.diff(period.marks).min()) if len(period.marks) > 1 else 86400 * 10**9
    rows: dict[str, Row] = {}
    for origin in ORIGINS:
        points = record.points.get(origin)
        if points is not None and len(points.epochs):
            half = min(step_ns // 2, 43200 * 10**9) if origin == LINK else 10**9
            rows[f"UTC − UTC({k}), {origin}"] = [_mean_near(points, mark, half) for mark in period.marks]
    places = [_place(record, mark) for mark in period.marks]
    if record.utck_minus_ta.size and np.isfinite(record.utck_minus_ta).any():
        rows[f"UTC({k}) − TA({k})"] = [_at(record.utck_minus_ta, place) for place in places]
    for name in members:
        rows[f"{name} − TA({k})"] = [_at(record.x[:, record.clocks.index(name)], place) for place in places]
    return rows


def _mean_near(points: Points, mark: int, half_ns: int) -> float:
    near = np.abs(points.epochs - mark) <= half_ns
    return float(points.x_s[near].mean()) if near.any() else float("nan")


def _place(record: Record, mark: int) -> int:
    """The row of the epoch at a mark, or next to it by less than an interval; −1 when there is none."""
    place = int(np.argmin(np.abs(record.epochs - mark)))
    return place if abs(int(record.epochs[place]) - mark) < record.interval_s * 1e9 else -1


def _at(values: FloatArray, place: int) -> float:
    return float(values[place]) if place >= 0 else float("nan")


def _headline(record: Record) -> str:
    """The verdict in words, numbers after."""
    found = best_points(record)
    if found is None:
        ranked = sorted(zip(record.weight.mean(axis=0), record.clocks, strict=True), reverse=True)
        weight, name = ranked[0]
        return (
            f"TA({record.laboratory}) was carried by {int((record.weight > 0).any(axis=0).sum())} clocks, most by "
            f"{name} with a mean weight of {weight:.2f}; UTC was not compared with it."
        )
    origin, points = found
    mean, rms, most = utc_statistics(points)
    by = {LINK: "by its own link to UTC"}.get(origin, f"by {origin}")
    return (
        f"UTC({record.laboratory}) stayed within {most * 1e9:.1f} ns of UTC, {by}: mean {signed_ns(mean)} ns, "
        f"rms {rms * 1e9:.2f} ns of {len(points.epochs)} comparisons."
    )


def _sentences(record: Record, period: Period, clocks: list[ClockLine]) -> dict[str, str]:
    """One plain sentence under each figure."""
    k = record.laboratory
    total = sum(clock.weight for clock in clocks) or 1.0
    some, carried = [], 0.0
    for clock in clocks:
        if carried < 0.8 * total:
            some.append(clock.name)
            carried += clock.weight
    steered = [abs(each.change) for each in record.steers if math.isfinite(each.change)]
    return {
        "utc": _utc_sentence(record, period),
        "weights": f"{_and(some)} carried {100 * carried / total:.0f} % of TA({k}).",
        "phases": f"Each clock minus TA({k}), its mean offset and rate over the period taken off.",
        "stability": _stability_sentence(clocks),
        "steers": f"UTC({k}) was steered {_times(len(record.steers))}"
        + (f"; the largest change of rate was {max(steered) * 1e15:.2g}·10⁻¹⁵." if steered else "."),
    }


def _steer_json(steer: SteerLine) -> dict[str, Any]:
    change = steer.change if math.isfinite(steer.change) else None
    return {"tai_ns": str(steer.epoch), "rate": steer.rate, "change": change, "why": steer.why}


def _utc_sentence(record: Record, period: Period) -> str:
    told = []
    for origin in ORIGINS:
        points = record.points.get(origin)
        if points is not None and len(points.epochs):
            mean, rms, _ = utc_statistics(points)
            several = f"{len(points.epochs)} points" if len(points.epochs) > 1 else "1 point"
            told.append(f"{origin}: {several}, mean {signed_ns(mean)} ns, rms {rms * 1e9:.2f} ns")
    return "; ".join(told) + "." if told else f"No comparison with UTC in {period.title}."


def _stability_sentence(clocks: list[ClockLine]) -> str:
    judged = [clock for clock in clocks if clock.oadev]
    if not judged:
        return "Too short for an Allan deviation."
    best = min(judged, key=lambda clock: min(sigma for _, sigma in clock.oadev))
    tau_s, sigma = min(best.oadev, key=lambda pair: pair[1])
    return (
        f"Overlapping Allan deviations, each clock against an AT1 scale of the others; the lowest is {best.name} "
        f"with {scientific(sigma)} at {tau_words(tau_s)}."
    )


def scientific(value: float) -> str:
    """4.7e-15 → `4.7·10⁻¹⁵`."""
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}·10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def signed_ns(value_s: float) -> str:
    """A time in ns with its sign and a true minus: `−9.01`."""
    return f"{value_s * 1e9:+.2f}".replace("-", "−")


def tau_words(tau_s: float) -> str:
    """An averaging time in the largest unit that leaves at least one of it."""
    for unit_s, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if tau_s >= unit_s:
            return f"{tau_s / unit_s:.3g} {unit}"
    return si_time(tau_s)


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _clock_json(clock: ClockLine) -> dict[str, Any]:
    return {
        "name": clock.name,
        "kind": clock.kind,
        "weight": clock.weight,
        "rate": clock.rate,
        "x_s": clock.x_s,
        "missing": clock.missing,
        "left_out": clock.left_out,
        "oadev": [{"tau_s": tau_s, "sigma": sigma} for tau_s, sigma in clock.oadev],
        "words": clock.words,
    }


def _points_json(origin: str, points: Points) -> dict[str, Any]:
    return {
        "origin": origin,
        "points": [
            {"tai_ns": str(epoch), "x_s": x, "u_s": u}
            for epoch, x, u in zip(points.epochs.tolist(), points.x_s.tolist(), points.u_s.tolist(), strict=True)
        ],
    }
