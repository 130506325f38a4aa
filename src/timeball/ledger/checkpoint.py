"""Checkpoints (C2SP tlog-checkpoint v1.0.0): the signed head of a log: origin, tree size, root hash.

It does not judge whether one head extends another (see `merkle.verify_consistency` and `verify`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass

from timeball.ledger.errors import CheckpointError
from timeball.ledger.keytext import decode_base64
from timeball.ledger.merkle import EMPTY_ROOT
from timeball.ledger.note import NoteKey, Signer, open_note, sign_note

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: `size` leaves under `root` (32 bytes)."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The note text, ending in a newline."""
        lines = [self.origin, str(self.size), base64.b64encode(self.root).decode("ascii"), *self.extensions]
        return "\n".join(lines) + "\n"


def check_origin(origin: str) -> None:
    """Raise CheckpointError unless `origin` may stand in a checkpoint and as a key name."""
    if not origin or "+" in origin or any(c.isspace() or not c.isprintable() for c in origin):
        raise CheckpointError(f"an origin is printable text without spaces and '+': {origin!r}")


def parse_checkpoint_text(text: str) -> Checkpoint:
    """Parse the text of a checkpoint note; raises CheckpointError."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1]:
        raise CheckpointError("a checkpoint has an origin, a size and a root, each on a line")
    origin, size, root, *extensions = lines[:-1]
    check_origin(origin)
    if not _DECIMAL.fullmatch(size) or int(size) >= 2**63:
        raise CheckpointError(f"tree size is not a plain decimal: {size!r}")
    try:
        digest = decode_base64(root)
    except ValueError as error:
        raise CheckpointError(f"root hash: {error}") from error
    if len(digest) != 32:
        raise CheckpointError(f"root hash has {len(digest)} bytes, not 32: {root!r}")
    if any(not line for line in extensions):
        raise CheckpointError("empty extension line")
    if size == "0" and digest != EMPTY_ROOT:
        raise CheckpointError("the root of an empty tree is the SHA-256 of nothing")
    return Checkpoint(origin, int(size), digest, tuple(extensions))


def sign_checkpoint(checkpoint: Checkpoint, signers: Iterable[Signer]) -> bytes:
    """Write the signed checkpoint."""
    check_origin(checkpoint.origin)
    return sign_note(checkpoint.text, signers)


def open_checkpoint(data: bytes, log: NoteKey, origin: str | None = None) -> Checkpoint:
    """Verify a signed checkpoint of the log whose key is `log`; its origin is the key's name unless `origin` is given.

    Raises NoteError or UnverifiedNoteError for the signature, CheckpointError for the text or a foreign origin.
    """
    text, _ = open_note(data, [log])
    checkpoint = parse_checkpoint_text(text)
    expected = log.name if origin is None else origin
    if checkpoint.origin != expected:
        raise CheckpointError(f"checkpoint of origin {checkpoint.origin!r}, expected {expected!r}")
    return checkpoint
