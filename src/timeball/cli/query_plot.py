"""The plot of `timeball query`: every exchange's offset over time, with the bound that its delay gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from timeball.cli.plotting import COLOURS, GRID, MUTED, PAPER, new_plot, plain_frame, plot_title, sentences_below
from timeball.cli.query_report import verdict

if TYPE_CHECKING:
    from timeball.station.watching.questioning import Answers

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (0.0, "ns"))


def write_plot(answers: Sequence[Answers], path: Path, limit_s: float | None) -> None:
    """Draw the servers that gave time; each bar holds the true offset, whatever the way there and back is like."""
    drawn = [one for one in answers if one.measured]
    reach_s = max(
        (abs(each.offset_s) + each.measurement.bound_s() for one in drawn for each in one.measured), default=1
    )
    scale_s, unit = next((scale, unit) for scale, unit in UNITS if reach_s >= scale)
    scale_s = scale_s or 1e-9
    with new_plot(path, 8.0, 5.0, layout="constrained") as figure:
        axes = figure.subplots()
        plain_frame(axes)
        axes.grid(color=GRID, linewidth=0.6)
        axes.axhline(0.0, color=MUTED, linewidth=0.8)
        for place, one in enumerate(drawn):
            axes.errorbar(
                [each.at_s for each in one.measured],
                [each.offset_s / scale_s for each in one.measured],
                yerr=[each.measurement.bound_s() / scale_s for each in one.measured],
                fmt="o",
                markersize=4,
                capsize=3,
                color=COLOURS[place % len(COLOURS)],
                label=one.server,
            )
        for edge_s in () if limit_s is None else (-limit_s, limit_s):
            axes.axhline(edge_s / scale_s, color=MUTED, linewidth=1.0, linestyle="--")
        axes.set(xlabel="time since the first exchange (s)", ylabel=f"server − this host's clock ({unit})")
        if drawn:
            axes.legend(facecolor=PAPER, edgecolor="none", framealpha=1.0, fontsize=9)
        plot_title(axes, "Offset against this host's clock", "bars: half of the way there and back")
        sentences_below(figure, [f"{one.server}: {verdict(one, limit_s)}." for one in answers])
