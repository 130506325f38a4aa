"""What every plot of the commands shares: the option --plot, the inks, the frame, and the way to the file.

A file that cannot be a plot (its suffix, no matplotlib, no such folder) is refused before anything is computed. The
same report gives the same bytes. matplotlib is an extra (`reports`); nothing here draws data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import wrap
from typing import Any

import click

from timeball.cli.output import CommandError

SUFFIXES = (".png", ".svg", ".pdf")
INK, MUTED, GRID, PAPER = "#1f2933", "#66727f", "#e3e8ed", "#ffffff"
# of the sentences under a plot
LETTERS_PER_INCH = 14
# distinct for colour-blind eyes, the strongest first
COLOURS = (
    "#0b5fa5",
    "#d1495b",
    "#2f9e6e",
    "#e0a100",
    "#7b4fb3",
    "#1aa6b7",
    "#a0522d",
    "#5b8c2a",
    "#c2559d",
    "#4c6ef5",
    "#868e96",
    "#b08968",
)


class PlotPath(click.Path):
    """The value of --plot: a file that a plot can be written to, judged while the command line is read."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Give the path, or raise CommandError (exit 1)."""
        path = Path(str(super().convert(value, param, ctx)))
        if path.suffix.lower() not in SUFFIXES:
            raise CommandError(f"{path}: cannot write the plot: its name must end in {', '.join(SUFFIXES)}")
        if not path.parent.is_dir():
            raise CommandError(f"{path}: cannot write the plot: there is no folder {path.parent}")
        need_matplotlib()
        return path


PLOT = PlotPath()


def need_matplotlib() -> None:
    """Say in words how to get matplotlib where it is not (CommandError, exit 1)."""
    try:
        import matplotlib as _  # noqa: F401 (only whether it is there)
    except ImportError as error:
        raise CommandError("a plot needs matplotlib: pip install 'timeball[reports]'") from error


@contextmanager
def new_plot(path: Path, width: float, height: float, **options: Any) -> Iterator[Any]:
    """Give an empty figure of so many inches in the house's style, and save it when what was drawn into it is done.

    options: as matplotlib's Figure takes them. The suffix chooses the format. CommandError when it cannot be saved.
    """
    need_matplotlib()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.family": "DejaVu Sans", "font.size": 10, "svg.hashsalt": "timeball", "text.color": INK}):
        figure = Figure(figsize=(width, height), facecolor=PAPER, **options)
        yield figure
        save_plot(figure, path)


def save_plot(figure: Any, path: Path) -> None:
    """Write a figure without its date, so that the same report gives the same file."""
    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower())
    try:
        figure.savefig(path, dpi=150, metadata=undated)
    except (ValueError, OSError) as error:
        raise CommandError(f"{path}: cannot write the plot: {error}") from error


def plain_frame(axes: Any) -> None:
    """No lines above and to the right, the others muted."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
    axes.tick_params(colors=MUTED, which="both", length=3)
    axes.xaxis.label.set_color(MUTED)
    axes.yaxis.label.set_color(MUTED)


def sentences_below(figure: Any, sentences: Sequence[str], most: int = 6) -> None:
    """Write sentences under everything, each on lines of its own that fit; of very many the first few."""
    width = int(LETTERS_PER_INCH * figure.get_figwidth())
    lines = [line for sentence in sentences[:most] for line in wrap(sentence, width)]
    if len(sentences) > most:
        lines.append(f"and {len(sentences) - most} more")
    figure.supxlabel("\n".join(lines), fontsize=9)


def plot_title(axes: Any, what: str, how: str) -> None:
    """What the axes show, and under it how it was got."""
    axes.text(0, 1.075, what, transform=axes.transAxes, fontsize=14, fontweight="bold", color=INK)
    axes.text(0, 1.022, how, transform=axes.transAxes, fontsize=10.5, color=MUTED)
