"""Draw a fit: each clock's own Hadamard deviation, measured and as its fitted noises give it, one sentence under it.

It computes nothing but what drawing needs. matplotlib is an extra (`reports`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from timeball.cli.plotting import COLOURS, GRID, INK, MUTED, new_plot, plain_frame

if TYPE_CHECKING:
    from timeball.ensemble.fitting import NoiseFit
    from timeball.ensemble.fitting.curves import Curve


def draw_fit(fit: NoiseFit, path: Path) -> None:
    """Write the figure; the suffix chooses the format. Raises ``CommandError`` when it cannot be drawn."""
    from timeball.ensemble.fitting.curves import curves

    found = curves(fit)
    ranked = sorted(found, key=lambda clock: float(found[clock].fitted[0]))
    with new_plot(path, 10.5, 6.6) as figure:
        axes = figure.subplots()
        for row, clock in enumerate(ranked):
            _draw_clock(axes, clock, found[clock], COLOURS[row % len(COLOURS)], row < len(COLOURS))
        _dress(axes)
        figure.subplots_adjust(left=0.085, right=0.84, top=0.92, bottom=0.17)
        figure.text(0.085, 0.03, _sentence(fit, ranked, found), fontsize=11, color=INK)


def _draw_clock(axes: Any, clock: str, curve: Curve, colour: str, named: bool) -> None:
    low = np.maximum(curve.fitted - 2.0 * curve.u_fitted, 0.3 * curve.fitted)
    axes.fill_between(curve.tau_s, low, curve.fitted + 2.0 * curve.u_fitted, color=colour, alpha=0.15, lw=0)
    axes.loglog(curve.tau_s, curve.fitted, color=colour, lw=1.8, label=clock if named else None)
    known = np.isfinite(curve.measured) & (curve.u_measured < 0.7 * curve.measured)
    bars = np.where(known, curve.u_measured, np.nan)
    axes.errorbar(
        curve.tau_s, np.where(known, curve.measured, np.nan), yerr=bars, fmt="o", ms=3.5, lw=0.9, color=colour
    )


def _dress(axes: Any) -> None:
    plain_frame(axes)
    axes.grid(which="major", color=GRID, lw=0.8)
    axes.set_xlabel("averaging time τ (s)", color=MUTED)
    axes.set_ylabel("Hadamard deviation σ(τ)", color=MUTED)
    axes.set_title("Noise of each clock by itself: measured (points, k = 1) and fitted (lines, k = 2)", loc="left")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, title="clock")


def _sentence(fit: NoiseFit, ranked: list[str], found: dict[str, Curve]) -> str:
    last = min(found, key=lambda clock: float(found[clock].fitted[-1]))
    curve = found[last]
    return (
        f"Of {len(fit.clocks)} clocks {ranked[0]} is quietest at {fit.interval_s:g} s "
        f"and {last} at {curve.tau_s[-1] / 86400:.2g} d ({curve.fitted[-1]:.1e})."
    )
