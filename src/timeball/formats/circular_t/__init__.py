"""BIPM Circular T as text: UTC − UTC(k) every five days with its uncertainties, the steps in its notes, the steering
of TAI, and the reports of primary and secondary frequency standards.

Sign: values are UTC − UTC(k) in s; a step is that of UTC(k) itself, so UTC − UTC(k) changes by minus it; a steering
correction is f(EAL) − f(TAI), dimensionless.

Read are section 1 (values, notes) and, by the words of their headings, those on steering, on frequency standards (see
:mod:`timeball.formats.psfs`), on the times of satellite systems and on time links. What it does not do: read the
section on TA(k), or the HTML edition.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from timeball.formats.bulletin import IntArray, LabValues, epochs_of, readings_of
from timeball.formats.bulletin.table import read_table
from timeball.formats.bulletin.text import Line, bulletin_lines, section_about, sections
from timeball.formats.circular_t.gnss import RELATIONS, GNSSTable, read_gnss_relations
from timeball.formats.circular_t.links import LINKS, TimeLink, read_links
from timeball.formats.circular_t.notes import Note, Steering, Step, read_notes, read_steering, steps_of
from timeball.formats.defects import Defect, FormatError, shown, whole_file_error
from timeball.formats.psfs import STANDARDS, read_psfs_lines
from timeball.formats.psfs.report import PSFSTable
from timeball.instants import MJD_OF_1970, InstantError, LeapTable, day_number, format_day, from_utc_parts
from timeball.readings import Readings

KIND = "circular-t"
STEERING = "normalized frequencies of EAL"
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NUMBER = re.compile(r"\s*CIRCULAR T\s+(\d{1,4})\b.*", re.ASCII)
_PUBLISHED = re.compile(r"\s*(\d{4})\s+([A-Z]{3,9})\.?\s+(\d{1,2})\s*,\s*(\d{1,2})h\s*UTC.*", re.ASCII | re.IGNORECASE)
_OFFSET = re.compile(
    r"From (\d{4}) ([A-Z]{3,9}) (\d{1,2}), 0h UTC[^=]*?TAI\s*-\s*UTC\s*=\s*(\d{1,3}) ?s", re.ASCII | re.IGNORECASE
)
_DATES = re.compile(r"(?<![A-Z])([A-Z]{3})\s+(\d{1,2})(?!\d)", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class CircularT:
    """One Circular T.

    number; published: its date line; published_ns: that moment (ns of TAI). mjd: the dates, 0 h UTC; epochs:
    int64[n], the same in ns of TAI; labs: the rows by acronym. steps: those that the notes name; steering: intervals
    of f(EAL) − f(TAI). psfs: section 3, and gnss: section 4, None when they are not in the text. links: section 5.
    defects: what could not be read.
    """

    number: int
    published: str
    published_ns: int
    mjd: tuple[int, ...]
    epochs: IntArray
    labs: dict[str, LabValues]
    notes: tuple[Note, ...]
    steps: tuple[Step, ...]
    steering: tuple[Steering, ...]
    psfs: PSFSTable | None
    defects: tuple[Defect, ...]
    gnss: GNSSTable | None = None
    links: tuple[TimeLink, ...] = ()

    def readings(self, labs: Sequence[str] | None = None) -> Readings:
        """Give the values as readings UTC(k) − UTC (minus what is printed), with the combined uncertainty."""
        names = list(self.labs) if labs is None else [lab for lab in labs if lab in self.labs]
        return readings_of(self.epochs, [self.labs[lab] for lab in names], "UTC")


def is_circular_t(head: bytes) -> bool:
    """Tell from its head whether a file is a Circular T."""
    return b"CIRCULAR T" in head and b"[UTC-UTC(k)]" in head


def read_circular_t(data: bytes | str, name: str = "Circular T", leaps: LeapTable | None = None) -> CircularT:
    """Read a Circular T, plain or gzip.

    leaps: needed only when the text does not state TAI − UTC for its dates. A bad row is a defect, the good ones
    stay. Raises ``FormatError`` (file, line, field) when heading, number, dates or all rows cannot be used.
    """
    lines, defects = bulletin_lines(data, name)
    number, published = _head(lines, name)
    parts = sections(lines)
    first = parts.get(1, [])
    table, faults = read_table(first, name)
    _check_dates(dict(first).get(table.heading - 1, ""), table.mjd, table.heading, name)
    own = _covering(_offsets(first, name), table.mjd[0], leaps, name)
    notes = read_notes(first)
    steering, bad_steering = read_steering(section_about(parts, STEERING) or [], name)
    steps, bad_steps = steps_of(notes, own, name)
    standards = section_about(parts, STANDARDS)
    psfs = None if standards is None else read_psfs_lines(standards, name)
    gnss, bad_gnss = read_gnss_relations(section_about(parts, RELATIONS) or [], own, name)
    links, bad_links = read_links(section_about(parts, LINKS) or [], name)
    return CircularT(
        number=number,
        published=published[1].split("UTC")[0].strip() + " UTC",
        published_ns=_moment(published, own, name),
        mjd=table.mjd,
        epochs=epochs_of(table.mjd, own, name),
        labs=table.labs,
        notes=notes,
        steps=steps,
        steering=steering,
        psfs=psfs,
        defects=tuple(
            defects + faults + bad_steering + bad_steps + list(psfs.defects if psfs else ()) + bad_gnss + bad_links
        ),
        gnss=gnss,
        links=links,
    )


def _head(lines: Sequence[Line], name: str) -> tuple[int, Line]:
    """Give the number of the circular, and its line with the date of publication."""
    found = next((match for _, line in lines[:20] if (match := _NUMBER.fullmatch(line))), None)
    if found is None:
        raise whole_file_error(name, lines[0][1], "no line CIRCULAR T and its number")
    published = next((line for line in lines[:20] if _PUBLISHED.fullmatch(line[1])), None)
    if published is None:
        raise whole_file_error(name, "", "no line with the date of publication, as 2026 JANUARY 08, 22h UTC")
    return int(found[1]), published


def _check_dates(line: str, mjd: Sequence[int], heading: int, name: str) -> None:
    """Refuse a heading whose calendar dates are not its MJDs: one of them is wrong, and with it every value."""
    dates = _DATES.findall(line)
    if len(dates) != len(mjd):
        return
    for (month, day), stated in zip(dates, mjd, strict=True):
        _, found_month, found_day = (int(part) for part in format_day(stated - MJD_OF_1970).split("-"))
        if (month, int(day)) != (MONTHS[found_month - 1], found_day):
            reason = f"is {MONTHS[found_month - 1]} {found_day}, not {month} {day}"
            raise FormatError(Defect(name, heading, "MJD", str(stated), reason))


def _day(year: str, month: str, day: str) -> int:
    """Give the day since 1970 of a date with the month in letters; raises ``InstantError``."""
    letters = month[:3].upper()
    return day_number(int(year), MONTHS.index(letters) + 1 if letters in MONTHS else 0, int(day))


def _offsets(lines: Sequence[Line], name: str) -> LeapTable | None:
    """Give TAI − UTC as the text states it, None when it does not."""
    pairs: list[tuple[int, int]] = []
    for number, line in lines:
        for match in _OFFSET.finditer(line):
            try:
                pairs.append((_day(match[1], match[2], match[3]), int(match[4])))
            except InstantError as error:
                raise FormatError(Defect(name, number, "TAI − UTC", shown(line.strip()), str(error))) from error
    try:
        return LeapTable.from_offsets(sorted(pairs), None, name) if pairs else None
    except InstantError as error:
        raise whole_file_error(name, "TAI − UTC", str(error)) from error


def _covering(stated: LeapTable | None, mjd: int, leaps: LeapTable | None, name: str) -> LeapTable:
    """Choose the table that reaches back to the first date: the text's own, else the one given."""
    if stated is not None and stated.entries[0].utc_day <= mjd - MJD_OF_1970:
        return stated
    if leaps is None:
        raise whole_file_error(name, "TAI − UTC", "not stated for its dates: a leap second table is needed")
    return leaps


def _moment(line: Line, leaps: LeapTable, name: str) -> int:
    match = _PUBLISHED.fullmatch(line[1])
    try:
        if match is None or int(match[4]) > 24:
            raise InstantError("no such hour")
        day = _day(match[1], match[2], match[3])
        return from_utc_parts(day + int(match[4]) // 24, int(match[4]) % 24 * 3600, 0, leaps).ns
    except InstantError as error:
        raise FormatError(Defect(name, line[0], "date of publication", shown(line[1].strip()), str(error))) from error
