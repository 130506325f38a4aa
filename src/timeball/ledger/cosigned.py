"""What cosigners sign, byte for byte (C2SP tlog-cosignature v1.1.0-rc.1).

Ed25519 signs two lines and the whole text of the checkpoint. ML-DSA-44 signs the cosigner's name, time, origin, start,
end and root in the encoding of RFC 8446, section 3: it names its cosigner and can be given for a subtree, but leaves
extension lines out, so a checkpoint that has some is refused: nobody shall take them for signed.
It holds no keys (see `cosignature`).
"""

from __future__ import annotations

import struct
from typing import Literal

from timeball.ledger.checkpoint import Checkpoint
from timeball.ledger.errors import NoteError, ProofError
from timeball.ledger.merkle import EMPTY_ROOT, HASH_SIZE, check_subtree

Kind = Literal["ed25519", "ml-dsa-44"]
MAX_TIME_S = 2**63 - 1
_LABEL = b"subtree/v1\n\x00"


def check_time(time_s: int) -> None:
    """Raise NoteError unless `time_s` may stand in a cosignature."""
    if not 0 <= time_s <= MAX_TIME_S:
        raise NoteError(f"the time of a cosignature is from 0 to 2^63 - 1 s, not {time_s}")


def opaque(what: str, text: str) -> bytes:
    """Write `text` as opaque<1..255> (RFC 8446, 3.4); raises NoteError."""
    data = text.encode()
    if not 1 <= len(data) <= 255:
        raise NoteError(f"a {what} has 1 to 255 bytes, not {len(data)}: {text!r}")
    return bytes([len(data)]) + data


def checkpoint_message(name: str, kind: Kind, head: Checkpoint, time_s: int) -> bytes:
    """Give what cosigner `name` of `kind` signs of the checkpoint `head` at `time_s`; raises NoteError."""
    if kind == "ed25519":
        return f"cosignature/v1\ntime {time_s}\n{head.text}".encode()
    if head.extensions:
        raise NoteError(f"ML-DSA-44 covers no extension lines, and the checkpoint of {head.origin} has some")
    return subtree_message(name, time_s, head.origin, 0, head.size, head.root)


def subtree_message(name: str, time_s: int, origin: str, start: int, end: int, root: bytes) -> bytes:
    """Give what an ML-DSA-44 cosigner signs of the leaves [start, end) of `origin` under `root`; raises NoteError.

    A subtree that does not begin at leaf 0 is no head, so its time is 0.
    """
    try:
        check_subtree(start, end)
    except ProofError as error:
        raise NoteError(f"no cosignature of it: {error}") from error
    if start and time_s:
        raise NoteError(f"the cosignature of a subtree that begins at leaf {start} tells no time")
    if len(root) != HASH_SIZE:
        raise NoteError(f"a root has {HASH_SIZE} bytes, not {len(root)}")
    if start == end and root != EMPTY_ROOT:
        raise NoteError(f"the root of the empty subtree at {start} is the SHA-256 of nothing")
    head = opaque("cosigner name", name) + struct.pack(">Q", time_s) + opaque("log origin", origin)
    return _LABEL + head + struct.pack(">QQ", start, end) + root
