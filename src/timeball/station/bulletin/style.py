"""Colours, type and frames that every figure of a report shares. matplotlib is an extra (`reports`).

What it does not do: know what is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from timeball.station.bulletin.record import ReportError

INK, MUTED, FAINT, GRID, PAPER = "#16222e", "#5d6b79", "#aeb9c4", "#e6ebf0", "#ffffff"
ACCENT, WARM = "#0b5fa5", "#c8472c"
# distinct for colour-blind eyes; the heaviest clocks get the strongest
COLOURS = ("#0b5fa5", "#d1663b", "#2f9e6e", "#e0a100", "#7b4fb3", "#1aa6b7", "#c2559d", "#7a8b2a", "#a0522d", "#4c6ef5")
REST = "#c5ced6"


@contextmanager
def drawing() -> Iterator[None]:
    """The settings that figures are drawn with; raises ``ReportError`` without matplotlib."""
    try:
        from matplotlib import rc_context
    except ImportError as error:
        raise ReportError("a report as HTML or PDF needs matplotlib: pip install 'timeball[reports]'") from error
    settings: Any = {
        "font.family": "DejaVu Sans",
        "font.size": 8.5,
        "text.color": INK,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": MUTED,
        "xtick.color": FAINT,
        "ytick.color": FAINT,
        "xtick.labelcolor": MUTED,
        "ytick.labelcolor": MUTED,
        "axes.linewidth": 0.7,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "svg.fonttype": "none",
        "svg.hashsalt": "timeball",
        "pdf.fonttype": 42,
        "axes.unicode_minus": True,
    }
    with rc_context(settings):
        yield


def dress(axes: Any, grid: str = "y") -> None:
    """Plain frame: no box, a quiet grid behind the data."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.grid(axis=grid, color=GRID, lw=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=3, pad=3)
    axes.tick_params(which="both", axis="y", length=0)
    axes.tick_params(which="minor", axis="x", length=0)


def colour_of(place: int) -> str:
    """The colour of the clock with so many heavier ones."""
    return COLOURS[place] if place < len(COLOURS) else REST
