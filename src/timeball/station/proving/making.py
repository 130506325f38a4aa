"""Making a proof of served time: choose the head, gather the entries, state, verify the whole, hand it out.

A cosigned head is preferred when it covers what the statement needs; the log's own head will do, with a warning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from timeball.instants import LeapTable
from timeball.ledger.checkpoint import open_checkpoint
from timeball.ledger.cosignature import parse_log_vkey
from timeball.ledger.keytext import encode_base64
from timeball.ledger.note import NoteKey, parse_note
from timeball.ledger.proof import TlogProof
from timeball.station.proving import roles
from timeball.station.proving.errors import NothingServedError, UnreachableError
from timeball.station.proving.extra import FORMAT, Extra, write_extra
from timeball.station.proving.gather import View, gather
from timeball.station.proving.moment import Moment, lines_around, make_moment, read_moment
from timeball.station.proving.source import Source
from timeball.station.proving.statement import make_statement
from timeball.station.proving.timestamps import read_token
from timeball.station.proving.verifying import Verified, verify_proof

Stamp = Callable[[bytes], bytes]
"""Gives a time-stamp response over the checkpoint's bytes."""

ALONE = "nobody outside vouches for this checkpoint: it carries the log's own signature and no cosignature"
OPEN = "no later statement covers the moment yet: prove it again in two minutes, or know that the station was off"


@dataclass(frozen=True, slots=True)
class Made:
    """A finished proof: its bytes, what its verification gave, and what the customer must be told."""

    data: bytes
    verified: Verified
    warnings: list[str] = field(default_factory=list)


def make_proof(
    source: Source,
    utc: str,
    leaps: LeapTable,
    stamps: tuple[Stamp, ...] = (),
    vkey: str | None = None,
    kept: bytes | None = None,
) -> Made:
    """Prove what was served at `utc` (text). Raises InstantError, NothingServedError, UnreachableError, LedgerError.

    stamps: whom to ask for a time stamp over the checkpoint that is used. vkey: the log's key; by default the source's.
    kept: a signed checkpoint of this log from elsewhere, to be used instead of those of the source.
    """
    moment = make_moment(utc.strip(), leaps)
    log = _log_key(source, vkey)
    extra, note, path = _best(source, log, moment, _notes(source) if kept is None else [kept])
    tokens = tuple(_stamped(stamp, note) for stamp in stamps)
    served = extra.entries[0].index
    whole = Extra(extra.format, extra.log, extra.moment, extra.leap_seconds, extra.entries, tokens, extra.statement)
    data = TlogProof(served, tuple(path), note, write_extra(whole)).encode()
    verified = verify_proof(data, vkey=log.vkey)
    warnings = [] if len(parse_note(note).signatures) > 1 else [ALONE]
    if not verified.statement["enclosed"]:
        warnings.append(OPEN)
    return Made(data, verified, warnings)


def _notes(source: Source) -> list[bytes]:
    notes = [note for name in source.checkpoints if (note := source.read(name)) is not None]
    if not notes:
        raise UnreachableError(f"{source.name}: no ledger here (no signed checkpoint)")
    return notes


def _best(source: Source, log: NoteKey, moment: Moment, notes: list[bytes]) -> tuple[Extra, bytes, list[bytes]]:
    """The first head under which statements enclose the moment, else the one that shows most."""
    found: list[tuple[Extra, bytes, list[bytes]]] = []
    nothing: NothingServedError | None = None
    for note in notes:
        try:
            extra, path = _extra(source, note, log, moment)
        except NothingServedError as error:
            nothing = error
            continue
        found.append((extra, note, path))
        if extra.statement["enclosed"]:
            return found[-1]
    if not found:
        raise nothing or NothingServedError("no checkpoint")
    return max(found, key=lambda one: len(one[0].entries))  # the first of equals: the cosigned one


def _extra(source: Source, note: bytes, log: NoteKey, moment: Moment) -> tuple[Extra, list[bytes]]:
    view = View(source, open_checkpoint(note, log))
    chosen = gather(view, moment.tai_ns)
    items = {role: view.item(role, index) for role, index in chosen.items()}
    lines = lines_around(moment)
    statement = make_statement(read_moment(moment.text, lines), items)
    entries = tuple(items[role] for role in roles.ROLES if role in items)
    extra = Extra(FORMAT, log.vkey, moment.text, lines, entries, (), statement)
    return extra, view.path(chosen[roles.SERVED])


def _log_key(source: Source, vkey: str | None) -> NoteKey:
    if vkey is None:
        data = source.read("log.vkey")
        if data is None:
            raise UnreachableError(f"{source.name}: no ledger here (no log.vkey)")
        vkey = data.decode("utf-8", "replace").strip()
    return parse_log_vkey(vkey)


def _stamped(stamp: Stamp, note: bytes) -> str:
    response = stamp(note)
    read_token(response, note, "time-stamp token")
    return encode_base64(response)
