"""The witness protocol without its HTTP (C2SP tlog-witness v1.0.0): the body of add-checkpoint, and its judgement.

`judge` says whether a witness that knows one head of a log may cosign another; a no is a `Refusal` with the protocol's
status code. It stores nothing: whoever calls it must check and store in one step, durably, before answering.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from timeball.ledger.checkpoint import Checkpoint, parse_checkpoint_text
from timeball.ledger.errors import CheckpointError, NoteError, ProofError, Refusal
from timeball.ledger.keytext import decode_base64, encode_base64
from timeball.ledger.merkle import HASH_SIZE, verify_consistency
from timeball.ledger.note import MAX_NOTE_BYTES, NoteKey, open_note, parse_note

MAX_PROOF = 63
MAX_BODY_BYTES = MAX_NOTE_BYTES + 64 * 64
SIZE_TYPE = "text/x.tlog.size"
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request: the signed checkpoint `note`, and the proof that it extends the head of `old_size` leaves."""

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes

    @property
    def origin(self) -> str:
        """The origin that the checkpoint claims; nothing is verified."""
        return self.note.partition(b"\n")[0].decode()


def write_add_checkpoint(old_size: int, proof: Iterable[bytes], note: bytes) -> bytes:
    """Write the body of a request; the proof is empty when `old_size` is 0 or the size of the checkpoint."""
    head = [f"old {old_size}", *map(encode_base64, proof), ""]
    return "".join(line + "\n" for line in head).encode() + note


def parse_add_checkpoint(body: bytes) -> AddCheckpoint:
    """Parse the body of a request; raises Refusal 400, and 403 for a checkpoint whose signature lines are malformed."""
    if len(body) > MAX_BODY_BYTES:
        raise Refusal(400, f"request of {len(body)} bytes is longer than {MAX_BODY_BYTES}\n")
    head, separator, note = body.partition(b"\n\n")
    first, *lines = head.decode("ascii", "replace").split("\n")
    match = _OLD.fullmatch(first)
    if not separator or not match or int(match[1]) >= 2**63:
        raise Refusal(400, "expected an old size line, consistency proof lines, an empty line, and a checkpoint\n")
    if len(lines) > MAX_PROOF:
        raise Refusal(400, f"a consistency proof has at most {MAX_PROOF} lines, not {len(lines)}\n")
    proof = tuple(_hash(line) for line in lines)
    try:
        parse_note(note)
    except NoteError as error:
        if _states_checkpoint(note):
            raise Refusal(403, f"invalid signature: {error}\n") from error
        raise Refusal(400, f"malformed checkpoint: {error}\n") from error
    return AddCheckpoint(int(match[1]), proof, note)


def judge(request: AddCheckpoint, known: Checkpoint | None, keys: Sequence[NoteKey]) -> Checkpoint:
    """Give the checkpoint when a witness may cosign it; raises Refusal 400, 403, 404, 409 or 422.

    `known` is the newest head that this witness cosigned for the request's origin, None for none; `keys` are the keys
    that it trusts for that origin, none for an unknown log. The order of the checks is the specification's.
    """
    head = _signed_head(request, keys)
    if request.old_size > head.size:
        raise Refusal(400, f"old size {request.old_size} is above the checkpoint's {head.size}\n")
    size = known.size if known else 0
    if request.old_size != size:
        raise Refusal(409, f"{size}\n", SIZE_TYPE)
    if known is None or size == 0:
        if request.proof:
            raise Refusal(422, "the consistency proof from size 0 is empty\n")
        return head
    if head.size == size and head.root != known.root:
        raise Refusal(409, f"{size}\n", SIZE_TYPE, fork=True)
    try:
        verify_consistency(size, head.size, request.proof, known.root, head.root)
    except ProofError as error:
        raise Refusal(422, f"bad consistency proof: {error}\n") from error
    return head


def _signed_head(request: AddCheckpoint, keys: Sequence[NoteKey]) -> Checkpoint:
    if not keys:
        raise Refusal(404, f"unknown log: {request.origin}\n")
    try:
        text, _ = open_note(request.note, keys)
    except NoteError as error:
        raise Refusal(403, f"invalid signature: {error}\n") from error
    try:
        return parse_checkpoint_text(text)
    except CheckpointError as error:
        raise Refusal(400, f"malformed checkpoint: {error}\n") from error


def _states_checkpoint(note: bytes) -> bool:
    """Whether the text of a note that does not parse is a checkpoint all the same: then its signatures are at fault."""
    text, separator, _ = note.rpartition(b"\n\n")
    try:
        parse_checkpoint_text(text.decode() + "\n")
    except (UnicodeDecodeError, CheckpointError):
        return False
    return bool(separator)


def _hash(line: str) -> bytes:
    try:
        value = decode_base64(line)
    except ValueError as error:
        raise Refusal(400, f"consistency proof line: {error}\n") from error
    if len(value) != HASH_SIZE:
        raise Refusal(400, f"a hash has {HASH_SIZE} bytes, not {len(value)}: {line!r}\n")
    return value
