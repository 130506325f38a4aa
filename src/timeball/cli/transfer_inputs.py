"""The two ends of a link, read: tracks or sessions, what was wrong with them, and what is known of calibrations."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from timeball.cli.inputs import report_defects
from timeball.cli.output import CommandError
from timeball.cli.progress import progress_bar
from timeball.cli.reading import read_bounded
from timeball.cli.transfer_files import files_of

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


def read_calibration(path: Path | None) -> list[Calibration]:
    """Read the table of `--calibration`; none is an empty one. Raises ``CommandError``."""
    from timeball.transfer import CalibrationError, read_calibrations

    if path is None:
        return []
    try:
        return read_calibrations(read_bounded(path).decode())
    except (UnicodeDecodeError, CalibrationError) as error:
        raise CommandError(f"{path}: {error}") from error


def load_stations(
    arguments: tuple[str, str], names: tuple[str | None, str | None], table: list[Calibration]
) -> tuple[Station, Station]:
    """Read both ends. Raises ``CommandError`` for what cannot be read or used."""
    with progress_bar("reading CGGTTS files") as tell:
        ends = [_read_end(argument, table, tell, name) for argument, name in zip(arguments, names, strict=True)]
    (first, headers_a), (second, headers_b) = ends
    name_a, name_b = _names(names, headers_a[0], headers_b[0])
    report_defects([*first.defects, *second.defects])
    return _renamed(first, name_a), _renamed(second, name_b)


def load_station(argument: str, table: list[Calibration]) -> Station:
    """Read one end alone. Raises ``CommandError`` for what cannot be read or used."""
    with progress_bar("reading CGGTTS files") as tell:
        return _read_end(argument, table, tell)[0]


def _read_end(
    argument: str, table: list[Calibration], tell: Callable[[int, int], None] | None, name: str | None = None
) -> tuple[Station, list[Header]]:
    from timeball import formats
    from timeball.formats.cggtts import is_cggtts, read_cggtts
    from timeball.station.hosttime.leaps import load_leap_table
    from timeball.transfer import Rejections, join_tracks, station_tracks
    from timeball.transfer.calibrating import calibrated

    leaps = load_leap_table()
    parts, rejected, defects, headers, used, u_s = [], Rejections(), [], [], {}, []
    files = files_of(argument, is_cggtts, "CGGTTS file")
    for number, path in enumerate(files):
        try:
            cggtts = read_cggtts(read_bounded(path), str(path), leaps)
        except formats.FormatError as error:
            raise CommandError(str(error)) from error
        ready = calibrated(station_tracks(cggtts, str(path)), cggtts, table)
        parts.append(ready.tracks)
        rejected += ready.rejected
        defects += cggtts.defects
        headers.append(cggtts.header)
        u_s += [ready.u_s] if len(ready.tracks) else []
        used.update(ready.used or _header_words(cggtts.header))
        if tell is not None:
            tell(number + 1, len(files))
    notes = [*_one_station(argument, headers, name), *used.values()]
    known = bool(u_s) and all(map(math.isfinite, u_s))  # of all that is used, or it is not known
    return Station(join_tracks(parts), rejected, defects, max(u_s) if known else math.nan, notes), headers


def _one_station(argument: str, headers: list[Header], name: str | None) -> list[str]:
    """Give a word on files whose clocks differ; ``CommandError`` when laboratories do and nobody gave them a name."""
    labs = sorted({header.lab for header in headers if header.lab})
    if len(labs) > 1 and name is None:
        raise CommandError(f"{argument}: files of several laboratories, {', '.join(labs)}: name those of one")
    clocks = sorted({header.ref for header in headers if header.ref})
    return [f"{' or '.join(labs)}: the files name several clocks, {', '.join(clocks)}"] if len(clocks) > 1 else []


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


def load_sessions(argument: str, name: str | None) -> tuple[Side, list[Defect]]:
    """Read the two-way files of one end. Raises ``CommandError``."""
    from timeball import formats
    from timeball.formats.itu_tw import is_itu_tw, read_itu_tw
    from timeball.station.hosttime.leaps import load_leap_table
    from timeball.transfer.two_way import join_sessions

    leaps = load_leap_table()
    found = []
    for path in files_of(argument, is_itu_tw, "two-way file"):
        try:
            found.append((str(path), read_itu_tw(read_bounded(path), str(path), leaps)))
        except formats.FormatError as error:
            raise CommandError(str(error)) from error
    defects = [defect for _, tw in found for defect in tw.defects]
    report_defects(defects)
    return join_sessions(found, name), defects


def epochs_of(path: Path) -> np.ndarray:
    """Give the epochs of a file of readings."""
    from timeball.cli.inputs import load_file

    return np.unique(load_file(path, tell=False).readings.epoch)
