"""Setting type on A4 sheets: what comes next goes below what came before, on a new sheet where there is no room.

Places are millimetres from the top left corner of the sheet. What it does not do: know what a report is.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from timeball.station.bulletin.style import GRID, INK, MUTED, PAPER, colour_of
from timeball.station.bulletin.tables import Table

WIDTH_MM, HEIGHT_MM = 210.0, 297.0
LEFT, BOTTOM = 18.0, 20.0
TEXT_MM = WIDTH_MM - 2 * LEFT
MM_PER_POINT = 25.4 / 72
FONT = "DejaVu Sans"
GAP_MM = 3.2
LONG_MM = 24.0
WASH = "#f6f8fa"


class Sheets:
    """Sheets in the making; `y` is where the next thing goes on the last of them."""

    def __init__(self, running: str) -> None:
        self.running = running
        self.all: list[Any] = []
        self.y = 0.0
        self._metrics: Any = import_module("matplotlib.textpath").text_to_path
        self._properties: Any = import_module("matplotlib.font_manager").FontProperties
        self._turn()

    def finished(self) -> list[Any]:
        """The sheets, numbered."""
        for number, sheet in enumerate(self.all, start=1):
            words = {"fontsize": 7, "color": MUTED}
            y = 1 - (HEIGHT_MM - 10) / HEIGHT_MM
            sheet.text(LEFT / WIDTH_MM, y, self.running, **words)
            sheet.text(1 - LEFT / WIDTH_MM, y, f"{number} / {len(self.all)}", ha="right", **words)
        return self.all

    def text(self, x: float, y: float, words: str, size: float = 8, colour: str = INK, **how: Any) -> None:
        """A line of text whose foot stands at (x, y)."""
        self.all[-1].text(x / WIDTH_MM, 1 - y / HEIGHT_MM, words, fontsize=size, color=colour, **how)

    def rule(self, y: float, colour: str = GRID, width: float = 0.6) -> None:
        """A line across the text."""
        line = import_module("matplotlib.lines").Line2D
        ends = ([LEFT / WIDTH_MM, 1 - LEFT / WIDTH_MM], [1 - y / HEIGHT_MM] * 2)
        self.all[-1].add_artist(line(*ends, color=colour, lw=width))

    def box(self, y: float, height: float, colour: str = WASH) -> None:
        """A quiet ground across the text, from y down."""
        patch = import_module("matplotlib.patches").Rectangle
        corner = (LEFT / WIDTH_MM, 1 - (y + height) / HEIGHT_MM)
        self.all[-1].add_artist(patch(corner, TEXT_MM / WIDTH_MM, height / HEIGHT_MM, color=colour, lw=0, zorder=-1))

    def heading(self, title: str, how: str = "", least: float = 70) -> None:
        """A heading with its remark; a new sheet unless `least` mm follow on this one."""
        if self.y + 11 + least > HEIGHT_MM - BOTTOM:
            self._turn()
        else:
            self.y += 11
        self.text(LEFT, self.y + 3, title, size=11, weight="bold")
        if how:
            self.text(LEFT, self.y + 7.2, how, size=7.5, colour=MUTED)
        self.y += 10

    def say(self, words: str, size: float = 8, colour: str = INK, before: float = 3) -> None:
        """A paragraph."""
        self.y += before
        for line in self._wrapped(words, size, TEXT_MM):
            self._room(size * 0.5)
            self.y += size * 0.5
            self.text(LEFT, self.y, line, size=size, colour=colour)

    def figure(
        self,
        draw: Callable[[Any], None],
        height: float,
        left: float = 0,
        right: float = 0,
        top: float = 0,
        bottom: float = 6,
    ) -> None:
        """Axes of a height, with so much room around them inside the text for their labels."""
        self._room(height)
        place = (
            (LEFT + left) / WIDTH_MM,
            1 - (self.y + height - bottom) / HEIGHT_MM,
            (TEXT_MM - left - right) / WIDTH_MM,
            (height - top - bottom) / HEIGHT_MM,
        )
        axes = self.all[-1].add_axes(place)
        draw(axes)
        axes.tick_params(labelsize=7)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_size(7.5)
        legend = axes.get_legend()
        for label in legend.get_texts() if legend is not None else []:
            label.set_size(7.5)
        self.y += height

    def table(
        self,
        table: Table,
        strong: Callable[[list[str]], bool] = lambda _row: False,
        marks: bool = False,
        long: bool = False,
    ) -> None:
        """A table; `long`: its last column holds words that are broken into lines. Headers again on every sheet."""
        size, spare = 7.6, -1.0
        while spare < 0 and size > 4.5:
            widths = self._widths(table, size, marks, long)
            spare, size = TEXT_MM - sum(widths), size - 0.2
        size += 0.2
        if long:
            widths[-1] += spare
        elif spare > 0:
            widths = [width + spare / len(widths) for width in widths]
        self._headers(table, widths, size, long)
        for place, row in enumerate(table.rows):
            self._row(table, row, widths, size, (strong(row), colour_of(place) if marks else "", long))
            if self.y > HEIGHT_MM - BOTTOM and place + 1 < len(table.rows):
                self._turn()
                self._headers(table, widths, size, long)

    def _row(self, table: Table, row: list[str], widths: list[float], size: float, how: tuple[bool, str, bool]) -> None:
        is_strong, mark, long = how
        lines = self._wrapped(row[-1], size - 0.6, widths[-1]) if long else []
        height = max(5.0, 1.6 + 3.2 * len(lines))
        if is_strong:
            self.box(self.y, height)
        weight = "bold" if is_strong else "normal"
        x = LEFT
        for column, cell in enumerate(row):
            foot, gap = self.y + 3.5, 0.0 if column == len(row) - 1 else GAP_MM
            if long and column == len(row) - 1:
                for number, line in enumerate(lines):
                    self.text(x, foot + 3.2 * number, line, size=size - 0.6, colour=MUTED)
            elif column < table.left:
                shift = 3.0 if mark and column == 0 else 0.0
                if shift:
                    self._mark(x, self.y + 1.6, mark)
                bold = {"weight": "bold"} if mark and column == 0 else {"weight": weight}
                self.text(x + shift, foot, cell, size=size, **bold)
            else:
                self.text(x + widths[column] - gap, foot, cell, size=size, ha="right", weight=weight)
            x += widths[column]
        self.y += height
        self.rule(self.y)

    def _headers(self, table: Table, widths: list[float], size: float, long: bool) -> None:
        lines = max(cell.count("\n") + 1 for cell in table.headers)
        self._room(8.0 + 3 * lines)
        self.y += 3.2 * lines
        x = LEFT
        for column, cell in enumerate(table.headers):
            words = column < table.left or (long and column == len(table.headers) - 1)
            gap = 0.0 if column == len(table.headers) - 1 else GAP_MM
            at = x if words else x + widths[column] - gap
            how = {"ha": "left" if words else "right", "va": "baseline", "linespacing": 1.25}
            for back, line in enumerate(reversed(cell.split("\n"))):
                self.text(at, self.y - 3.1 * back, line, size=size - 0.8, colour=MUTED, **how)
            x += widths[column]
        self.y += 1.6
        self.rule(self.y, INK, 0.8)

    def _widths(self, table: Table, size: float, marks: bool, long: bool) -> list[float]:
        """Width that every column needs (mm): its widest cell; long words are broken and need no more than a few."""
        widths = []
        for column, header in enumerate(table.headers):
            last = column == len(table.headers) - 1
            cells = [] if long and last else [row[column] for row in table.rows]
            heads = [self._width(line, size - 0.8) for line in header.split("\n")]
            widest = max([*heads, *(self._width(cell, size, "normal" if column else "bold") for cell in cells)])
            mark = 3.0 if marks and column == 0 else 0.0
            widths.append(max(widest, LONG_MM if long and last else 0.0) + mark + (0.0 if last else GAP_MM))
        return widths

    def _wrapped(self, words: str, size: float, width: float) -> list[str]:
        lines: list[str] = []
        for word in words.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self._width(longer, size) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    def _width(self, words: str, size: float, weight: str = "normal") -> float:
        properties = self._properties(family=FONT, size=size, weight=weight)
        points = self._metrics.get_text_width_height_descent(words, properties, ismath=False)[0]
        return float(points) * MM_PER_POINT

    def _mark(self, x: float, y: float, colour: str) -> None:
        patch = import_module("matplotlib.patches").Rectangle
        corner = (x / WIDTH_MM, 1 - (y + 1.9) / HEIGHT_MM)
        self.all[-1].add_artist(patch(corner, 1.9 / WIDTH_MM, 1.9 / HEIGHT_MM, color=colour, lw=0))

    def _room(self, height: float) -> None:
        if self.y + height > HEIGHT_MM - BOTTOM:
            self._turn()

    def _turn(self) -> None:
        """A new sheet."""
        figure = import_module("matplotlib.figure").Figure
        self.all.append(figure(figsize=(WIDTH_MM / 25.4, HEIGHT_MM / 25.4), facecolor=PAPER))
        self.y = 20.0


__all__ = ["HEIGHT_MM", "LEFT", "TEXT_MM", "WIDTH_MM", "Sheets"]
