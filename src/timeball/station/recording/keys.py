"""The station's own Ed25519 keys: one file per key in STATE/keys, readable by its owner alone.

Keys that people hold are never here; losing this folder means new keys, recorded as such.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from timeball.ledger.note import Signer, make_signer, parse_skey
from timeball.station.supervision.files import sync_folder

DEFAULT_STATION = "timeball.local"


def key_path(state_dir: Path, name: str) -> Path:
    """Where the key of that name stands."""
    return state_dir / "keys" / f"{name}.key"


def load_or_create_key(state_dir: Path, name: str, key_name: str | None = None) -> Signer:
    """Load the key `name` of this station, or make it, durably, under `key_name` or `timeball.local/<name>`.

    Raises NoteError for a file that holds no signer key.
    """
    path = key_path(state_dir, name)
    if path.exists():
        return parse_skey(path.read_text("ascii"))
    signer = make_signer(key_name or f"{DEFAULT_STATION}/{name}", secrets.token_bytes(32))
    return parse_skey(keep_secret(path, signer.skey))


def keep_secret(path: Path, text: str) -> str:
    """Write a secret durably for its owner alone, never over one that another process made meanwhile; give what stands.

    `text` is one line of ASCII without its newline.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        return path.read_text("ascii")
    finally:
        temporary.unlink()
        sync_folder(path.parent)
    return text
