"""The files that one end of a link is given as: one, a folder, a pattern, or several joined by commas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from glob import glob
from pathlib import Path

import click

from timeball.cli.output import CommandError


def files_of(text: str, fits: Callable[[bytes], bool], what: str) -> list[Path]:
    """Give the files that an argument names, those of each part in order of name.

    fits: tells a file of the right kind, ``what`` in words, by its head; in a folder or a pattern others are passed
    over, and told. Raises ``CommandError`` for a part that names none.
    """
    parts = [text] if Path(text).exists() else [each.strip() for each in text.split(",") if each.strip()]
    found = [path for part in parts for path in _named(part, fits, what)]
    if not found:
        raise CommandError(f"{text!r} names no file")
    return found


def _named(part: str, fits: Callable[[bytes], bool], what: str) -> Iterator[Path]:
    path = Path(part)
    if path.exists() and not path.is_dir():  # also a pipe
        yield path
        return
    try:
        many = sorted(path.iterdir()) if path.is_dir() else sorted(map(Path, glob(part, recursive=True)))
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror}") from error
    files = [each for each in many if each.is_file()]
    good = [each for each in files if fits(head_of(each))]
    for each in files:
        if each not in good:
            click.echo(f"passed over: {each} is no {what}", err=True)
    if not good and not many and not path.is_dir():
        raise CommandError(f"{part}: no such file or folder, and as a pattern it fits none")
    if not good:
        raise CommandError(f"{part}: no {what} in it")
    yield from good


def head_of(path: Path) -> bytes:
    """Read the beginning of a file, unpacked (nothing of what does not unpack). Raises ``CommandError``."""
    from timeball.formats import HEAD_BYTES
    from timeball.formats.compression import plain_head

    try:
        with path.open("rb") as file:
            return plain_head(file.read(HEAD_BYTES), HEAD_BYTES)
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror}") from error
