"""Fuzz target: any bytes as a signed note and as key texts. Only NoteError may escape, and no forgery may pass."""

from __future__ import annotations

from timeball.ledger.errors import NoteError
from timeball.ledger.note import make_signer, open_note, parse_note, parse_skey, parse_vkey, sign_note

SIGNER = make_signer("example.com/log", bytes(range(32)))
GENUINE = sign_note("example.com/log\n1\n", [SIGNER])


def target(data: bytes) -> None:
    """Parse, open with a known key, and take the bytes for key texts."""
    try:
        note = parse_note(data)
        assert data.startswith(note.text.encode() + b"\n")
        text, _ = open_note(data, [SIGNER.verifier])
        assert text == "example.com/log\n1\n", "a note nobody signed was opened"
    except NoteError:
        pass
    for parse in (parse_vkey, parse_skey):
        try:
            parse(data.decode("utf-8", "replace"))
        except NoteError:
            continue
