"""Draw `timeball scale --algorithm all`: how far the scales are apart, and what each clock weighs in each of them.

Sign: a scale is drawn minus the first one (AT1), without mean offset and rate. It computes nothing but what drawing
needs. matplotlib is an extra (`reports`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from timeball.cli.plotting import COLOURS, GRID, INK, new_plot, plain_frame, plot_title
from timeball.cli.scale_compare import Comparison
from timeball.ensemble.beside import difference
from timeball.ensemble.steps import si_time

DAY_S = 86_400.0
UNITS = ((1e-6, "µs"), (1e-9, "ns"), (0.0, "ps"))
MARKS = "osD^v"
MOST_SHOWN = 24


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """Write the figure; the suffix chooses the format. Raises ``CommandError`` when it cannot be drawn."""
    with new_plot(path, 13, 6.4) as figure:
        left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.25, 1.0]})
        _draw_differences(left, comparison)
        _draw_weights(right, comparison)
        for axes in (left, right):
            plain_frame(axes)
        figure.subplots_adjust(left=0.075, right=0.965, top=0.86, bottom=0.185, wspace=0.22)
        figure.text(0.075, 0.035, sentence(comparison), fontsize=11, color=INK)


def sentence(comparison: Comparison) -> str:
    """What the picture shows, in one plain sentence."""
    of, minus, rms_s = max(comparison.apart, key=lambda each: each[2])
    clocks = len(next(iter(comparison.reports.values())).clocks)
    return f"From the same {clocks} clocks {of} and {minus} differ most: {si_time(rms_s)} rms without offset and rate."


def _draw_differences(axes: Any, comparison: Comparison) -> None:
    """Every scale minus the first over time."""
    first, *others = comparison.reports.values()
    apart = [difference(report.run.steps, first.run.steps) for report in others]
    widest = max((float(np.nanmax(np.abs(each))) for each in apart), default=0.0)
    unit_s, unit = next((size, name) for size, name in UNITS if widest >= size)
    days = (first.epochs - first.epochs[0]) / 1e9 / DAY_S
    per_day, time_unit = (1.0, "days") if days[-1] >= 2.0 else (24.0, "hours")
    axes.axhline(0.0, color=INK, lw=0.8)
    for row, (report, x) in enumerate(zip(others, apart, strict=True), start=1):
        axes.plot(days * per_day, x / (unit_s or 1e-12), color=COLOURS[row], lw=1.4, label=report.algorithm)
    start = datetime.fromtimestamp(int(first.epochs[0]) // 10**9, UTC)
    axes.set_xlabel(f"{time_unit} since {start:%Y-%m-%d %H:%M:%S} TAI")
    axes.set_ylabel(f"scale minus {first.algorithm} ({unit})")
    axes.grid(color=GRID, lw=0.8)
    axes.legend(frameon=False, loc="best")
    plot_title(axes, f"Scale minus {first.algorithm}", "the same readings, without mean offset and rate")


def _draw_weights(axes: Any, comparison: Comparison) -> None:
    """The mean weight of every clock in every scale, a mark each, the heaviest clock on top."""
    weights = {
        report.algorithm: {clock.name: clock.weight for clock in report.clocks}
        for report in comparison.reports.values()
    }
    names = sorted(
        next(iter(weights.values())), key=lambda name: (-max(each[name] for each in weights.values()), name)
    )[:MOST_SHOWN]
    for row, (algorithm, by_clock) in enumerate(weights.items()):
        values = [by_clock[name] for name in names]
        style = {"marker": MARKS[row % len(MARKS)], "color": COLOURS[row], "ms": 6.5, "mec": "white", "mew": 0.6}
        axes.plot(values, range(len(names)), ls="none", label=algorithm, **style)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(left=-0.01)
    axes.set_xlabel("mean weight")
    axes.grid(color=GRID, lw=0.8)
    axes.legend(frameon=False, loc="lower right")
    how = "mean over the record" if len(names) < MOST_SHOWN else f"mean over the record, the {MOST_SHOWN} heaviest"
    plot_title(axes, "Weights", how)
