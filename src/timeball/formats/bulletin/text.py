"""The text of a bulletin: its lines, its numbered sections, and numbers of ns as they are printed.

What it does not do: know any one bulletin.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from timeball.formats.compression import plain_bytes
from timeball.formats.defects import Defect, shown, whole_file_error

Line = tuple[int, str]  # number in the file, text
LONGEST_LINE = 1_000
MOST_BYTES = 1 << 24  # of a bulletin; the longest series of a laboratory takes half a megabyte
MJD_RANGE = (41_317, 88_069)  # 1972-01-01, the first of UTC as it is, to 2100
_SECTION = re.compile(r"\s{0,3}(\d)\s+-\s+\S.*", re.ASCII)


def bulletin_lines(data: bytes | str, name: str) -> tuple[list[Line], list[Defect]]:
    """Give a file's lines, numbered from 1, unpacked when they were gzip.

    A line longer than any that a bulletin has is a defect, and left empty: patterns are matched against lines, and
    what that costs must not be for the writer of a file to choose. For the same reason a file of more than
    `MOST_BYTES` is refused: raises ``FormatError``.
    """
    plain, defects = plain_bytes(data.encode() if isinstance(data, str) else data, name)
    if len(plain) > MOST_BYTES:
        raise whole_file_error(
            name, plain[:40], f"{len(plain)} bytes, and a file of this kind has at most {MOST_BYTES}"
        )
    plain = plain.removeprefix(b"\xef\xbb\xbf")
    try:
        text = plain.decode("utf-8")
    except UnicodeDecodeError:
        text = plain.decode("latin-1")  # one character a byte, whatever it is
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = list(enumerate(text.split("\n"), 1))
    for place, (number, line) in enumerate(lines):
        if len(line) > LONGEST_LINE:
            reason = f"longer than {LONGEST_LINE} characters"
            defects.append(Defect(name, number, "line", shown(line.strip()), reason))
            lines[place] = (number, "")
    return lines, defects


def sections(lines: Sequence[Line]) -> dict[int, list[Line]]:
    """Cut the text at its numbered headings, which come in rising order; what stands before the first is left out."""
    parts: dict[int, list[Line]] = {}
    current = 0
    for line in lines:
        heading = _SECTION.fullmatch(line[1])
        if heading and int(heading[1]) > current:
            current = int(heading[1])
        if current:
            parts.setdefault(current, []).append(line)
    return parts


def section_about(parts: dict[int, list[Line]], words: str) -> list[Line] | None:
    """Give the section whose heading, of one line or two, has these words: numbers have changed over the years."""
    for lines in parts.values():
        heading = " ".join(line.strip() for _, line in lines[:2]).lower()
        if words.lower() in heading:
            return lines
    return None


def ns_to_s(text: str) -> float:
    """Give a printed number of ns in s, rounded once: 0.2 is 2e-10 and not 2.0000000000000002e-10."""
    return float(f"{text}e-9")
