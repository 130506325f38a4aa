"""The cosigner's own keys, one file a kind in the witness's folder, made at first use and never given away.

Losing them means a new witness with a new key, which every policy that names it must be told.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from timeball.ledger.cosignature import KINDS, Cosigner, make_cosigner, parse_cosigner_key
from timeball.ledger.cosigned import Kind
from timeball.ledger.errors import NoteError
from timeball.station.recording.keys import keep_secret, key_path


def load_cosigners(state: Path) -> list[Cosigner]:
    """The keys that are there; raises NoteError for a file that holds none."""
    return [load_cosigner(state, kind) for kind in KINDS if key_path(state, kind).exists()]


def load_cosigner(state: Path, kind: Kind) -> Cosigner:
    """The key of a kind; raises NoteError."""
    try:
        cosigner = parse_cosigner_key(key_path(state, kind).read_text("ascii").strip())
    except UnicodeDecodeError as error:
        raise NoteError(f"{key_path(state, kind)} holds no signer key") from error
    if cosigner.kind != kind:
        raise NoteError(f"{key_path(state, kind)} holds a key of kind {cosigner.kind}")
    return cosigner


def make_cosigners(state: Path, name: str, kinds: Sequence[Kind]) -> list[Cosigner]:
    """Load the keys of these kinds, making those that are missing under `name`; raises NoteError."""
    for kind in kinds:
        if not key_path(state, kind).exists():
            keep_secret(key_path(state, kind), make_cosigner(name, secrets.token_bytes(32), kind).skey)
    return [load_cosigner(state, kind) for kind in kinds]
