"""Fuzz target: any bytes as a cosigner's keys, as a signature line, and as a cosignature. Only NoteError may escape."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from timeball.ledger.checkpoint import Checkpoint
from timeball.ledger.cosignature import (
    KINDS,
    cosign,
    make_cosigner,
    parse_cosigner_key,
    parse_cosigner_vkey,
    parse_log_vkey,
)
from timeball.ledger.errors import NoteError
from timeball.ledger.merkle import hash_leaf
from timeball.ledger.note import parse_signature, write_signature

COSIGNERS = [make_cosigner("w.example", bytes(32), kind) for kind in KINDS]
HEAD = Checkpoint("log.example", 1, hash_leaf(b"a"))
OTHER = Checkpoint("log.example", 1, hash_leaf(b"b"))


def seeds() -> Iterable[bytes]:
    """Keys, lines and cosignatures of another head, of both kinds."""
    for cosigner in COSIGNERS:
        yield cosigner.skey.encode()
        yield cosigner.verifier.vkey.encode()
        yield cosign(OTHER.text, cosigner, 1).encode()
        yield cosigner.cosign_checkpoint(OTHER, 1)


def target(data: bytes) -> None:
    """Keys and lines that are accepted are written back the same; no made-up bytes are a cosignature."""
    text = data.decode("utf-8", "replace").removesuffix("\n")
    with contextlib.suppress(NoteError):
        assert parse_cosigner_key(text).skey == text
    for parse in (parse_cosigner_vkey, parse_log_vkey):
        with contextlib.suppress(NoteError):
            assert parse(text).vkey == text
    with contextlib.suppress(NoteError):
        found = parse_signature(text)
        assert write_signature(found.name, found.key_id, found.signature) == text + "\n"
    for cosigner in COSIGNERS:
        with contextlib.suppress(NoteError):
            cosigner.verifier.verify_cosignature(HEAD, data)
            raise AssertionError("a cosignature nobody gave was accepted")
