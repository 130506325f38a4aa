"""The plot of a link: its values with their uncertainties, the residuals of what was compared, and the sky.

Sign: clock a − clock b. It computes nothing. matplotlib is an extra (`reports`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from timeball.cli.axis_units import TimeAxis, time_axis
from timeball.cli.plotting import COLOURS, GRID, INK, MUTED, new_plot, plain_frame, sentences_below
from timeball.cli.transfer_report import verdict
from timeball.station.hosttime.leaps import load_leap_table

if TYPE_CHECKING:
    from timeball.transfer import Link

NS = 1e-9
SYSTEMS = {"G": "GPS", "E": "Galileo", "R": "GLONASS", "C": "BeiDou", "J": "QZSS"}
SYSTEM_COLOURS = dict(zip(SYSTEMS, COLOURS, strict=False))


def draw_link(link: Link, smoothed: Link, path: Path) -> None:
    """Write the figure; the suffix chooses the format. Raises ``CommandError`` when it cannot be drawn."""
    sky = bool(np.isfinite(link.shown.azimuth_deg).any())
    start_ns = int(link.epoch[0])
    span_s = float(link.epoch[-1] - start_ns) / 1e9
    axis = time_axis(start_ns, span_s, load_leap_table())
    with new_plot(path, 13 if sky else 9, 6.4, layout="constrained") as figure:
        # panels of their own, so that the round one does not shorten the others
        parts = figure.subfigures(1, 2, width_ratios=(1.6, 1.0)) if sky else [figure]
        top, below = parts[0].subplots(2, 1, sharex=True)
        _draw_series(top, link, smoothed, _Places(start_ns, axis))
        _draw_residuals(below, link, _Places(start_ns, axis))
        for axes in (top, below):
            axes.ticklabel_format(useOffset=False, style="plain")
            plain_frame(axes)
        if sky:
            _draw_sky(parts[1].add_subplot(projection="polar"), link)
        sentences_below(figure, [verdict(link)])


@dataclass(frozen=True, slots=True)
class _Places:
    """Epochs (ns of TAI) as places on a time axis that starts at one of them."""

    start_ns: int
    axis: TimeAxis

    def __call__(self, epoch: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return self.axis.at((epoch - self.start_ns) / 1e9)


def _draw_series(axes: Any, link: Link, smoothed: Link, places: _Places) -> None:
    u = np.nan_to_num(link.u_s, nan=0.0) / NS
    axes.errorbar(
        places(link.epoch),
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
        at, x, du = places(smoothed.epoch), smoothed.x_s / NS, smoothed.u_s / NS
        axes.plot(at, x, color=COLOURS[1], lw=1.4, label="smoothed, band: 1 σ", zorder=3)
        axes.fill_between(at, x - du, x + du, color=COLOURS[1], alpha=0.2, lw=0)
    axes.set(ylabel=f"{link.a} − {link.b} (ns)")
    axes.grid(color=GRID)
    axes.legend(fontsize=8, frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0))


def _draw_residuals(axes: Any, link: Link, places: _Places) -> None:
    shown = link.shown
    letters = shown.satellite.astype("U1")
    systems = sorted(set(letters.tolist()))
    for letter in systems:
        rows = letters == letter
        axes.plot(
            places(shown.epoch[rows]), shown.residual_s[rows] / NS, ".", ms=3,
            color=SYSTEM_COLOURS.get(letter, MUTED), label=SYSTEMS.get(letter, letter),
        )  # fmt: skip
    axes.axhline(0.0, color=INK, lw=0.6)
    what = "session − mean" if link.method == "two-way" else "track − mean of its epoch"
    axes.set(ylabel=f"{what} (ns)", xlabel=places.axis.label)
    axes.grid(color=GRID)
    if len(systems) > 1:
        axes.legend(
            fontsize=8, frameon=False, ncols=len(systems), markerscale=3, loc="lower right", bbox_to_anchor=(1.0, 0.98)
        )


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
    # all in view shows the tracks of both ends
    whose = "of its own station" if link.method == "all-in-view" else f"of {link.a}"
    axes.figure.colorbar(
        dots, ax=axes, orientation="horizontal", shrink=0.7, pad=0.06, label=f"residual (ns), in the sky {whose}"
    )
