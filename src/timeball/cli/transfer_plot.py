"""The plot of a link: its values with their uncertainties, the residuals of what was compared, and the sky.

Sign: clock a − clock b. It computes nothing. matplotlib is an extra (`reports`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from timeball.cli.plotting import COLOURS, GRID, INK, MUTED, new_plot, plain_frame
from timeball.cli.transfer_report import verdict

if TYPE_CHECKING:
    from timeball.transfer import Link

NS = 1e-9
SYSTEM_COLOURS = dict(zip("GERCJ", COLOURS, strict=False))


def draw_link(link: Link, smoothed: Link, path: Path) -> None:
    """Write the figure; the suffix chooses the format. Raises ``CommandError`` when it cannot be drawn."""
    sky = bool(np.isfinite(link.shown.azimuth_deg).any())
    with new_plot(path, 13 if sky else 9, 6.4, layout="constrained") as figure:
        grid = figure.add_gridspec(2, 2 if sky else 1, width_ratios=(1.6, 1.0) if sky else (1.0,))
        top = figure.add_subplot(grid[0, 0])
        below = figure.add_subplot(grid[1, 0], sharex=top)
        start = int(link.epoch[0])
        _draw_series(top, link, smoothed, start)
        _draw_residuals(below, link, start)
        for axes in (top, below):
            plain_frame(axes)
        if sky:
            _draw_sky(figure.add_subplot(grid[:, 1], projection="polar"), link)
        figure.supxlabel(verdict(link), fontsize=10.5)


def _hours(epoch: np.ndarray, start: int) -> np.ndarray:
    hours: np.ndarray = (epoch - start) / 3.6e12
    return hours


def _draw_series(axes: Any, link: Link, smoothed: Link, start: int) -> None:
    u = np.nan_to_num(link.u_s, nan=0.0) / NS
    hours = _hours(link.epoch, start)
    axes.errorbar(
        hours,
        link.x_s / NS,
        yerr=u,
        fmt="o",
        ms=2.5,
        lw=0.8,
        color=COLOURS[0],
        alpha=0.55,
        label="measured, bars: 1 σ of scatter",
    )
    if smoothed is not link:
        at, x, du = _hours(smoothed.epoch, start), smoothed.x_s / NS, smoothed.u_s / NS
        axes.plot(at, x, color=COLOURS[1], lw=1.4, label="smoothed, band: 1 σ", zorder=3)
        axes.fill_between(at, x - du, x + du, color=COLOURS[1], alpha=0.2, lw=0)
    axes.set(ylabel="ns", title=f"{link.a} − {link.b}")
    axes.grid(color=GRID)
    axes.legend(fontsize=8, frameon=False)


def _draw_residuals(axes: Any, link: Link, start: int) -> None:
    shown = link.shown
    letters = shown.satellite.astype("U1")
    for letter in sorted(set(letters.tolist())):
        rows = letters == letter
        axes.plot(
            _hours(shown.epoch[rows], start), shown.residual_s[rows] / NS, ".", ms=3,
            color=SYSTEM_COLOURS.get(letter, MUTED), label=letter or None,
        )  # fmt: skip
    axes.axhline(0.0, color=INK, lw=0.6)
    what = "session − mean" if link.method == "two-way" else "track − mean of its epoch"
    axes.set(ylabel="ns", xlabel="hours since the first epoch", title=f"residuals: {what}")
    axes.grid(color=GRID)


def _draw_sky(axes: Any, link: Link) -> None:
    """Each track where its satellite stood: north up, zenith in the middle, its residual by colour."""
    shown = link.shown
    limit = float(np.percentile(np.abs(shown.residual_s), 95)) / NS or 1.0
    dots = axes.scatter(
        np.radians(shown.azimuth_deg), 90.0 - shown.elevation_deg, c=shown.residual_s / NS, s=9, cmap="coolwarm",
        vmin=-limit, vmax=limit,
    )  # fmt: skip
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(-1)
    axes.set_rlim(0, 90)
    axes.set_rgrids([30, 60, 90], labels=["60°", "30°", "0°"], color=MUTED, fontsize=8)
    axes.set_thetagrids([0, 90, 180, 270], labels=["N", "E", "S", "W"])
    axes.figure.colorbar(
        dots, ax=axes, orientation="horizontal", shrink=0.7, pad=0.06, label=f"residual / ns, in the sky of {link.a}"
    )
