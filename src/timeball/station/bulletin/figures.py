"""The five figures of a report, each drawn into axes it is given, for the page and for the sheets alike.

Sign: UTC − UTC(k); clocks minus TA(k); rates of UTC(k) against TA(k). They compute nothing but what drawing needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from timeball.station.bulletin.contents import Report
from timeball.station.bulletin.record import CIRCULAR_T, LINK, UTCR, FloatArray
from timeball.station.bulletin.style import (
    ACCENT,
    COLOURS,
    FAINT,
    GRID,
    INK,
    MUTED,
    PAPER,
    REST,
    WARM,
    colour_of,
    dress,
)

MOST_POINTS = 360
NAMED = len(COLOURS)


def draw_utc(axes: Any, report: Report) -> None:
    """UTC − UTC(k): Circular T as discs with their uncertainty (k = 1), UTCr as open diamonds, the link as dots."""
    points = report.record.points
    dress(axes)
    axes.axhline(0.0, color=INK, lw=0.8)
    link = points.get(LINK)
    if link is not None and len(link.epochs):
        axes.plot(
            _days(link.epochs), link.x_s * 1e9, ".", color=FAINT, ms=3.4, mew=0, label="own link to UTC", zorder=2
        )
        _running_mean(axes, link.epochs, link.x_s * 1e9)
    rapid = points.get(UTCR)
    if rapid is not None and len(rapid.epochs):
        style = {"marker": "D", "ms": 5.2, "mfc": PAPER, "mec": WARM, "mew": 1.3, "color": WARM}
        axes.plot(_days(rapid.epochs), rapid.x_s * 1e9, lw=0.7, label="UTCr", zorder=4, **style)
    monthly = points.get(CIRCULAR_T)
    if monthly is not None and len(monthly.epochs):
        u_ns = np.nan_to_num(monthly.u_s) * 1e9
        style = {"fmt": "o", "ms": 6.5, "color": INK, "mec": PAPER, "mew": 0.9, "elinewidth": 1.1, "capsize": 0}
        axes.errorbar(_days(monthly.epochs), monthly.x_s * 1e9, yerr=u_ns, label="Circular T", zorder=5, **style)
    axes.set_ylabel(f"UTC − UTC({report.record.laboratory})  (ns)")
    _time_axis(axes, report)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, frameon=False, handletextpad=0.5, borderpad=0)


def draw_weights(axes: Any, report: Report) -> None:
    """Weights over time, stacked, the heaviest clock at the bottom; names stand at the right edge."""
    record = report.record
    bins, days = _bins(record.epochs)
    shown = [clock for clock in report.clocks if clock.weight > 0]
    rows = [_binned(record.weight[:, record.clocks.index(clock.name)], bins) for clock in shown[:NAMED]]
    colours = [colour_of(place) for place in range(len(rows))]
    rest = [record.clocks.index(clock.name) for clock in shown[NAMED:]]
    if rest:
        rows.append(_binned(record.weight[:, rest].sum(axis=1), bins))
        colours.append(REST)
    if rows:
        axes.stackplot(days, rows, colors=colours, lw=0.6, edgecolor=PAPER)
        names = [clock.name for clock in shown[:NAMED]] + ([f"{len(rest)} more"] if rest else [])
        _edge_labels(axes, rows, names, colours)
    dress(axes)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    axes.set_ylabel("share of the scale")
    _time_axis(axes, report)


def draw_phases(axes: Any, report: Report) -> None:
    """Every clock on a line of its own, its mean offset and rate taken off, in the unit of the scale bar."""
    record, shown = report.record, report.clocks[: 2 * NAMED]
    bins, days = _bins(record.epochs)
    rows = [_binned(_detrended(record.epochs, record.x[:, record.clocks.index(c.name)]), bins) * 1e9 for c in shown]
    step = max(1.25 * float(np.median([_spread(row) for row in rows])) if rows else 0.0, 1e-6)
    for place, row in enumerate(rows):
        axes.axhline(-place * step, color=GRID, lw=0.7, zorder=0)
        wild = _spread(row) > 3 * step
        axes.plot(
            days, row - place * step, color=colour_of(place), lw=1.1, alpha=0.45 if wild else 1.0, zorder=3 - wild
        )
    dress(axes, "x")
    axes.set_yticks([-place * step for place in range(len(rows))], [clock.name for clock in shown])
    for place, label in enumerate(axes.get_yticklabels()):
        label.set_color(colour_of(place) if place < NAMED else MUTED)
        label.set_fontweight("bold")
    axes.set_ylim(-(len(rows) - 0.3) * step, 0.9 * step)
    _time_axis(axes, report)
    _scale_bar(axes, step)


def draw_stability(axes: Any, report: Report) -> None:
    """Overlapping Allan deviations of the clocks, each against the scale without it."""
    judged = [(place, clock) for place, clock in enumerate(report.clocks) if clock.oadev]
    for place, clock in reversed(judged):
        tau, sigma = zip(*clock.oadev, strict=True)
        named = place < NAMED
        style = {"lw": 1.5 if named else 0.8, "ms": 3.0, "marker": "o", "mec": PAPER, "mew": 0.5}
        axes.loglog(tau, sigma, color=colour_of(place), zorder=3 if named else 1, **style)
    dress(axes, "both")
    axes.set_xlabel("averaging time τ (s)")
    axes.set_ylabel("overlapping Allan deviation")
    handles = [_handle(colour_of(place), clock.name) for place, clock in judged[:NAMED]]
    if handles:
        how = {
            "loc": "lower left",
            "bbox_to_anchor": (-0.02, 1.0),
            "ncols": 5,
            "columnspacing": 1.1,
            "handlelength": 1.0,
        }
        axes.legend(handles=handles, frameon=False, labelspacing=0.3, handletextpad=0.4, borderpad=0.2, **how)


def draw_steers(axes: Any, report: Report) -> None:
    """The rate of UTC(k) against TA(k) as a staircase, a dot where it was changed."""
    steers = report.record.steers
    dress(axes)
    if steers:
        epochs = np.array([each.epoch for each in steers], np.int64)
        rates = np.array([each.rate for each in steers]) * 1e15
        end = min(report.period.ends, max(int(report.record.epochs[-1]), int(epochs[-1])))
        before = rates[:1] - steers[0].change * 1e15  # NaN, and not drawn, where it is not known
        known = np.concatenate([[max(report.period.begins, int(report.record.epochs[0]))], epochs, [end]])
        levels = np.concatenate([before, rates, rates[-1:]])
        axes.step(_days(known), levels, where="post", color=ACCENT, lw=1.4)
        axes.plot(_days(epochs), rates, "o", color=ACCENT, ms=4.2, mec=PAPER, mew=0.8)
    axes.set_ylabel("rate against TA, 10⁻¹⁵")
    axes.ticklabel_format(axis="y", useOffset=False)
    _time_axis(axes, report)


def _days(epochs: Any) -> Any:
    """Epochs as matplotlib's days; TAI stands in for UTC, half a minute that nobody sees."""
    return np.asarray(epochs, dtype=np.int64) / 86400e9


