"""Files become readings: small ones at once, long ones piece by piece with a progress bar; none fills the memory.

What can be read piece by piece (plain columns, Stable32's data files) may be of any length that its samples allow; of
any other kind a file is read up to `MAX_PLAIN_BYTES`, packed or not, and a longer one is refused in one sentence.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING

from timeball.cli.output import CommandError
from timeball.cli.progress import progress_bar

if TYPE_CHECKING:
    from timeball.formats import ColumnOptions, Kind, Parsed, ReadOptions

HELD_BYTES = 1 << 26  # a file up to here is read at once
PIECE_BYTES = 1 << 22
SHOWN_BYTES = 1 << 21  # from here on a bar is shown


def read_bounded(path: Path) -> bytes:
    """Read a file of any kind; CommandError (exit 1) when it cannot be read or is longer than any that is read."""
    from timeball.formats.compression import MAX_PLAIN_BYTES

    try:
        with path.open("rb") as file:
            size = _size(file)
            if size is None or size <= MAX_PLAIN_BYTES:
                data = file.read(MAX_PLAIN_BYTES + 1)
                if len(data) <= MAX_PLAIN_BYTES:
                    return data
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror}") from error
    raise CommandError(f"{path}: {_too_long(size, None)}")


def read_parsed(
    path: Path,
    options: ReadOptions,
    kind: str | None = None,
) -> Parsed:
    """Recognise and read one file. CommandError (exit 1) when it cannot be read or used.

    kind: what the file is, when that is not to be told from its content.
    """
    from timeball.formats import FormatError

    try:
        with path.open("rb") as file:
            return _parsed(file, path, options, kind)
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror}") from error
    except FormatError as error:
        raise CommandError(str(error)) from error


def _parsed(file: IO[bytes], path: Path, options: ReadOptions, kind: str | None) -> Parsed:
    from timeball.formats import HEAD_BYTES, kind_of, parse
    from timeball.formats.compression import GZIP_MAGIC, MAX_PLAIN_BYTES

    size = _size(file)
    head = file.read(HEAD_BYTES)
    found: Kind | None = None
    if size is not None and size > HELD_BYTES and head[:2] != GZIP_MAGIC:
        found = kind_of(head, str(path), kind, options.columns is not None)
        if found.pieces is not None:
            return _piecewise(file, head, size, path, options, found)
    if size is None or size <= MAX_PLAIN_BYTES:
        data = head + file.read(MAX_PLAIN_BYTES + 1 - len(head))
        if len(data) <= MAX_PLAIN_BYTES:
            # nobody knows how far a parser is; a bar that moves says that it is at work
            with progress_bar(f"reading {path.name}") if len(data) > SHOWN_BYTES else nullcontext():
                return parse(
                    data, str(path), leaps=options.leaps, clocks=options.clocks, columns=options.columns, kind=kind
                )
    raise CommandError(f"{path}: {_too_long(size, found)}")


def _size(file: IO[bytes]) -> int | None:
    """Give the size of a file, None for what has none: a pipe, a device."""
    status = os.fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _too_long(size: int | None, found: Kind | None) -> str:
    from timeball.formats.compression import MAX_PLAIN_BYTES

    what = "" if found is None else f" of {found.title}"
    much = "more" if size is None else f"{size >> 20} MiB{what}, more"
    return f"{much} than the {MAX_PLAIN_BYTES >> 20} MiB that are read at once: cut it into several files"


def _piecewise(file: IO[bytes], head: bytes, size: int, path: Path, options: ReadOptions, kind: Kind) -> Parsed:
    assert kind.pieces is not None
    reader = kind.pieces(str(path), options)
    with progress_bar(f"reading {path.name}") as tell:
        done = 0
        piece = head
        while piece:
            reader.feed(piece)
            done += len(piece)
            _told(tell, done, size)
            piece = file.read(PIECE_BYTES)
        return reader.finish()


def _told(tell: Callable[[int, int], None] | None, done: int, size: int) -> None:
    if tell is not None:
        tell(done, max(done, size))


def held_kind(path: Path, options: ReadOptions, kind: str | None = None) -> Kind:
    """Tell what kind a file is from its beginning, packed or not. CommandError (exit 1) when it is none that is known.

    kind: what it is, when that is not to be told from its content.
    """
    from timeball.formats import HEAD_BYTES, FormatError, kind_of
    from timeball.formats.compression import plain_head

    try:
        with path.open("rb") as file:
            head = plain_head(file.read(HEAD_BYTES), HEAD_BYTES)
        return kind_of(head, str(path), kind, options.columns is not None)
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror}") from error
    except FormatError as error:
        raise CommandError(str(error)) from error


def column_options(
    *, kind: str | None, tau0_s: float | None, unit_s: float | None, nominal_hz: float | None
) -> ColumnOptions | None:
    """Give the options of plain columns that somebody asked for, None when nobody asked for any."""
    from timeball.formats import ColumnOptions

    if (kind, tau0_s, unit_s, nominal_hz) == (None, None, None, None):
        return None
    return ColumnOptions(kind=kind, tau0_s=tau0_s, unit_s=unit_s, nominal_hz=nominal_hz)
