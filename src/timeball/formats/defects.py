"""What every parser of this room returns and raises: readings, defects, and one typed error.

A bad line becomes a :class:`Defect` and the good lines around it survive; :class:`FormatError` is raised only when a
file gives nothing that can be used. Nothing else may escape from a parser, whatever the bytes are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from timeball.readings import Readings

TEXT_SHOWN = 80  # characters of an offending text that a message repeats


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing wrong with one line: ``line`` counts from 1, and is 0 when the whole file is meant.

    lines: how many lines were left out for it: 0 for one that was used all the same, many where only the first of very
    many are told one by one.
    """

    file: str
    line: int
    field: str
    text: str
    reason: str
    lines: int = 1

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.field} {self.text!r}: {self.reason}"


class FormatError(ValueError):
    """A file that gives nothing usable; ``defect`` says where and why."""

    def __init__(self, defect: Defect) -> None:
        super().__init__(str(defect))
        self.defect = defect


class WriteError(ValueError):
    """Readings that a format cannot hold; the fault is on our side, not in a file."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed file: its readings in file order, what was wrong, what kind of file it was, what its header says."""

    readings: Readings
    defects: list[Defect]
    kind: str
    header: dict[str, object] = field(default_factory=dict)


def shown(text: str | bytes) -> str:
    """Cut an offending text to what a message may repeat."""
    plain = text.decode("ascii", "replace") if isinstance(text, bytes) else text
    return plain if len(plain) <= TEXT_SHOWN else plain[: TEXT_SHOWN - 1] + "…"


def whole_file_error(file: str, text: str | bytes, reason: str) -> FormatError:
    """Build the error for a file that is no use as a whole."""
    return FormatError(Defect(file, 0, "file", shown(text), reason))
