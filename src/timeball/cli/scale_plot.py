"""Draw a scale report: phases of the clocks, their stability against the scale without each, one sentence under it.

Sign: phases are clock minus scale. It computes nothing but what drawing needs. matplotlib is an extra (`reports`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from timeball.cli.plotting import COLOURS, GRID, INK, MUTED, new_plot, plain_frame, plot_title
from timeball.cli.scale_report import ClockReport, ScaleReport, detrend

MOST_NAMED = len(COLOURS)
HARDLY = 0.02
MOST_LIGHT = 2
"""Clocks of less weight than `HARDLY` are named under the picture when they are so few."""


def draw_scale(report: ScaleReport, path: Path) -> None:
    """Write the figure; the suffix chooses the format. Raises ``CommandError`` when it cannot be drawn."""
    with new_plot(path, 13, 6.4) as figure:
        left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.12, 1.0]})
        _draw_phases(left, report)
        _draw_deviations(right, report)
        _dress(figure, report)


def _draw_phases(axes: Any, report: ScaleReport) -> None:
    """Residual phases, each clock on a line of its own, the heaviest on top."""
    ranked = report.by_weight()[:MOST_NAMED]
    hours, unit = _time_axis(report)
    phases = [detrend(report.epochs, clock.x) for clock in ranked]
    scale_s, phase_unit = _phase_unit(phases)
    step = _line_spacing(phases) / scale_s
    for row, (clock, x) in enumerate(zip(ranked, phases, strict=True)):
        base = -row * step
        axes.axhline(base, color=GRID, lw=0.8, zorder=0)
        # a clock that leaves its line crosses the others behind them, in a lighter ink
        wild = _spread(x) / scale_s > 3 * step
        style = {"alpha": 0.45, "zorder": 1} if wild else {"alpha": 1.0, "zorder": 3}
        axes.plot(hours, x / scale_s + base, color=COLOURS[row], lw=_width(clock), solid_joinstyle="round", **style)
    axes.set_yticks([-row * step for row in range(len(ranked))], [clock.name for clock in ranked])
    for label, colour in zip(axes.get_yticklabels(), COLOURS, strict=False):
        label.set_color(colour)
        label.set_fontweight("bold")
    axes.set_ylim(-(len(ranked) - 0.2) * step, 0.9 * step)
    axes.set_xlim(hours[0], hours[-1] + 0.03 * (hours[-1] - hours[0]))
    _scale_bar(axes, step, phase_unit)
    start = datetime.fromtimestamp(int(report.epochs[0]) // 10**9, UTC)
    axes.set_xlabel(f"{unit} since {start:%Y-%m-%d %H:%M:%S} TAI")
    plot_title(axes, "Clock minus scale", "phase without mean offset and rate")


def _draw_deviations(axes: Any, report: ScaleReport) -> None:
    """Overlapping Allan deviations on logarithmic axes, weights in the legend."""
    ranked = report.by_weight()
    for row, clock in enumerate(ranked):
        shown = [pair for pair in clock.oadev if pair[0] <= report.span_s / 4] or clock.oadev
        if not shown:
            continue
        named = row < MOST_NAMED
        axes.loglog(
            *zip(*shown, strict=True),
            color=COLOURS[row] if named else GRID,
            lw=_width(clock),
            marker="o",
            ms=3.2,
            zorder=3 if named else 1,
            label=f"{clock.name}  {clock.weight:.3f}" if named else None,
        )
    if ranked and any(clock.oadev for clock in ranked):
        legend = axes.legend(
            title="clock  weight", loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, labelspacing=0.55
        )
        legend.get_title().set_color(MUTED)
        legend.set_alignment("left")
    axes.grid(which="major", color=GRID, lw=0.8)
    axes.set_xlabel("averaging time τ (s)")
    axes.set_ylabel("overlapping Allan deviation σ(τ)")
    plot_title(axes, "Stability", "each clock against the scale computed without it")


def _dress(figure: Any, report: ScaleReport) -> None:
    """Plain frames, and one sentence in words under both pictures."""
    for axes in figure.axes:
        plain_frame(axes)
    for label, colour in zip(figure.axes[0].get_yticklabels(), COLOURS, strict=False):
        label.set_color(colour)
    figure.axes[0].tick_params(axis="y", length=0)
    figure.axes[0].spines["left"].set_visible(False)
    figure.subplots_adjust(left=0.065, right=0.872, top=0.86, bottom=0.185, wspace=0.26)
    figure.text(0.065, 0.035, sentence(report), fontsize=11, color=INK)


def sentence(report: ScaleReport) -> str:
    """What the picture shows, in one plain sentence."""
    ranked = report.by_weight()
    heaviest, light = ranked[0], [clock.name for clock in ranked[1:] if clock.weight < HARDLY]
    told = f"Of {len(ranked)} clocks the scale leans most on {heaviest.name}"
    if heaviest.oadev:
        tau_s, sigma = min(heaviest.oadev[:4], key=lambda pair: pair[1])
        told += f", which holds {_scientific(sigma)} at {tau_s:g} s against the others"
    if len(light) > MOST_LIGHT:
        return f"{told}; {len(light)} hardly count."
    verb = "count" if len(light) > 1 else "counts"
    return f"{told}; {' and '.join(light)} hardly {verb}." if light else f"{told}."


def _scientific(value: float) -> str:
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}·10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _scale_bar(axes: Any, step: float, unit: str) -> None:
    """A bar of a round length at the right edge: the phases have no axis of their own."""
    length = 10.0 ** np.floor(np.log10(step))
    length *= max(factor for factor in (1, 2, 5) if factor * length <= step)
    low, high = axes.get_ylim()
    x = axes.get_xlim()[1] + 0.02 * np.ptp(axes.get_xlim())
    bottom = high - 0.6 * step - length
    axes.plot([x, x], [bottom, bottom + length], color=INK, lw=2.2, clip_on=False, solid_capstyle="butt")
    axes.text(x, bottom - 0.01 * (high - low), f"{length:g} {unit}", ha="center", va="top", color=INK)


def _time_axis(report: ScaleReport) -> tuple[np.ndarray[Any, Any], str]:
    seconds = (report.epochs - report.epochs[0]) / 1e9
    for unit_s, unit in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds[-1] >= 2 * unit_s:
            return seconds / unit_s, unit
    return seconds, "seconds"


def _spread(x: np.ndarray[Any, Any]) -> float:
    known = x[np.isfinite(x)]
    return float(np.percentile(known, 98) - np.percentile(known, 2)) if known.size else 0.0


def _line_spacing(phases: list[np.ndarray[Any, Any]]) -> float:
    """Room for one line (s): most clocks fit into theirs, the wildest may cross its neighbours."""
    spreads = sorted(_spread(x) for x in phases)
    return max(1.2 * spreads[(2 * len(spreads)) // 3] if spreads else 0.0, 1e-15)


def _phase_unit(phases: list[np.ndarray[Any, Any]]) -> tuple[float, str]:
    spacing = _line_spacing(phases)
    for unit_s, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")):
        if spacing >= 0.5 * unit_s:
            return unit_s, unit
    return 1e-9, "ns"


def _width(clock: ClockReport) -> float:
    return 1.0 + 1.6 * min(1.0, clock.weight / 0.3)
