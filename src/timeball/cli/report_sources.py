"""What `timeball report` reads: a ledger or files, and the bulletins of the BIPM beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import click

from timeball.cli.inputs import load_files, report_defects
from timeball.cli.output import CannotReachError, CommandError
from timeball.formats.bulletin import Bulletin, lab_points
from timeball.formats.circular_t import read_circular_t
from timeball.formats.defects import FormatError
from timeball.formats.steers import read_steers
from timeball.formats.utcr import read_utcr
from timeball.instants import LeapTable
from timeball.readings import ReadingsError, phase_table
from timeball.readings.names import did_you_mean
from timeball.readings.record import is_scale
from timeball.station.bulletin.ledger_record import record_of_ledger
from timeball.station.bulletin.record import CIRCULAR_T, UTCR, Record
from timeball.station.bulletin.table_record import record_of_table, with_points, with_steers

OF_FILES = ("clocks", "utck", "steers")


def read_record(sources: Sequence[Path], leaps: LeapTable, **options: Any) -> tuple[Record, list[BulletinFile]]:
    """The record of a state folder or of files, with the points of the bulletins named; and these bulletins.

    Raises ``CommandError``.
    """
    laboratory: str | None = options["laboratory"]
    if any(source.is_dir() for source in sources):
        record = _of_ledger(sources, options)
        if laboratory is not None:
            record = replace(record, laboratory=laboratory)
    else:
        record = _of_files(sources, laboratory or "k", options)
    files = read_bulletins(options, leaps, record.laboratory)
    _require(record.laboratory, files)
    points = {
        origin: lab_points([each.bulletin for each in files if each.origin == origin], record.laboratory)
        for origin in (CIRCULAR_T, UTCR)
    }
    record = with_points(record, points)
    if options["steers"] is not None:
        steers, defects = _read(options["steers"], lambda data, name: read_steers(data, name, leaps))
        report_defects(defects)
        record = with_steers(record, steers)
    return record, files


class BulletinFile(NamedTuple):
    """One file of the BIPM: `origin` is `CIRCULAR_T` or `UTCR`."""

    path: Path
    origin: str
    bulletin: Bulletin


def read_bulletins(options: dict[str, Any], leaps: LeapTable, laboratory: str) -> list[BulletinFile]:
    """The bulletins named; raises ``CommandError``."""
    monthly = [
        (path, _read(path, lambda data, name: read_circular_t(data, name, leaps))) for path in options["circular_t"]
    ]
    rapid = [(path, _read(path, lambda data, name: _rapid(data, name, leaps, laboratory))) for path in options["utcr"]]
    return [
        *(BulletinFile(path, CIRCULAR_T, bulletin) for path, bulletin in monthly),
        *(BulletinFile(path, UTCR, bulletin) for path, bulletin in rapid),
    ]


def unused(files: Iterable[BulletinFile], laboratory: str, begins: int, ends: int) -> list[str]:
    """The bulletins without a value of the laboratory in a period (ns of TAI, ends counted in), a sentence each."""
    told = []
    for path, _, bulletin in files:
        epochs = lab_points([bulletin], laboratory).epochs
        if not epochs.size:
            told.append(f"{path}: it has no value of UTC({laboratory})")
        elif not ((epochs >= begins) & (epochs <= ends)).any():
            told.append(f"{path}: its values of UTC({laboratory}) are of other days")
    return told


def _of_ledger(sources: Sequence[Path], options: dict[str, Any]) -> Record:
    if len(sources) > 1:
        raise CommandError("a report is made from one state folder, or from files, not from both")
    given = [f"--{name}" for name in OF_FILES if options[name] is not None]
    if given:
        raise click.UsageError(f"{', '.join(given)}: the ledger says it; for files only")
    if not (sources[0] / "ledger" / "checkpoint").exists():
        raise CannotReachError(f"{sources[0]}: no ledger here (no ledger/checkpoint)")
    return record_of_ledger(sources[0])


def _of_files(sources: Sequence[Path], laboratory: str, options: dict[str, Any]) -> Record:
    utck: str | None = options["utck"]
    clocks = None if options["clocks"] is None else [name.strip() for name in options["clocks"].split(",")]
    extra = [utck] if utck is not None else []
    readings, _ = load_files(sources, clocks=None if clocks is None else [*clocks, *extra])
    members = clocks or [name for name in readings.clocks if not is_scale(name) and name != utck]
    try:
        table = phase_table(readings, None, [*members, *extra])
    except ReadingsError as error:
        raise CommandError(str(error)) from error
    source = f"{', '.join(path.name for path in sources)}: {len(readings)} readings of {len(members)} clocks"
    return record_of_table(table, options["algorithm"], laboratory, source, utck)


def _read(path: Path, parse: Any) -> Any:
    try:
        return parse(path.read_bytes(), str(path))
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror}") from error
    except FormatError as error:
        raise CommandError(str(error)) from error


def _rapid(data: bytes, name: str, leaps: LeapTable, laboratory: str) -> Bulletin:
    """A bulletin of UTCr, or a series: that of the laboratory its heading names, and of ours when it names none."""
    try:
        return read_utcr(data, name, leaps)
    except FormatError:
        return read_utcr(data, name, leaps, laboratory)


def _require(laboratory: str, files: Sequence[BulletinFile]) -> None:
    """Bulletins that all lack this laboratory are a slip of the name rather than a month without a value."""
    known = {lab for each in files for lab in each.bulletin.labs}
    if files and laboratory not in known:
        near = did_you_mean(laboratory, known)
        raise CommandError(f"{files[0].path}: it has no UTC({laboratory}); say which one with --laboratory{near}")
