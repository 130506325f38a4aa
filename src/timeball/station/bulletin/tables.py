"""The tables of a report as text: what the page and the sheets print, cell by cell. Pure.

People see ns, ns a day, per cent; a dash stands for what is not known. Signs are written out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from timeball.station.bulletin.contents import (
    NS_PER_DAY,
    Report,
    best_points,
    scientific,
    signed_ns,
    tau_words,
    utc_statistics,
)
from timeball.station.bulletin.period import MJD_OF_1970, date_of

TAUS_S = (3600.0, 86400.0, 5 * 86400.0)
DASH = "–"


@dataclass(frozen=True, slots=True)
class Table:
    """Headers, rows of text, and how many columns at the left hold words and not figures."""

    headers: list[str]
    rows: list[list[str]]
    left: int = 1


def facts(report: Report) -> list[tuple[str, str, str]]:
    """The few numbers at the top: (name, value, remark)."""
    record, period = report.record, report.period
    told: list[tuple[str, str, str]] = []
    found = best_points(record)
    if found is not None:
        origin, points = found
        mean, rms, most = utc_statistics(points)
        told.append((f"UTC − UTC({record.laboratory})", f"{signed_ns(mean)} ns", f"mean, {origin}"))
        told.append(("Greatest size", f"{most * 1e9:.1f} ns", f"rms {rms * 1e9:.2f} ns"))
    carrying = sum(clock.weight > 0 for clock in report.clocks)
    told.append(("Clocks", f"{carrying}", f"carry TA({record.laboratory}), {record.algorithm}"))
    covered = (int(record.epochs[-1]) - int(record.epochs[0])) / 86400e9
    told.append(("Covered", f"{covered:.3g} d", f"of {period.days}, every {tau_words(record.interval_s)}"))
    return told


def clock_table(report: Report) -> Table:
    """A row for every clock, the heaviest first."""
    longest = max((tau_s for clock in report.clocks for tau_s, _ in clock.oadev), default=0.0)
    taus = [tau_s for tau_s in TAUS_S if tau_s <= longest * 1.01] or ([longest] if longest else [])
    kinds = any(clock.kind for clock in report.clocks)
    headers = ["clock", *(["kind"] if kinds else []), "weight", "rate, ns/day", "x at the end, ns"]
    headers += [f"σ({tau_words(tau_s)})" for tau_s in taus] + ["missing", "left out", ""]
    rows = []
    for clock in report.clocks:
        cells = [clock.name, *([clock.kind or DASH] if kinds else [])]
        cells += [f"{clock.weight:.3f}", signed(clock.rate * NS_PER_DAY, 3)]
        cells += [signed(clock.x_s * 1e9, 2)]
        cells += [_sigma(clock.oadev, tau_s) for tau_s in taus]
        rows.append([*cells, _percent(clock.missing), _percent(clock.left_out), clock.words])
    return Table(headers, rows, 2 if kinds else 1)


def bulletin_table(report: Report) -> Table:
    """Values in ns at the period's marks, as the BIPM prints its own: dates across, one row a difference."""
    period = report.period
    if period.kind == "daily":
        labels = [f"{hour:02d}:00" for hour in range(0, 25, 4)]
    else:
        days = [_day_at(mark, report) for mark in period.marks]
        labels = [f"{date_of(day):%-d %b}\n{day + MJD_OF_1970}" for day in days]
    rows = [[name, *(signed(value * 1e9, 2) for value in values)] for name, values in report.table.items()]
    return Table(["difference, ns", *labels], rows)


def steer_table(report: Report) -> Table:
    """Every change of rate of UTC(k)."""
    rows = []
    for steer in report.record.steers:
        change = signed(steer.change * 1e15, 3) if math.isfinite(steer.change) else DASH
        why = steer.why.partition("; ")[0]
        rows.append([utc_minute(steer.epoch, report), signed(steer.rate * 1e15, 3), change, why])
    return Table(["UTC", "rate, 10⁻¹⁵", "change, 10⁻¹⁵", "why"], rows)


def event_table(report: Report) -> Table:
    """Anomalies and steps that were absorbed, in the order of time."""
    found = sorted(report.record.events, key=lambda each: (each.epoch, each.clocks))
    rows = [[utc_minute(each.epoch, report), each.clocks, each.kind, each.words] for each in found]
    return Table(["UTC", "where", "what", "in words"], rows, 4)


def utc_minute(epoch: int, report: Report) -> str:
    """An epoch as UTC to the minute; the period's own TAI − UTC serves for all of it."""
    return datetime.fromtimestamp((epoch - _offset_ns(report)) // 10**9, UTC).strftime("%Y-%m-%d %H:%M")


def signed(value: float, digits: int) -> str:
    """A figure with its sign, a true minus, and a dash for what is not known."""
    if not math.isfinite(value):
        return DASH
    text = f"{value:+.{digits}f}"
    return text.replace("-", "−") if float(text) else f"{0:.{digits}f}"


def _offset_ns(report: Report) -> int:
    return report.period.begins - report.period.first * 86400 * 10**9


def _day_at(mark: int, report: Report) -> int:
    return round((mark - _offset_ns(report)) / 86400e9)


def _percent(part: float) -> str:
    if part <= 0:
        return DASH
    return "< 0.1 %" if part < 0.001 else f"{100 * part:.1f} %"


def _sigma(pairs: list[tuple[float, float]], tau_s: float) -> str:
    """The deviation at a τ, taken at the octave next to it where they are within a quarter."""
    near = min(pairs, key=lambda pair: abs(math.log(pair[0] / tau_s)), default=None)
    return scientific(near[1]) if near is not None and 0.7 <= near[0] / tau_s <= 1.45 else DASH


__all__ = ["Table", "bulletin_table", "clock_table", "event_table", "facts", "signed", "steer_table"]
