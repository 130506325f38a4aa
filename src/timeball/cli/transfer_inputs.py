"""The files of the two ends of a link: one file, a folder, a pattern, or several joined by commas."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from timeball.cli.inputs import report_defects
from timeball.cli.output import CommandError
from timeball.cli.progress import progress_bar

if TYPE_CHECKING:
    from timeball.formats import Defect
    from timeball.formats.cggtts import Header
    from timeball.transfer import Calibration, Rejections, Side, StationTracks


@dataclass(frozen=True, slots=True)
class Station:
    """The tracks of one end, what was left out before they were compared, and what is known of its calibration."""

    tracks: StationTracks
    rejected: Rejections
    defects: list[Defect]
    u_s: float
    notes: list[str]


def files_of(text: str, fits: Callable[[bytes], bool]) -> list[tuple[Path, bytes]]:
    """Give the files that an argument names, in order of name, with what is in them.

    fits: tells a file of the right kind by its head; in a folder or a pattern others are passed over, and told.
    Raises ``CommandError`` when there is none, or a file named by itself cannot be read.
    """
    found: list[tuple[Path, bytes]] = []
    for part in text.split(","):
        path = Path(part.strip())
        if path.is_file():
            found.append((path, bytes_of(path)))
            continue
        many = path.iterdir() if path.is_dir() else path.parent.glob(path.name) if path.name else ()
        for each in sorted(each for each in many if each.is_file()):
            data = bytes_of(each)
            if fits(_plain(data)):
                found.append((each, data))
            else:
                click.echo(f"passed over: {each} is of another kind", err=True)
    if not found:
        raise CommandError(f"{text}: no such file, and no folder or pattern with one")
    return found


def _plain(data: bytes) -> bytes:
    from timeball.formats.compression import plain_bytes

    return plain_bytes(data, "")[0]


def read_calibration(path: Path | None) -> list[Calibration]:
    """Read the table of `--calibration`; none is an empty one."""
    from timeball.transfer import read_calibrations

    if path is None:
        return []
    try:
        return read_calibrations(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: cannot be read: {error}") from error


def load_stations(
    arguments: tuple[str, str], names: tuple[str | None, str | None], table: list[Calibration]
) -> tuple[Station, Station]:
    """Read both ends. Raises ``CommandError`` for what cannot be read or used."""
    with progress_bar("reading CGGTTS files") as tell:
        ends = [_read_end(argument, table, tell) for argument in arguments]
    (first, headers_a), (second, headers_b) = ends
    name_a, name_b = _names(names, headers_a[0], headers_b[0])
    tell_defects([*first.defects, *second.defects])
    return _renamed(first, name_a), _renamed(second, name_b)


def load_station(argument: str, table: list[Calibration]) -> Station:
    """Read one end alone. Raises ``CommandError`` for what cannot be read or used."""
    with progress_bar("reading CGGTTS files") as tell:
        return _read_end(argument, table, tell)[0]


def tell_defects(defects: list[Defect]) -> None:
    """Say which lines were left out, and of what was used all the same the first and how many more."""
    report_defects([each for each in defects if each.lines])
    notes = [each for each in defects if not each.lines]
    for note in notes[:1]:
        more = f"; so it is in {len(notes) - 1} more places" if len(notes) > 1 else ""
        click.echo(f"note: {note}{more}", err=True)


def _read_end(
    argument: str, table: list[Calibration], tell: Callable[[int, int], None] | None
) -> tuple[Station, list[Header]]:
    from timeball import formats
    from timeball.formats.cggtts import is_cggtts, read_cggtts
    from timeball.station.hosttime.leaps import load_leap_table
    from timeball.transfer import Rejections, join_tracks, station_tracks
    from timeball.transfer.calibrating import calibrated

    leaps = load_leap_table()
    parts, rejected, defects, headers, used = [], Rejections(), [], [], {}
    u_s = math.nan
    files = files_of(argument, is_cggtts)
    for number, (path, data) in enumerate(files):
        try:
            cggtts = read_cggtts(data, str(path), leaps)
        except formats.FormatError as error:
            raise CommandError(str(error)) from error
        ready = calibrated(station_tracks(cggtts, str(path)), cggtts, table)
        parts.append(ready.tracks)
        rejected += ready.rejected
        defects += cggtts.defects
        headers.append(cggtts.header)
        u_s = ready.u_s if math.isnan(u_s) else max(u_s, ready.u_s)
        used.update(ready.used or _header_words(cggtts.header))
        if tell is not None:
            tell(number + 1, len(files))
    return Station(join_tracks(parts), rejected, defects, u_s, list(used.values())), headers


def _header_words(header: Header) -> dict[str, str]:
    """Say what the header says of its calibration."""
    lab = header.lab or "a station"
    known = header.delays.cal_id.strip()
    if known and known.lower() not in ("none", "na"):
        return {lab: f"{lab}: delays of the header, CAL_ID {known}, uncertainty not known"}
    return {lab: f"{lab}: delays of the header, no calibration named"}


def _names(names: tuple[str | None, str | None], a: Header, b: Header) -> tuple[str, str]:
    """Choose the clocks' names: as asked for, else REF, else LAB where the REF of both is one, else with a letter."""
    for told in ((a.ref or a.lab, b.ref or b.lab), (a.lab, b.lab)):
        found = tuple(_word(given or each) for given, each in zip(names, told, strict=True))
        if found[0] != found[1]:
            return found[0], found[1]
    return f"{found[0]}.a", f"{found[1]}.b"


def _word(text: str) -> str:
    kept = "_".join(text.replace(",", " ").replace(";", " ").split())
    return kept or "station"


def _renamed(station: Station, name: str) -> Station:
    from timeball.transfer import join_tracks

    return Station(join_tracks([station.tracks], name), station.rejected, station.defects, station.u_s, station.notes)


def bytes_of(path: Path) -> bytes:
    """Read a file. Raises ``CommandError``."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror}") from error


def load_sessions(argument: str, name: str | None) -> tuple[Side, list[Defect]]:
    """Read the two-way files of one end. Raises ``CommandError``."""
    from timeball import formats
    from timeball.formats.itu_tw import is_itu_tw, read_itu_tw
    from timeball.station.hosttime.leaps import load_leap_table
    from timeball.transfer.two_way import join_sessions

    leaps = load_leap_table()
    found = []
    for path, data in files_of(argument, is_itu_tw):
        try:
            found.append((str(path), read_itu_tw(data, str(path), leaps)))
        except formats.FormatError as error:
            raise CommandError(str(error)) from error
    defects = [defect for _, tw in found for defect in tw.defects]
    tell_defects(defects)
    return join_sessions(found, name), defects


def epochs_of(path: Path) -> np.ndarray:
    """Give the epochs of a file of readings."""
    from timeball.cli.inputs import load_file

    return np.unique(load_file(path, tell=False).readings.epoch)
