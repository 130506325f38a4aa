"""Data files of Stable32 (.DAT): a heading, then one phase (s) or fractional frequency a line, evenly spaced.

Sign: as in plain columns, x_clock − x_reference. These files are plain columns with one rule more: a figure 0 is a gap
(in a phase record not if it is the first or the last), and a real zero is written 1e-99. They are known by a heading
that names Stable32; any other file of plain columns is read so when asked (``zero_is_missing``).

What it does not do: write frequency (readings are phases), or tags: a record with gaps keeps its places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from timeball.formats.columns import ColumnOptions, parse_columns
from timeball.formats.columns.lines import read_head
from timeball.formats.columns.reader import MOST_SAMPLES, ColumnsReader
from timeball.formats.columns.sums import REAL_ZERO
from timeball.formats.columns.writer import LINES_A_PIECE, only_pair, write_blocks
from timeball.formats.defects import Parsed, WriteError
from timeball.instants import NS_PER_SECOND, LeapTable
from timeball.readings import Readings

KIND = "stable32"


def is_stable32(head: bytes) -> bool:
    """Tell from its beginning whether a file is one: figures, under a heading that names Stable32."""
    text = head.decode("latin-1")
    start, _, first = read_head(text)
    heading = text[:start]
    return bool(first) and "stable32" in heading.lower() and "sigma type" not in heading.lower()


def parse_stable32(
    data: bytes, name: str, options: ColumnOptions | None = None, leaps: LeapTable | None = None
) -> Parsed:
    """Read a data file; options and errors as of `parse_columns`, gaps as Stable32 marks them."""
    return parse_columns(data, name, stable32_options(options), leaps, kind=KIND)


def stable32_reader(name: str, options: ColumnOptions | None = None, leaps: LeapTable | None = None) -> ColumnsReader:
    """Give the reader that is fed piece by piece."""
    return ColumnsReader(name, stable32_options(options), leaps, kind=KIND)


def stable32_options(options: ColumnOptions | None) -> ColumnOptions:
    """Give the options with Stable32's rule for gaps."""
    return replace(options or ColumnOptions(), zero_is_missing=True)


def write_stable32(readings: Readings) -> Iterator[bytes]:
    """Write the phases of one pair on their even grid, in pieces; what is written parses back to the same readings.

    Raises ``WriteError`` for several pairs, readings that are on no even grid, or a grid mostly of gaps. Uncertainties
    are left out: the format has no room for them.
    """
    clock, reference = only_pair(readings, "a data file of Stable32")
    if any(len(text.split()) != 1 or set(text) & set(",;") for text in (clock, reference)):
        raise WriteError(f"a name with blanks, commas or semicolons cannot be written: {clock!r}, {reference!r}")
    step_ns, places = _grid(readings)
    start_ns = int(readings.epoch.min())
    x = np.zeros(int(places.max()) + 1)
    x[places] = np.where(readings.x == 0, REAL_ZERO, readings.x)
    heading = ["# Stable32 data file", "# Type: Phase", f"# Tau: {_seconds(step_ns)}", "# Unit: s"]
    heading += [f"# Clock: {clock}", f"# Reference: {reference}", f"# start_ns = {start_ns}"]
    lines = (
        repr(value) for start in range(0, len(x), LINES_A_PIECE) for value in x[start : start + LINES_A_PIECE].tolist()
    )
    return write_blocks(heading, lines)


def _grid(readings: Readings) -> tuple[int, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Give the step and the place of each reading; ``WriteError`` when there is no even grid."""
    offsets = readings.epoch - readings.epoch.min()
    steps = np.diff(np.sort(offsets))
    if not np.isfinite(readings.x).all() or int(readings.epoch.min()) < 0 or (steps.size and not steps.min()):
        raise WriteError("a data file of Stable32 wants finite phases, from 1970 on, one at an epoch")
    step_ns = int(np.gcd.reduce(steps)) if steps.size else NS_PER_SECOND
    places = offsets // step_ns
    if int(places.max()) >= min(MOST_SAMPLES, 100 * len(readings)):
        raise WriteError("these readings are on no even grid, or on one that is nearly all gaps: put them on one first")
    return step_ns, places


def _seconds(step_ns: int) -> str:
    return f"{step_ns // NS_PER_SECOND}.{step_ns % NS_PER_SECOND:09d}"
