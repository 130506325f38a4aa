"""Draw a steering study or a proposal: what was, and the band to the next Circular T, one sentence under it.

Sign: x is UTC(k) − UTC, in ns. It computes nothing but what drawing needs. matplotlib is an extra (`reports`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from timeball.cli.plotting import COLOURS, GRID, INK, MUTED, new_plot, plot_title
from timeball.steering.bulletins import CIRCULAR_T, mjd_at

if TYPE_CHECKING:
    from timeball.cli.steer_next import Next
    from timeball.cli.steer_study import Study

NS = 1e9
BLUE, RED = COLOURS[0], COLOURS[1]
RUNS_DRAWN = 12
DAYS_BEHIND = 120


def draw_study(study: Study, path: Path, sentence: str) -> None:
    """Write the figure of a study; the suffix chooses the format. Raises ``CommandError`` when it cannot be drawn."""

    def past(axes: Any) -> None:
        _past_runs(axes, study)

    def ahead(axes: Any) -> None:
        middle, low, high = (np.median(each, axis=1) * NS for each in (study.middle, study.low, study.high))
        if study.x.shape[1] > 1:
            half = np.median(study.high - study.low, axis=1) * NS / 2
            middle, low, high = 0 * half, -half, half
        _fan(axes, np.array(study.target_mjds), middle, low, high)
        single = study.x.shape[1] == 1
        if not single:
            axes.set_ylabel("UTC(k) − UTC, minus what is predicted (ns)")
        plot_title(
            axes, "The next Circular T", "band of UTC(k) − UTC" if single else "half width of the band, typical run"
        )

    _draw(path, sentence, past, ahead)


def draw_next(following: Next, path: Path) -> None:
    """Write the figure of a proposal; as `draw_study`."""

    def past(axes: Any) -> None:
        for source in sorted({point.source for point in following.past}):
            points = [point for point in following.past if point.source == source]
            marker = {"marker": "s", "ms": 5} if source == CIRCULAR_T else {"marker": ".", "ms": 6}
            colour = INK if source == CIRCULAR_T else BLUE
            days = [mjd_at(point.epoch) for point in points]
            axes.plot(days, [point.x_s * NS for point in points], ls="none", color=colour, label=source, **marker)
        axes.legend(frameon=False)
        _frame(axes)
        plot_title(axes, "UTC(k) − UTC so far", "as published")

    def ahead(axes: Any) -> None:
        band, without = following.band, following.without
        if band is not None and without is not None:
            mjds = np.array(following.mjds)
            _fan(axes, mjds, band.x_s * NS, band.low_s * NS, band.high_s * NS)
            axes.plot(mjds, without.x_s * NS, color=MUTED, ls="--", lw=1.2, label="without this steer")
            axes.legend(frameon=False)
        plot_title(axes, "The next Circular T", "with the proposed steer and no other")

    _draw(path, following.why[0].upper() + following.why[1:] + ".", past, ahead)


def _past_runs(axes: Any, study: Study) -> None:
    known = slice(0, max(2, min(study.x.shape[0], study.now - int(study.mjds[0]))))
    mjds, x = study.mjds[known], study.x[known] * NS
    if x.shape[1] > RUNS_DRAWN:
        low, high = np.quantile(x, (0.025, 0.975), axis=1)
        axes.fill_between(mjds, low, high, color=BLUE, alpha=0.18, lw=0, label="95 % of the runs")
    else:
        axes.plot(mjds, study.free[known, 0] * NS, color=MUTED, lw=0.8, label="not steered")
    axes.plot(mjds, x[:, 0], color=BLUE, lw=1.2, label="one run" if x.shape[1] > 1 else "steered")
    for run in range(1, min(RUNS_DRAWN, x.shape[1])):
        axes.plot(mjds, x[:, run], color=BLUE, lw=0.5, alpha=0.35)
    axes.legend(frameon=False)
    _frame(axes)
    plot_title(axes, "UTC(k) − UTC in closed loop", "decided when the bulletins come out")


def _fan(axes: Any, mjds: Any, middle: Any, low: Any, high: Any) -> None:
    axes.fill_between(mjds, low, high, color=RED, alpha=0.2, lw=0)
    axes.plot(mjds, middle, color=RED, lw=1.8, marker="s", ms=4)
    _frame(axes)


def _frame(axes: Any) -> None:
    axes.axhline(0.0, color=INK, lw=0.8)
    axes.grid(color=GRID, lw=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel("MJD")
    axes.set_ylabel("UTC(k) − UTC (ns)")
    axes.ticklabel_format(useOffset=False)


def _draw(path: Path, sentence: str, past: Callable[[Any], None], ahead: Callable[[Any], None]) -> None:
    with new_plot(path, 13, 6) as figure:
        left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.5, 1.0]})
        past(left)
        ahead(right)
        for axes in figure.axes:
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
        figure.subplots_adjust(left=0.065, right=0.975, top=0.86, bottom=0.2, wspace=0.2)
        figure.text(0.065, 0.03, textwrap.fill(sentence, 150), fontsize=10.5, color=INK)
