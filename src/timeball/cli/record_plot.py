"""The plot of records: phase above, frequency below, each record a curve that ends at a gap and begins after it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from timeball.cli.axis_units import TimeAxis, ValueAxis, frequency_axis, is_dated, phase_axis, time_axis
from timeball.cli.plotting import COLOURS, GRID, MUTED, new_plot, plain_frame, sentences_below

if TYPE_CHECKING:
    from timeball.cli.record_report import Views
    from timeball.stability.views import View

# up to so many values each of them is a dot, too
DOTTED = 150


def write_plot(records: Sequence[Views], path: Path, *, from_start: bool = False) -> None:
    """Draw records over one time axis. from_start: each from its own first value, whenever that was."""
    panels = [name for name in ("phase", "frequency") if any(getattr(each, name) is not None for each in records)]
    axis, since_s = _places(records, from_start)
    with new_plot(path, 10, 2.4 + 2.9 * len(panels), layout="constrained") as figure:
        column = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, name in zip(column, panels, strict=True):
            _draw_panel(axes, name, records, axis, since_s)
        column[-1].set_xlabel(axis.label)
        _legend(figure, column, records)
        sentences_below(figure, [each.sentence() for each in records])


def _places(records: Sequence[Views], from_start: bool) -> tuple[TimeAxis, list[float]]:
    """Give the axis, and for each record how long after the earliest it begins (s)."""
    starts = [each.record.grid.start_ns for each in records]
    dated = {is_dated(start) for start in starts}
    # dates and counts from nowhere have no axis in common
    if from_start or len(dated) > 1:
        return time_axis(None, max(each.record.span_s for each in records)), [0.0] * len(records)
    since_s = [(start - min(starts)) / 1e9 for start in starts]
    span_s = max(since + each.record.span_s for since, each in zip(since_s, records, strict=True))
    return time_axis(min(starts), span_s), since_s


def _draw_panel(axes: Any, name: str, records: Sequence[Views], axis: TimeAxis, since_s: Sequence[float]) -> None:
    from timeball.stability.views import thinned

    views = [getattr(each, name) for each in records]
    drawn = [None if view is None else thinned(view) for view in views]
    values = [view.values for view in drawn if view is not None]
    scale = phase_axis(values) if name == "phase" else frequency_axis(values)
    for k, (view, since) in enumerate(zip(drawn, since_s, strict=True)):
        if view is not None:
            _draw_curve(axes, view, axis.at(view.t_s, since), scale, COLOURS[k % len(COLOURS)])
    axes.set_ylabel(_quantity(name, records) + scale.words)
    axes.ticklabel_format(useOffset=False, style="plain")
    axes.margins(x=0.01)
    axes.grid(color=GRID)
    if axes.get_ylim()[0] < 0.0 < axes.get_ylim()[1]:
        axes.axhline(0.0, color=MUTED, lw=0.6, zorder=1)
    plain_frame(axes)


def _draw_curve(axes: Any, view: View, places: np.ndarray[Any, Any], scale: ValueAxis, colour: str) -> None:
    from timeball.stability.views import alone

    y = scale.at(view.values)

    few = np.isfinite(view.values).sum() <= DOTTED
    axes.plot(places, y, "o-" if few else "-", ms=3, lw=0.9, color=colour)
    single = alone(view.values)
    if single.any() and not few:
        axes.plot(places[single], y[single], "o", ms=2, color=colour)


def _quantity(name: str, records: Sequence[Views]) -> str:
    if name == "phase":
        return "phase"
    # tags rounded in the file make intervals that are not quite round
    averages = {f"{each.average_s:.6g}" for each in records}
    over = f" over {averages.pop()} s" if len(averages) == 1 else ""
    return f"fractional frequency{over}"


def _legend(figure: Any, column: Any, records: Sequence[Views]) -> None:
    """Name one record as the title, several in a legend above the panels."""
    if len(records) == 1:
        column[0].set_title(f"{records[0].name} ({Path(records[0].record.file).name})", fontsize=11)
        return
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=COLOURS[k % len(COLOURS)], lw=2) for k in range(len(records))]
    names = [each.name for each in records]
    columns = max(1, min(len(records), 110 // (8 + max(map(len, names)))))
    figure.legend(lines, names, loc="outside upper center", ncols=columns, frameon=False, fontsize=9)
