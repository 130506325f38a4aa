"""Input files of the subcommands: read, parsed, and their faulty lines told on stderr while the good ones are used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from timeball.cli.reading import read_parsed

if TYPE_CHECKING:
    from timeball.formats import ColumnOptions, Defect
    from timeball.readings import Readings

DEFECTS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Input:
    """One file: where it came from, its readings, what it is and says of itself, and its bad lines."""

    path: Path
    readings: Readings
    kind: str
    header: dict[str, object]
    defects: list[Defect]

    @property
    def rejected_lines(self) -> int:
        """Number of lines left out."""
        return sum(defect.lines for defect in self.defects)


def load_file(
    path: Path,
    *,
    clocks: Iterable[str] | None = None,
    columns: ColumnOptions | None = None,
    tell: bool = True,
    kind: str | None = None,
) -> Input:
    """Read and parse one file. CommandError (exit 1) when it cannot be read or used.

    clocks: of RINEX clock files read these only. columns: how to read plain columns. tell: defects go to stderr.
    kind: what the file is, when that is not to be told from its content. A long file is read piece by
    piece, with a progress bar.
    """
    from timeball.formats import ReadOptions
    from timeball.station.hosttime.leaps import load_leap_table

    wanted = None if clocks is None else tuple(clocks)
    parsed = read_parsed(path, ReadOptions(load_leap_table(), wanted, columns), kind)
    if tell:
        report_defects(parsed.defects)
    return Input(path, parsed.readings, parsed.kind, parsed.header, parsed.defects)


def load_files(
    paths: Sequence[Path], *, clocks: Iterable[str] | None = None, columns: ColumnOptions | None = None
) -> tuple[Readings, list[Input]]:
    """Read several files and join their readings; the inputs one by one come with them."""
    from timeball.readings import Readings

    wanted = None if clocks is None else tuple(clocks)
    inputs = [load_file(path, clocks=wanted, columns=columns) for path in paths]
    return Readings.concat([each.readings for each in inputs]), inputs


def report_defects(defects: Sequence[Defect]) -> None:
    """Say on stderr which lines were left out, the first few in full and the rest as a count; then what was used all
    the same: the first of each field, and how many more there are, since files of one receiver err alike.
    """
    out = [each for each in defects if each.lines]
    for defect in out[:DEFECTS_SHOWN]:
        click.echo(f"left out: {defect}", err=True)
    rest = out[DEFECTS_SHOWN:]
    if rest:
        files = sorted({each.file for each in rest})
        where = files[0] if len(files) == 1 else f"{len(files)} files"
        click.echo(f"left out: {sum(each.lines for each in rest)} more lines of {where}", err=True)
    notes: dict[str, list[Defect]] = {}
    for note in defects:
        if not note.lines:
            notes.setdefault(note.field, []).append(note)
    for first, *more in list(notes.values())[:DEFECTS_SHOWN]:
        times = "once" if len(more) == 1 else f"{len(more)} times"
        also = f"; the same {times} more" if more else ""
        click.echo(f"note: {first}{also}", err=True)
