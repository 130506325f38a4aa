"""Clock correction files of the pulsar timing program tempo2 (.clk): what to add to one clock's time to get another's.

Sign: a line's figure is x_to − x_from, so a reading is its negative: x_from − x_to. The first line that is not empty
names both, `# UTC(AO) UTC(GPS)`, with a badness behind them that is kept in the header and not used; below stand MJD
and seconds, with remarks behind them. Tags are taken in UTC (`time_scale` of the columns is not known to the format).

tempo2 needs an entry before the first and after the last observation, so many files carry one at MJD 0, 65000 or
99999: such a filler is no measurement and is left out, told as a defect. What it does not do: interpolate, or chain
files (the comparison graph of `readings` does).
"""

from __future__ import annotations

import re

import numpy as np

from timeball.formats.columns import ColumnOptions, parse_columns
from timeball.formats.defects import Defect, Parsed, whole_file_error
from timeball.instants import DAY_NS, MJD_OF_1970, LeapTable
from timeball.readings import Readings

KIND = "tempo2"
FIRST_MJD, LAST_MJD = 36_204, 64_999  # atomic clocks were compared from 1958 on; tempo2's fillers begin at 65000
_HEADING = re.compile(r"#\s*([A-Za-z]\S*)\s+([A-Za-z]\S*)(?:\s+([0-9.]+))?\s*")
# a time scale as these files name it; words of a comment, or of a heading of plain columns, are none
NAME = re.compile(
    r"(?!(?:MJD|DATE|TIME|EPOCH)$)(?:UTC|TAI|TT|TA|UT1|[A-Z]{2,8})(?:\([A-Za-z0-9_-]{1,16}\))?(?:_[A-Za-z0-9]{1,8})?",
    re.ASCII,
)
_FIGURES = re.compile(rb"^[ \t]*[0-9]{1,6}(?:\.[0-9]*)?[ \t]+[-+]?[0-9.]+(?:[eEdD][-+]?[0-9]+)?(?:[ \t\r#]|$)", re.M)


def is_tempo2_clock(head: bytes) -> bool:
    """Tell from its beginning whether a file is one: a heading of two time scales, then comments, MJD and seconds."""
    if _heading(head) is None:
        return False
    return _FIGURES.search(head) is not None or all(line[:1] in (b"#", b"") for line in head.splitlines())


def parse_tempo2_clock(data: bytes, name: str, leaps: LeapTable | None) -> Parsed:
    """Read a file; `header` holds `from`, `to` and `badness` (text, or None).

    leaps: for the tags, which are in UTC. Raises ``FormatError`` when the heading is none or no line can be used.
    """
    heading = _heading(data[: 1 << 12])
    if heading is None:
        raise whole_file_error(name, data[:40], "no heading '# FROM TO' of a tempo2 clock file")
    source, target, badness = heading
    options = ColumnOptions(
        kind="phase", unit_s=1.0, time="mjd", time_scale="UTC", value_column=1, clock=source, reference=target
    )
    parsed = parse_columns(data, name, options, leaps)
    kept, fillers = _without_fillers(parsed.readings, name)
    if not len(kept):
        raise whole_file_error(name, "", "no line of figures but fillers")
    corrections = Readings.from_columns(kept.clocks, kept.epoch, kept.a, kept.b, -kept.x, kept.u)
    header: dict[str, object] = {"from": source, "to": target, "badness": badness}
    return Parsed(corrections, parsed.defects + fillers, KIND, header)


def _heading(head: bytes) -> tuple[str, str, str | None] | None:
    text = head.removeprefix(b"\xef\xbb\xbf").decode("latin-1").lstrip()
    found = _HEADING.fullmatch(text.partition("\n")[0].rstrip("\r"))
    if found is None or found[1] == found[2] or not (NAME.fullmatch(found[1]) and NAME.fullmatch(found[2])):
        return None
    return found[1], found[2], found[3]


def _without_fillers(readings: Readings, name: str) -> tuple[Readings, list[Defect]]:
    """Leave out the entries before there were clocks and long after now."""
    days = readings.epoch // DAY_NS + MJD_OF_1970
    good = (days >= FIRST_MJD) & (days <= LAST_MJD)
    odd = np.unique(days[~good]).tolist()
    return readings.take(good), [Defect(name, 0, "MJD", str(day), "a filler, no measurement") for day in odd]
