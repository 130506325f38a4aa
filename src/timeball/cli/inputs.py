"""Input files of the subcommands: read, parsed, and their faulty lines told on stderr while the good ones are used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from timeball.cli.output import CommandError

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
        return len(self.defects)


def load_file(
    path: Path, *, clocks: Iterable[str] | None = None, columns: ColumnOptions | None = None, tell: bool = True
) -> Input:
    """Read and parse one file. CommandError (exit 1) when it cannot be read or used.

    clocks: of RINEX clock files read these only. columns: how to read plain columns. tell: defects go to stderr.
    """
    from timeball import formats
    from timeball.station.hosttime.leaps import load_leap_table

    try:
        data = path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        parsed = formats.parse(data, str(path), leaps=load_leap_table(), clocks=clocks, columns=columns)
    except formats.FormatError as error:
        raise CommandError(str(error)) from error
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
    """Say on stderr which lines were left out: the first few in full, the rest as a count."""
    for defect in defects[:DEFECTS_SHOWN]:
        click.echo(f"left out: {defect}", err=True)
    if len(defects) > DEFECTS_SHOWN:
        click.echo(f"left out: {len(defects) - DEFECTS_SHOWN} more lines of {defects[0].file}", err=True)
