"""Audit statements: what an auditor found in a log up to one of its heads, as a signed note (C2SP signed-note).

The text is `timeball audit v1` and then one `name value` a line, in this order: origin, size, root, time, verdict,
index, words, entries, agreed, pending, bounds; then any number of `unchecked FIRST-LAST words`, then of `finding INDEX
words`. It reads and writes bytes and judges nothing. An index of `-` says that no single entry is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from timeball.ledger.errors import LedgerError
from timeball.ledger.keytext import decode_base64, encode_base64
from timeball.ledger.note import NoteKey, Signer, open_note, sign_note

CONTEXT = "timeball audit v1"
AGREES = "agrees"
CONTRADICTION = "contradiction"
CANNOT_CHECK = "cannot check"
VERDICTS = (AGREES, CONTRADICTION, CANNOT_CHECK)
NO_INDEX = "-"
LONGEST_WORDS = 500
MOST_LINES = 200
_NAMES = ("origin", "size", "root", "time", "verdict", "index", "words", "entries", "agreed", "pending", "bounds")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_RANGE = re.compile(r"(0|[1-9][0-9]{0,18})-(0|[1-9][0-9]{0,18})")


class StatementError(LedgerError):
    """A statement of an audit that is malformed; the offending text is named."""


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Entries first … last hold something that could not be checked, and why."""

    first: int
    last: int
    words: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a person should look at, at an entry (None: at no single one)."""

    index: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Statement:
    """What was found up to the head of `size` entries under `root`; `time_s` is the auditor's clock (POSIX s).

    `index` and `words` tell the first contradiction. `agreed` decisions were recomputed and are equal, `pending` ones
    follow from the newest readings and are not recorded yet; `bounds` earlier heads bound the entries' times.
    """

    origin: str
    size: int
    root: bytes
    time_s: int
    verdict: str
    words: str
    index: int | None = None
    entries: int = 0
    agreed: int = 0
    pending: int = 0
    bounds: int = 0
    unchecked: tuple[Unchecked, ...] = field(default=())
    findings: tuple[Finding, ...] = field(default=())

    @property
    def text(self) -> str:
        """The text of the note, ending in a newline."""
        values = (
            self.origin,
            self.size,
            encode_base64(self.root),
            self.time_s,
            self.verdict,
            NO_INDEX if self.index is None else self.index,
            one_line(self.words),
            self.entries,
            self.agreed,
            self.pending,
            self.bounds,
        )
        lines = [CONTEXT, *(f"{name} {value}" for name, value in zip(_NAMES, values, strict=True))]
        lines += [f"unchecked {each.first}-{each.last} {one_line(each.words)}" for each in self.unchecked]
        for found in self.findings:
            lines.append(f"finding {NO_INDEX if found.index is None else found.index} {one_line(found.words)}")
        return "\n".join(lines) + "\n"


def sign_statement(statement: Statement, auditor: Signer) -> bytes:
    """The signed note."""
    return sign_note(statement.text, [auditor])


def open_statement(note: bytes, auditor: NoteKey) -> Statement:
    """Verify a statement of this auditor and read it; raises NoteError or StatementError."""
    text, _ = open_note(note, [auditor])
    return parse_statement(text)


def parse_statement(text: str) -> Statement:
    """Read the text of a statement strictly; raises StatementError."""
    lines = text.split("\n")
    if lines[0] != CONTEXT or len(lines) < len(_NAMES) + 2 or lines[-1]:
        raise StatementError(f"not a statement of an audit: it begins with {lines[0][:60]!r}")
    values = [_value(line, name) for line, name in zip(lines[1:], _NAMES, strict=False)]
    origin, size, root, time_s, verdict, index, words = values[:7]
    entries, agreed, pending, bounds = (
        _number(value, name) for value, name in zip(values[7:], _NAMES[7:], strict=True)
    )
    if verdict not in VERDICTS:
        raise StatementError(f"verdict: one of {', '.join(VERDICTS)}, not {verdict!r}")
    rest = lines[len(_NAMES) + 1 : -1]
    split = next((at for at, line in enumerate(rest) if not line.startswith("unchecked ")), len(rest))
    return _checked(
        text,
        Statement(
            origin,
            _number(size, "size"),
            _root(root),
            _number(time_s, "time"),
            verdict,
            words,
            _index(index),
            entries,
            agreed,
            pending,
            bounds,
            tuple(_unchecked(line) for line in rest[:split]),
            tuple(_finding(line) for line in rest[split:]),
        ),
    )


def one_line(words: str) -> str:
    """Words fit for one line of a note: printable, single blanks, at most 500 characters, never empty."""
    kept = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return kept[:LONGEST_WORDS].rstrip() or NO_INDEX


def shorten(lines: Iterable[Finding]) -> tuple[Finding, ...]:
    """At most 200 findings; the last one then says how many more there are."""
    every = tuple(lines)
    if len(every) <= MOST_LINES:
        return every
    return (*every[: MOST_LINES - 1], Finding(None, f"and {len(every) - MOST_LINES + 1} more"))


def shorten_unchecked(ranges: Iterable[Unchecked]) -> tuple[Unchecked, ...]:
    """At most 200 ranges; the last one then covers all that are left."""
    every = tuple(ranges)
    if len(every) <= MOST_LINES:
        return every
    rest = every[MOST_LINES - 1 :]
    return (*every[: MOST_LINES - 1], Unchecked(rest[0].first, rest[-1].last, f"{len(rest)} ranges in here"))


def _checked(text: str, statement: Statement) -> Statement:
    if statement.text != text:
        raise StatementError("the statement is not written the one way it can be written")
    return statement


def _value(line: str, name: str) -> str:
    found, _, value = line.partition(" ")
    if found != name or not value:
        raise StatementError(f"expected a line of {name}: {line[:60]!r}")
    return value


def _number(text: str, name: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise StatementError(f"{name}: not a plain decimal: {text[:60]!r}")
    return int(text)


def _index(text: str) -> int | None:
    return None if text == NO_INDEX else _number(text, "index")


def _root(text: str) -> bytes:
    try:
        root = decode_base64(text)
    except ValueError as error:
        raise StatementError(f"root: {error}") from error
    if len(root) != 32:
        raise StatementError(f"root: {len(root)} bytes, not 32")
    return root


def _unchecked(line: str) -> Unchecked:
    where, _, words = _value(line, "unchecked").partition(" ")
    match = _RANGE.fullmatch(where)
    if match is None or int(match[1]) > int(match[2]):
        raise StatementError(f"unchecked: not a range of entries: {line[:60]!r}")
    return Unchecked(int(match[1]), int(match[2]), words)


def _finding(line: str) -> Finding:
    where, _, words = _value(line, "finding").partition(" ")
    return Finding(_index(where), words)
