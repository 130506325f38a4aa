"""The header of RINEX clock files: version, time system, analysis centre and reference clocks.

What it does not do: read what else stands there (stations, satellites, calibrations).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from timeball.formats.defects import FormatError, whole_file_error
from timeball.formats.rinex_clock.records import RecordError
from timeball.formats.text_rows import lines_of
from timeball.formats.timescales import TIME_SYSTEMS

_LABELS = (
    "RINEX VERSION / TYPE",
    "TIME SYSTEM ID",
    "ANALYSIS CENTER",
    "ANALYSIS CLK REF",
    "LEAP SECONDS",
    "END OF HEADER",
)


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


def is_rinex_clock(head: bytes) -> bool:
    """Tell from the first line whether a file is RINEX clock data."""
    first = head.split(b"\n", 1)[0]
    return b"RINEX VERSION / TYPE" in first and first[20:21] == b"C"


def read_rinex_header(plain: bytes, name: str) -> Header:
    """Read the header. Raises ``FormatError`` when it is none of this format, or cannot be used."""
    header = Header()
    if not is_rinex_clock(plain[:200]):
        raise whole_file_error(name, plain[:60], "the first line is not that of a RINEX clock file")
    for number, raw in enumerate(lines_of(plain), 1):
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