def _bins(epochs: Any) -> tuple[Any, Any]:
    """Where each of at most `MOST_POINTS` stretches of the record begins, and the middle of each in days."""
    starts = np.unique(np.linspace(0, len(epochs), min(MOST_POINTS, len(epochs)), endpoint=False).astype(np.int64))
    ends = np.append(starts[1:], len(epochs)) - 1
    days = (_days(epochs[starts]) + _days(epochs[ends])) / 2
    return starts, days


def _binned(values: FloatArray, starts: Any) -> FloatArray:
    """The mean of what is known in each stretch, NaN where nothing is."""
    known = np.isfinite(values)
    total = np.add.reduceat(np.where(known, values, 0.0), starts)
    count = np.add.reduceat(known.astype(np.float64), starts)
    mean: FloatArray = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def _running_mean(axes: Any, epochs: Any, x_ns: FloatArray) -> None:
    """The day's mean of a noisy link, as a line, when there are several readings a day."""
    day = epochs // (86400 * 10**9)
    days, places = np.unique(day, return_inverse=True)
    if len(days) < 3 or len(epochs) < 4 * len(days):
        return
    mean = np.bincount(places, x_ns) / np.bincount(places)
    middle = np.bincount(places, _days(epochs)) / np.bincount(places)
    axes.plot(middle, mean, color=ACCENT, lw=1.6, label="its daily mean", zorder=3, solid_joinstyle="round")


