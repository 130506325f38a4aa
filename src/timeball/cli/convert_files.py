"""What `timeball convert` does with files: write one whole or not at all, and read it back to compare."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from timeball.cli.output import CommandError
from timeball.cli.progress import progress_bar
from timeball.cli.reading import HELD_BYTES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from timeball.formats import Kind
    from timeball.readings import Readings

    _Names = NDArray[np.str_]
    _Columns = tuple[NDArray[np.int64], _Names, _Names, NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written, its size on disk, and how long its text is unpacked."""

    path: Path
    size: int
    plain_size: int


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What a file says compared with what was to be written.

    same: to the last bit (None: not compared). largest_difference_s: of x. lost: in words, what it does not hold.
    """

    same: bool | None
    largest_difference_s: float | None
    lost: str


def write_file(path: Path, pieces: Iterable[bytes], rows: int) -> Written:
    """Write a file beside its name and put it there when it is whole. CommandError (exit 1) when it cannot be."""
    from timeball.formats.columns.writer import LINES_A_PIECE

    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    length = 0
    try:
        with draft.open("xb") as raw, progress_bar(f"writing {path.name}") as tell:
            # no name and no time in the gzip header: the same readings give the same bytes
            out = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if path.suffix.lower() == ".gz" else raw
            for number, piece in enumerate(pieces):  # the first is the heading
                length += len(piece)
                out.write(piece)
                if tell is not None:
                    tell(min(rows, number * LINES_A_PIECE), rows)
            if out is not raw:
                out.close()
        size = draft.stat().st_size
        draft.replace(path)
    except OSError as error:
        raise CommandError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            draft.unlink()
    return Written(path, size, length)


def read_back(written: Written, readings: Readings, kind: Kind) -> ReadBack:
    """Read the file again and compare; a long one is not, since it would have to be held a second time."""
    import numpy as np

    from timeball.formats import FormatError, parse
    from timeball.station.hosttime.leaps import load_leap_table

    lost = kind.loses if np.isfinite(readings.u).any() or kind.loses != "uncertainties" else ""
    if written.plain_size > HELD_BYTES:
        return ReadBack(None, None, lost)
    try:
        again = parse(written.path.read_bytes(), str(written.path), leaps=load_leap_table(), kind=kind.key).readings
    except FormatError as error:
        raise CommandError(f"what was written cannot be read back: {error}") from error
    mine, theirs = _ordered(readings), _ordered(again)
    if any(not np.array_equal(one, other) for one, other in zip(mine[:3], theirs[:3], strict=True)):
        raise CommandError(f"{written.path}: reads back with other clocks or epochs than were written")
    largest = float(np.abs(mine[3] - theirs[3]).max()) if len(mine[3]) else 0.0
    same_u = kind.loses == "uncertainties" or np.array_equal(mine[4], theirs[4], equal_nan=True)
    return ReadBack(largest == 0.0 and same_u, largest, "" if largest == 0.0 and lost != "uncertainties" else lost)


def _ordered(readings: Readings) -> _Columns:
    """Give epoch, names of a and b, x and u in one order, whatever the order of the file and its list of clocks."""
    import numpy as np

    names = np.array(readings.clocks)
    a, b = names[readings.a], names[readings.b]
    order = np.lexsort((b, a, readings.epoch))
    return readings.epoch[order], a[order], b[order], readings.x[order], readings.u[order]
