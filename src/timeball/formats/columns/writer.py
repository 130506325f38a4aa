"""Plain columns, written in pieces: phases of one pair, tagged with MJD or seconds of TAI.

What is written parses back to the same readings, to the last bit (tags to the ns). What it does not do: hold several
pairs of clocks; a file of plain columns has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt

from timeball.formats.defects import WriteError
from timeball.instants import DAY_NS, MJD_OF_1970, NS_PER_SECOND
from timeball.readings import Readings

LINES_A_PIECE = 1 << 15
IntArray = npt.NDArray[np.int64]


def write_columns(readings: Readings, time: str = "mjd") -> bytes:
    """Write a whole file at once, as `column_pieces` gives it. Raises ``WriteError``."""
    return b"".join(column_pieces(readings, time))


def column_pieces(readings: Readings, time: str = "mjd") -> Iterator[bytes]:
    """Write phases of one clock against one other, tagged with MJD or seconds of TAI, piece by piece.

    Raises ``WriteError`` at once when the readings are not all of one pair, or ``time`` is neither mjd nor seconds.
    """
    if time not in {"mjd", "seconds"}:
        raise WriteError(f"plain columns are tagged in mjd or seconds, not in {time}")
    clock, reference = only_pair(readings, "plain columns")
    if any(len(text.split()) != 1 or set(text) & set(",;") for text in (clock, reference)):
        raise WriteError(f"a name with blanks, commas or semicolons cannot be written: {clock!r}, {reference!r}")
    known_u = bool(np.isfinite(readings.u).any())
    start_ns = max(int(readings.epoch.min()), 0) if time == "seconds" else 0
    head = ["kind = phase", "unit = s", f"time = {time}", f"clock = {clock}", f"reference = {reference}"]
    head += [f"start_ns = {start_ns}"] * (time == "seconds") + ["u_column = 2"] * known_u
    return write_blocks([f"# {line}" for line in head], _lines(readings, time, start_ns, known_u))


def only_pair(readings: Readings, what: str) -> tuple[str, str]:
    """Give the names of the one pair that all readings are of; ``WriteError`` when they are of none or several."""
    if not len(readings):
        raise WriteError(f"{what} cannot be written without a reading")
    if np.any(readings.a != readings.a[0]) or np.any(readings.b != readings.b[0]):
        pairs = len(np.unique(np.stack([readings.a, readings.b]), axis=1).T)
        raise WriteError(f"{what} hold one pair of clocks, and these readings are of {pairs}: choose one with --clock")
    return readings.clocks[int(readings.a[0])], readings.clocks[int(readings.b[0])]


def write_blocks(heading: Iterable[str], lines: Iterable[str]) -> Iterator[bytes]:
    """Join lines into pieces of some MB at most, each line ended with a line feed."""
    yield "".join(f"{line}\n" for line in heading).encode()
    source = iter(lines)
    while block := list(islice(source, LINES_A_PIECE)):
        yield ("\n".join(block) + "\n").encode()


def _lines(readings: Readings, time: str, start_ns: int, known_u: bool) -> Iterator[str]:
    for start in range(0, len(readings), LINES_A_PIECE):
        rows = slice(start, start + LINES_A_PIECE)
        epochs = readings.epoch[rows]
        tags = _mjd_tags(epochs) if time == "mjd" else _second_tags(epochs - start_ns)
        for tag, x, u in zip(tags, readings.x[rows].tolist(), readings.u[rows].tolist(), strict=True):
            yield f"{tag} {x!r} {u!r}" if known_u else f"{tag} {x!r}"


def _mjd_tags(epochs: IntArray) -> list[str]:
    # 15 decimals of a day are 0.1 ns: enough that the nearest nanosecond is the one that was meant.
    unit = 10**15
    counts = ((ns * unit + DAY_NS // 2) // DAY_NS + MJD_OF_1970 * unit for ns in epochs.tolist())
    return [f"{'-' * (count < 0)}{abs(count) // unit}.{abs(count) % unit:015d}" for count in counts]


def _second_tags(offsets_ns: IntArray) -> list[str]:
    return [f"{'-' * (ns < 0)}{abs(ns) // NS_PER_SECOND}.{abs(ns) % NS_PER_SECOND:09d}" for ns in offsets_ns.tolist()]
