"""Offline proofs of inclusion (C2SP tlog-proof, `.tlog-proof` files): write, parse, verify against a policy.

A proof holds an entry's index, its inclusion path, and a signed and cosigned checkpoint; the entry itself is not in it.
`extra` is not covered by any signature: trust it only as far as it can be checked otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from timeball.ledger.errors import ProofError
from timeball.ledger.keytext import decode_base64, encode_base64
from timeball.ledger.merkle import HASH_SIZE, hash_leaf, verify_inclusion
from timeball.ledger.note import MAX_NOTE_BYTES, parse_note
from timeball.ledger.quorum import CosignedCheckpoint, Policy

HEADER = "c2sp.org/tlog-proof@v1"
SUFFIX = ".tlog-proof"
MAX_PATH = 63  # hashes on the way to the root of a tree of less than 2**63 leaves
MAX_EXTRA_BYTES = 16_000_000
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class TlogProof:
    """Entry `index` is under `checkpoint` (a signed note) by `path`, 32-byte hashes from the leaf's sibling upwards."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """Write the file."""
        lines = [HEADER, f"index {self.index}", *map(encode_base64, self.path), ""]
        if self.extra is not None:
            lines.insert(1, f"extra {encode_base64(self.extra)}")
        return "".join(line + "\n" for line in lines).encode() + self.checkpoint


def parse_tlog_proof(data: bytes) -> TlogProof:
    """Parse a file; raises ProofError with the line, or NoteError for a checkpoint that is no signed note."""
    if len(data) > MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES:
        raise ProofError(f"proof of {len(data)} bytes is too long")
    head, separator, checkpoint = data.partition(b"\n\n")
    if not separator:
        raise ProofError("a proof has an empty line before its checkpoint")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise ProofError(f"proof is not ASCII before its checkpoint: {error}") from error
    if lines[0] != HEADER:
        raise ProofError(f"proof, line 1: expected {HEADER!r}: {lines[0][:80]!r}")
    extra = _extra(lines[1]) if len(lines) > 1 and lines[1].startswith("extra ") else None
    first = 1 if extra is None else 2
    if len(lines) <= first:
        raise ProofError(f"proof, line {first + 1}: expected an index")
    index = _index(lines[first], first + 1)
    hashes = lines[first + 1 :]
    if len(hashes) > MAX_PATH:
        raise ProofError(f"proof with {len(hashes)} hashes, more than {MAX_PATH}")
    path = tuple(_hash(line, number) for number, line in enumerate(hashes, first + 2))
    parse_note(checkpoint)
    return TlogProof(index, path, checkpoint, extra)


def verify_tlog_proof(proof: TlogProof, leaf: bytes, policy: Policy) -> CosignedCheckpoint:
    """Verify that the entry with bytes `leaf` is in a log that `policy` trusts; give the checkpoint that says so.

    Raises NoteError, PolicyError, QuorumError or CheckpointError for the checkpoint, ProofError for the path.
    """
    cosigned = policy.check(proof.checkpoint)
    head = cosigned.checkpoint
    verify_inclusion(hash_leaf(leaf), proof.index, head.size, proof.path, head.root)
    return cosigned


def _extra(line: str) -> bytes:
    try:
        return decode_base64(line.removeprefix("extra "))
    except ValueError as error:
        raise ProofError("proof, line 2: the extra data is not base64") from error


def _index(line: str, number: int) -> int:
    digits = line.removeprefix("index ")
    if not line.startswith("index ") or not _DECIMAL.fullmatch(digits) or int(digits) >= 2**63:
        raise ProofError(f"proof, line {number}: expected `index` and a plain decimal: {line[:80]!r}")
    return int(digits)


def _hash(line: str, number: int) -> bytes:
    try:
        value = decode_base64(line)
    except ValueError as error:
        raise ProofError(f"proof, line {number}: {error}") from error
    if len(value) != HASH_SIZE:
        raise ProofError(f"proof, line {number}: a hash has {HASH_SIZE} bytes, not {len(value)}: {line!r}")
    return value
