"""RINEX clock files, versions 2.00 to 3.04: receiver (AR) and satellite (AS) clock biases, parse and write.

Sign: a bias is clock − reference of the analysis, so a reading is x_clock − x_reference.

The reference. When the header names exactly one reference clock and that clock has no records of its own, readings
are against that clock. Otherwise they are against a time scale on paper, named after the file's time system and
analysis centre, such as GPST(ESOC). An analysis centre usually lets its reference clock stand in the records, as a
straight line: all phases were realigned by it after the estimation. The reference then is a clock like any other,
x_YELL − x_GPST(ESOC); its own noise is in everyone's phases, and an ensemble that has it as a member can see that.

What it does not do: CR, DR and MS records, positions, biases and antenna models are counted or passed over, not read;
of up to six values only bias and sigma are used.

Source: RINEX extensions to handle clock information, Ray and Gurtner, versions 2.00, 3.00, 3.02; 3.04 (2017).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from timeball.formats.compression import plain_bytes
from timeball.formats.defects import Defect, FormatError, Parsed, shown, whole_file_error
from timeball.formats.numerals import read_integer
from timeball.formats.rinex_clock_records import (
    COMPARISON_TYPES,
    RECORD_TYPES,
    Record,
    RecordError,
    decode_record,
    decode_regular,
    find_unwanted,
)
from timeball.formats.timescales import TIME_SYSTEMS, table_for
from timeball.instants import (
    DAY_S,
    NS_PER_SECOND,
    InstantError,
    LeapTable,
    from_utc_parts,
)
from timeball.readings import Readings

KIND = "rinex-clock"
_LABELS = (
    "RINEX VERSION / TYPE",
    "TIME SYSTEM ID",
    "ANALYSIS CENTER",
    "ANALYSIS CLK REF",
    "LEAP SECONDS",
    "END OF HEADER",
)
_PADDING = b" " * 96  # so that a row of the longest record can be cut at every line


@dataclass(slots=True)
class Header:
    """What the header says; ``lines`` is how many lines it takes."""

    version: float = 0.0
    time_system: str = "GPS"
    centre: str = ""
    references: list[str] = field(default_factory=list)
    leap_seconds: str = ""
    lines: int = 0

    @property
    def name_width(self) -> int:
        """Columns of a clock name: 4, and 9 from version 3.04 on."""
        return 9 if self.version >= 3.04 else 4

    @property
    def scale(self) -> str:
        """The name of the paper scale that the biases refer to, such as GPST(ESOC)."""
        return f"{TIME_SYSTEMS[self.time_system][0]}({self.centre or 'file'})"


def parse_rinex_clock(
    data: bytes,
    name: str,
    leaps: LeapTable | None = None,
    clocks: Iterable[str] | None = None,
    *,
    arrays: bool = True,
) -> Parsed:
    """Read a RINEX clock file, plain or gzip.

    leaps: needed when the file's time system is UTC or GLO. clocks: read these only; lines of other clocks are
    passed over without being checked. arrays: False decodes line by line throughout (same result, slower).
    Raises ``FormatError`` when the header cannot be used or no record is left.
    """
    plain, defects = plain_bytes(data, name)
    header = _read_header(plain, name)
    table = table_for(header.time_system, leaps, name)
    wanted = None if clocks is None else frozenset(clocks)
    body = _Body(plain, header, name, wanted)
    records = body.decode(arrays)
    epochs, kept = _to_tai(records, body, table)
    if not kept.any():
        reason = "no record that can be used" if wanted is None else "no usable record of the clocks asked for"
        raise FormatError(body.defects[0]) if body.defects else whole_file_error(name, "", reason)
    index: dict[str, int] = {}
    a = [index.setdefault(each, len(index)) for each, keep in zip(records.names, kept.tolist(), strict=True) if keep]
    against = _reference_name(plain, header)
    b = index.setdefault(against, len(index))
    readings = Readings.from_columns(
        tuple(index), epochs[kept], a, np.full(len(a), b), records.x_s[kept], records.u_s[kept]
    )
    defects += sorted(body.defects, key=lambda defect: defect.line)
    return Parsed(readings, defects, KIND, _described(header, against, body.passed_over))


def _described(header: Header, against: str, passed_over: Counter[str]) -> dict[str, object]:
    return {
        "version": header.version,
        "time_system": header.time_system,
        "analysis_centre": header.centre,
        "reference_clocks": list(header.references),
        "against": against,
        "leap_seconds": header.leap_seconds,
        "passed_over": dict(passed_over),
    }


def is_rinex_clock(head: bytes) -> bool:
    """Tell from the first line whether a file is RINEX clock data."""
    first = head.split(b"\n", 1)[0]
    return b"RINEX VERSION / TYPE" in first and first[20:21] == b"C"


def _read_header(plain: bytes, name: str) -> Header:
    header = Header()
    if not is_rinex_clock(plain[:200]):
        raise whole_file_error(name, plain[:60], "the first line is not that of a RINEX clock file")
    for number, raw in enumerate(_lines_of(plain), 1):
        line = raw.decode("ascii", "replace").rstrip()
        label = next((label for label in _LABELS if line.endswith(label)), "")
        content = line[: len(line) - len(label)]
        if label == "END OF HEADER":
            header.lines = number
            return header
        try:
            _take_header_line(header, label, content)
        except RecordError as error:
            raise FormatError(error.defect(name, number)) from error
    raise whole_file_error(name, plain[:60], "no END OF HEADER")


def _lines_of(plain: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(plain):
        stop = plain.find(b"\n", start)
        stop = len(plain) if stop < 0 else stop
        yield plain[start:stop]
        start = stop + 1


def _take_header_line(header: Header, label: str, content: str) -> None:
    words = content.split()
    if label == "RINEX VERSION / TYPE":
        if not (words and re.fullmatch(r"[23](\.\d{1,2})?", words[0], re.ASCII)):
            raise RecordError("version", content[:9].strip(), "not a version this parser knows (2 to 3.04)")
        header.version = float(words[0])
    elif label == "TIME SYSTEM ID" and words:
        if words[0].upper() not in TIME_SYSTEMS:
            raise RecordError("time system", words[0], f"none of {', '.join(TIME_SYSTEMS)}")
        header.time_system = words[0].upper()
    elif label == "ANALYSIS CENTER" and words:
        header.centre = re.sub(r"[^A-Za-z0-9_+-]", "", words[0])
    elif label == "ANALYSIS CLK REF" and words:
        header.references.append(words[0])
    elif label == "LEAP SECONDS" and words:
        header.leap_seconds = words[0]


def _reference_name(plain: bytes, header: Header) -> str:
    """Choose what the readings are against (module docstring); what ``clocks=`` leaves out still counts here."""
    references = set(header.references)
    if len(references) != 1:
        return header.scale
    (only,) = references
    records_of_its_own = any(f"\n{kind} {only} ".encode("ascii", "replace") in plain for kind in COMPARISON_TYPES)
    return header.scale if records_of_its_own or not re.fullmatch(r"[!-'*-~]{1,9}", only) else only


@dataclass(frozen=True, slots=True)
class _Records:
    """All records of a file as columns, in file order."""

    lines: npt.NDArray[np.intp]
    names: list[str]
    count_ns: npt.NDArray[np.int64]
    leap: npt.NDArray[np.bool_]
    x_s: npt.NDArray[np.float64]
    u_s: npt.NDArray[np.float64]


class _Body:
    """The lines after the header, and what is found wrong with them."""

    def __init__(self, plain: bytes, header: Header, name: str, clocks: frozenset[str] | None) -> None:
        self.header, self.name, self.clocks = header, name, clocks
        self.defects: list[Defect] = []
        self.passed_over: Counter[str] = Counter()
        self._plain = plain
        self._text = np.frombuffer(plain + _PADDING, dtype=np.uint8)
        ends = np.append(np.flatnonzero(self._text[: len(plain)] == ord("\n")), len(plain))
        begins = np.append(0, ends[:-1] + 1)
        carriage_return = (ends > begins) & (self._text[ends - 1] == ord("\r"))
        self._starts = begins[header.lines :]
        self._lengths = (ends - begins - carriage_return)[header.lines :]

    def line(self, position: int) -> str:
        """Give a body line as text."""
        start = int(self._starts[position])
        return self._plain[start : start + int(self._lengths[position])].decode("ascii", "replace")

    def number(self, position: int) -> int:
        """Give the number in the file, from 1, of a body line."""
        return position + self.header.lines + 1

    def decode(self, arrays: bool) -> _Records:
        """Decode every record: those that are in place as arrays (when ``arrays``), the others one by one."""
        taken = np.zeros(len(self._starts), dtype=np.bool_)
        if arrays and self.clocks is not None:
            taken = find_unwanted(self._text, self._starts, self.clocks)
        left = np.flatnonzero(~taken & arrays)
        regular = decode_regular(self._text, self._starts[left], self._lengths[left], self.header.name_width)
        regular_lines = left[regular.lines]
        taken[regular_lines] = True
        single = list(self._decode_singly(taken))
        keep = self.clocks
        chosen = np.array([keep is None or name in keep for name in regular.names], dtype=np.bool_)
        lines = np.concatenate([regular_lines[chosen], np.array([line for line, _ in single], dtype=np.intp)])
        names = np.array(regular.names, dtype=object)[chosen].tolist() + [record.name for _, record in single]
        rest = [record for _, record in single]
        count_ns = np.append(regular.count_ns[chosen], np.array([each.count_ns for each in rest], dtype=np.int64))
        leap = np.zeros(len(names), dtype=np.bool_)
        leap[len(names) - len(rest) :] = [each.leap for each in rest]
        x_s = np.append(regular.x_s[chosen], [each.x_s for each in rest])
        u_s = np.append(regular.u_s[chosen], [each.u_s for each in rest])
        order = np.argsort(lines, kind="stable")
        return _Records(
            lines[order],
            [names[place] for place in order.tolist()],
            count_ns[order],
            leap[order],
            x_s[order],
            u_s[order],
        )

    def _decode_singly(self, taken: npt.NDArray[np.bool_]) -> Iterator[tuple[int, Record]]:
        """Walk the lines that the arrays left; a record claims the continuation lines under it."""
        claimed = -1
        for position in np.flatnonzero(~taken & (self._lengths > 0)).tolist():
            line = self.line(position)
            if position <= claimed or not line.strip():
                continue
            kind = line[:2] if line[2:3] in ("", " ") else ""
            if kind in RECORD_TYPES:
                claimed = self._last_continuation(position, line, kind)
            if kind in COMPARISON_TYPES:
                if self.clocks is None or next(iter(line.split()[1:2]), "") in self.clocks:
                    yield from self._decode_one(position, claimed, line)
            elif kind in RECORD_TYPES:
                self.passed_over[kind] += 1
            else:
                self.report(position, "record", "not a record this format has")

    def _decode_one(self, position: int, claimed: int, line: str) -> Iterator[tuple[int, Record]]:
        following = [self.line(below) for below in range(position + 1, claimed + 1)]
        try:
            yield position, decode_record(line, following)
        except RecordError as error:
            self.defects.append(error.defect(self.name, self.number(position)))

    def _last_continuation(self, position: int, line: str, kind: str) -> int:
        """Give the last line of a record: one line of figures follows when more than two values are announced, and
        may follow a record that is passed over whatever it announces.
        """
        below = position + 1
        announced = kind not in COMPARISON_TYPES or read_integer("".join(line.split()[8:9]), 3, 6) is not None
        follows = announced and below < len(self._starts) and _CONTINUATION.fullmatch(self.line(below))
        return below if follows else position

    def report(self, position: int, field: str, reason: str) -> None:
        """Add a defect about a whole line."""
        self.defects.append(Defect(self.name, self.number(position), field, shown(self.line(position)), reason))


_CONTINUATION = re.compile(r"\s*[-+.\d][-+.\dEeDd\s]*", re.ASCII)


def _to_tai(records: _Records, body: _Body, table: LeapTable) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Give TAI epochs, and which of the records have one; the others are reported as defects."""
    system = body.header.time_system
    minus_tai_s = TIME_SYSTEMS[system][1]
    if minus_tai_s is not None:
        for position in records.lines[records.leap].tolist():
            body.report(position, "second", f"{system} time has no second 60")
        return records.count_ns - minus_tai_s * NS_PER_SECOND, ~records.leap
    epochs = np.zeros(len(records.lines), dtype=np.int64)
    kept = np.ones(len(records.lines), dtype=np.bool_)
    known: dict[tuple[int, bool], int | InstantError] = {}
    for row, key in enumerate(zip(records.count_ns.tolist(), records.leap.tolist(), strict=True)):
        found = known[key] if key in known else known.setdefault(key, _utc_to_tai(*key, table))
        if isinstance(found, int):
            epochs[row] = found
        else:
            kept[row] = False
            body.report(int(records.lines[row]), "epoch", str(found))
    return epochs, kept


def _utc_to_tai(count_ns: int, leap: bool, table: LeapTable) -> int | InstantError:
    seconds, ns = divmod(count_ns, NS_PER_SECOND)
    day, second = divmod(seconds, DAY_S)
    if leap:
        day, second = day - 1, second + DAY_S
    try:
        return from_utc_parts(day, second, ns * 10**9, table).ns
    except InstantError as error:
        return error
