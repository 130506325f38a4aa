"""The plot of deviations: every record a curve with its limits as bars, masks in red, and the slopes of the noises."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from timeball.cli.mask_report import draw_mask
from timeball.cli.measured import short_names
from timeball.cli.plotting import COLOURS, GRID, MUTED, new_plot, plain_frame, sentences_below

if TYPE_CHECKING:
    from timeball.cli.deviation_report import Report
    from timeball.stability.masks import Mask

# What each power of τ is the mark of (NIST SP 1065, figure 5 and table 2), by family of deviations.
ALLAN = {-1.0: "white and flicker PM", -0.5: "white FM", 0.0: "flicker FM", 0.5: "random walk FM", 1.0: "drift"}
MODIFIED = {-1.5: "white PM", -1.0: "flicker PM", -0.5: "white FM", 0.0: "flicker FM", 0.5: "random walk FM"}
SLOPES = {
    "allan": ALLAN,
    "theo": ALLAN,
    "hadamard": {**ALLAN, 1.0: "flicker walk FM"},
    "modified": MODIFIED,
    "parabolic": MODIFIED,
    "time": {slope + 1: noise for slope, noise in MODIFIED.items()},
    "interval": {0.0: "white PM", 0.5: "white FM", 1.0: "rate"},
}
# how far above its end (points) the name of a line that rises, is level or falls keeps clear of it
_CLEAR = {1: -20, 0: 2, -1: 9}
MASKED = {"tdev": "-", "mtie": "--"}


def write_plot(reports: Sequence[Report], path: Path, masks: Sequence[Mask] = ()) -> None:
    """Draw deviations over τ; those in seconds and those without unit on axes of their own."""
    units = list(dict.fromkeys(report.deviation.unit for report in reports))
    with new_plot(path, 8.0 * len(units), 6.4, layout="constrained") as figure:
        for axes, unit in zip(figure.subplots(1, len(units), squeeze=False)[0], units, strict=True):
            shown = [report for report in reports if report.deviation.unit == unit]
            draw_deviations(axes, shown, masks)
        names = short_names([report.record for report in reports])
        sentences_below(figure, [each.sentence(name) for each, name in zip(reports, names, strict=True)])


def draw_deviations(axes: Any, reports: Sequence[Report], masks: Sequence[Mask]) -> None:
    """Draw curves of one unit, their bars, masks and slopes into axes."""
    one_type = len({report.type for report in reports}) == 1
    names = short_names([report.record for report in reports])
    for k, (report, name) in enumerate(zip(reports, names, strict=True)):
        _draw_curve(axes, report, name if one_type else f"{report.deviation.name} {name}", COLOURS[k % len(COLOURS)])
    axes.set(xscale="log", yscale="log", xlabel="averaging time τ (s)", ylabel=_quantity(reports, one_type))
    _draw_slopes(axes, reports)
    drawn = {report.type for report in reports}
    for mask in masks:
        for deviation, style in MASKED.items():
            if deviation in drawn:
                draw_mask(axes, mask, deviation, style)
    plain_frame(axes)
    axes.grid(which="major", color=GRID)
    confidence = next((each.intervals.confidence for each in reports if each.intervals is not None), None)
    title = None if confidence is None else f"bars: {100 * confidence:.4g} % confidence"
    axes.legend(title=title, fontsize=8, title_fontsize=8, frameon=False)


def _draw_curve(axes: Any, report: Report, label: str, colour: str) -> None:
    d, found = report.deviations, report.intervals
    bars = None
    # some deviations have no limits at all
    if found is not None and np.isfinite(found.low).any():
        down, up = d.sigma - found.low, found.high - d.sigma
        bars = [np.where(np.isfinite(each), np.maximum(each, 0.0), 0.0) for each in (down, up)]
    axes.errorbar(d.tau_s, d.sigma, yerr=bars, fmt="o-", markersize=4, capsize=3, color=colour, lw=1.2, label=label)


def _quantity(reports: Sequence[Report], one_type: bool) -> str:
    unit = " (s)" if reports[0].deviation.unit == "s" else ""
    if one_type:
        return f"{reports[0].deviation.title}{unit}"
    return f"deviation{unit}"


def _slopes(reports: Sequence[Report]) -> dict[float, str]:
    """The slopes that tell noises apart in every family that is drawn, with the names on which all agree."""
    families = [SLOPES[family] for family in dict.fromkeys(report.deviation.family for report in reports)]
    shared = [slope for slope in families[0] if all(slope in each for each in families)]
    return {slope: families[0][slope] if len({each[slope] for each in families}) == 1 else "" for slope in shared}


def _power(slope: float) -> str:
    """Write a power of τ as matplotlib sets mathematics."""
    return rf"$\tau^{{{Fraction(slope)}}}$"


def _draw_slopes(axes: Any, reports: Sequence[Report]) -> None:
    """Draw a grey line a slope through the first point of the first curve, named where it leaves the picture."""
    points = [
        (tau, sigma)
        for report in reports
        for tau, sigma in zip(report.deviations.tau_s.tolist(), report.deviations.sigma.tolist(), strict=True)
        if sigma > 0
    ]
    if not points:
        return
    tau, sigma = points[0]
    right = 2 * max(point[0] for point in points)
    bottom, top = (factor * limit(p[1] for p in points) for factor, limit in ((1 / 3, min), (3, max)))
    axes.set_ylim(bottom, top)
    axes.set_xlim(min(point[0] for point in points) / 1.5, right)
    slopes = _slopes(reports)
    for slope in slopes:
        edge = top if slope > 0 else bottom
        end = min(right, tau * (edge / sigma) ** (1 / slope)) if slope else right
        axes.plot([tau, end], [sigma, sigma * (end / tau) ** slope], color="0.7", lw=0.8, ls="--", zorder=0)
        _name_slope(axes, slope, (end, sigma * (end / tau) ** slope), end == right)
    named = [f"{_power(slope)} {noise}".strip() for slope, noise in slopes.items()]
    axes.set_title(f"grey, slopes of noises:  {',  '.join(named)}", fontsize=8, color=MUTED)


def _name_slope(axes: Any, slope: float, at: tuple[float, float], leaves_right: bool) -> None:
    """Write the power beside the end of its line: above it, or where it falls out of the picture, to its right."""
    falls_out = slope < 0 and not leaves_right
    rises_out = slope > 0 and not leaves_right
    axes.annotate(
        _power(slope),
        at,
        xytext=(5, 4) if falls_out else (-14, -1) if rises_out else (-2, _CLEAR[(slope > 0) - (slope < 0)]),
        textcoords="offset points",
        fontsize=9,
        color=MUTED,
        ha="left" if falls_out else "right",
        va="top" if rises_out else "bottom",
    )