def _detrended(epochs: Any, x: FloatArray) -> FloatArray:
    known = np.isfinite(x)
    if known.sum() < 2:
        return x
    t = (epochs - epochs[0]) / 1e9
    t = t - t[known].mean()
    x = x - x[known].mean()
    residual: FloatArray = x - t * float((t[known] * x[known]).sum() / (t[known] ** 2).sum())
    return residual


def _spread(row: FloatArray) -> float:
    known = row[np.isfinite(row)]
    return float(np.percentile(known, 98) - np.percentile(known, 2)) if known.size else 0.0


def _scale_bar(axes: Any, step: float) -> None:
    """A bar of a round length at the right: the lines have no axis of their own."""
    length = 10.0 ** np.floor(np.log10(step))
    length *= max(factor for factor in (1, 2, 5) if factor * length <= step)
    low, high = axes.get_xlim()
    x, top = high + 0.018 * (high - low), axes.get_ylim()[1] - 0.35 * step
    axes.plot([x, x], [top - length, top], color=INK, lw=2, clip_on=False, solid_capstyle="butt")
    axes.set_xlim(low, high)
    words = f"{length:g} ns" if length >= 1e-2 else f"{length * 1e3:g} ps"
    axes.text(x + 0.014 * (high - low), top - length / 2, words, va="center", ha="left", color=INK, fontsize=8)


def _edge_labels(axes: Any, rows: list[FloatArray], names: list[str], colours: list[str]) -> None:
    """Name each band at its last height; bands too thin for a line of text are not named."""
    last = [float(row[np.isfinite(row)][-1]) if np.isfinite(row).any() else 0.0 for row in rows]
    base = 0.0
    for height, name, colour in zip(last, names, colours, strict=True):
        if height >= 0.035:
            ink = MUTED if colour == REST else colour
            place = (1.012, base + height / 2)
            style = {"transform": axes.get_yaxis_transform(), "va": "center", "fontweight": "bold", "clip_on": False}
            axes.text(*place, f"{name} {100 * height:.0f} %", color=ink, fontsize=8, **style)
        base += height


def _handle(colour: str, label: str) -> Any:
    lines: Any = import_module("matplotlib.lines")
    return lines.Line2D([], [], color=colour, lw=2.2, label=label)


def _time_axis(axes: Any, report: Report) -> None:
    """The whole period, ticks at round dates or hours; a record that ends early leaves its part empty."""
    dates: Any = import_module("matplotlib.dates")
    kind, period = report.period.kind, report.period
    begins, ends = _days([period.begins, period.ends])
    axes.set_xlim(begins - 1 / 1440, ends)  # leap seconds stand between the ticks' midnight and ours
    narrow = axes.get_position().width * axes.figure.get_figwidth() < 5.0
    if kind == "daily":
        axes.xaxis.set_major_locator(dates.HourLocator(byhour=range(0, 24, 6 if narrow else 4)))
        axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))
    elif kind == "weekly":
        axes.xaxis.set_major_locator(dates.DayLocator(interval=2 if narrow else 1))
        axes.xaxis.set_major_formatter(dates.DateFormatter("%a %-d"))
    else:
        at = [period.begins + each * 86400 * 10**9 for each in range(period.days)]
        wanted = (1, 10, 20) if narrow else (1, 5, 10, 15, 20, 25)
        axes.set_xticks(_days([at[day - 1] for day in wanted]))
        axes.xaxis.set_major_formatter(dates.DateFormatter("%-d %b"))
