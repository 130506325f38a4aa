"""The lines of a RINEX clock file below its header: records decoded as arrays where they are in place, else singly."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from timeball.formats.defects import Defect, shown
from timeball.formats.numerals import read_integer
from timeball.formats.rinex_clock.arrays import WIDTH, decode_regular, find_unwanted
from timeball.formats.rinex_clock.header import Header
from timeball.formats.rinex_clock.records import (
    COMPARISON_TYPES,
    MAX_NAME,
    RECORD_TYPES,
    Record,
    RecordError,
    decode_record,
)
from timeball.formats.text_rows import PlaceArray, TextRows

_CONTINUATION = re.compile(r"\s*[-+.\d][-+.\dEeDd\s]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Records:
    """All records of a file as columns, in file order."""

    lines: PlaceArray
    names: list[str]
    count_ns: npt.NDArray[np.int64]
    leap: npt.NDArray[np.bool_]
    x_s: npt.NDArray[np.float64]
    u_s: npt.NDArray[np.float64]


class Body:
    """The lines after the header, and what is found wrong with them."""

    def __init__(self, plain: bytes, header: Header, name: str, clocks: frozenset[str] | None) -> None:
        self.header, self.name, self.clocks = header, name, clocks
        self.defects: list[Defect] = []
        self.passed_over: Counter[str] = Counter()
        self._rows = TextRows(plain, WIDTH + MAX_NAME, header.lines)

    def line(self, position: int) -> str:
        """Give a body line as text."""
        return self._rows.line(position).decode("ascii", "replace")

    def number(self, position: int) -> int:
        """Give the number in the file, from 1, of a body line."""
        return position + self.header.lines + 1

    def decode(self, arrays: bool) -> Records:
        """Decode every record: those that are in place as arrays (when ``arrays``), the others one by one."""
        taken = np.zeros(len(self._rows), dtype=np.bool_)
        if arrays and self.clocks is not None:
            taken = find_unwanted(self._rows, self.clocks)
        regular = decode_regular(self._rows, np.flatnonzero(~taken & arrays), self.header.name_width)
        taken[regular.lines] = True
        single = list(self._decode_singly(taken))
        keep = self.clocks
        chosen = np.array([keep is None or name in keep for name in regular.names], dtype=np.bool_)
        lines = np.concatenate([regular.lines[chosen], np.array([line for line, _ in single], dtype=np.intp)])
        names = np.array(regular.names, dtype=object)[chosen].tolist() + [record.name for _, record in single]
        rest = [record for _, record in single]
        count_ns = np.append(regular.count_ns[chosen], np.array([each.count_ns for each in rest], dtype=np.int64))
        leap = np.zeros(len(names), dtype=np.bool_)
        leap[len(names) - len(rest) :] = [each.leap for each in rest]
        x_s = np.append(regular.x_s[chosen], [each.x_s for each in rest])
        u_s = np.append(regular.u_s[chosen], [each.u_s for each in rest])
        order = np.argsort(lines, kind="stable")
        return Records(
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
        for position in np.flatnonzero(~taken & (self._rows.lengths > 0)).tolist():
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
        follows = announced and below < len(self._rows) and _CONTINUATION.fullmatch(self.line(below))
        return below if follows else position

    def report(self, position: int, field: str, reason: str) -> None:
        """Add a defect about a whole line."""
        self.defects.append(Defect(self.name, self.number(position), field, shown(self.line(position)), reason))
