"""Cosignatures of checkpoints and subtrees (C2SP tlog-cosignature v1.1.0-rc.1): Ed25519 (0x04) and ML-DSA-44 (0x06).

A cosignature says that at its time the checkpoint was the largest head of that log its cosigner had seen, consistent
with all before. Times are POSIX seconds. The keys, their texts and the signature lines are here; what exactly is signed
is in `cosigned`.
It does not judge consistency (see `witnessing`), nor how many cosignatures are enough (see `policy`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from timeball.ledger import keytext
from timeball.ledger.checkpoint import Checkpoint, parse_checkpoint_text
from timeball.ledger.cosigned import MAX_TIME_S, Kind, check_time, checkpoint_message, opaque, subtree_message
from timeball.ledger.errors import CheckpointError, NoteError
from timeball.ledger.note import ED25519, NoteKey, Verifier, parse_note, parse_signature, write_signature

KINDS: tuple[Kind, ...] = ("ed25519", "ml-dsa-44")
_TYPES: dict[Kind, int] = {"ed25519": 0x04, "ml-dsa-44": 0x06}
_KEY_BYTES: dict[Kind, int] = {"ed25519": 32, "ml-dsa-44": 1312}
_SIGNATURE_BYTES: dict[Kind, int] = {"ed25519": 64, "ml-dsa-44": 2420}


@dataclass(frozen=True, slots=True)
class CosignerKey:
    """The public half of a cosigner's key; `public_key` has 32 (Ed25519) or 1312 bytes (ML-DSA-44)."""

    name: str
    kind: Kind
    public_key: bytes = field(repr=False)

    @property
    def key_id(self) -> bytes:
        """First four bytes of SHA-256(name, newline, type, key): a hint, not an identity."""
        return keytext.key_id(self.name, self._typed)

    @property
    def vkey(self) -> str:
        """The verifier key as text: name+hex id+base64(type ‖ key)."""
        return keytext.write_vkey(self.name, self._typed)

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raise NoteError unless `signature` is this key's cosignature of the checkpoint text `message`.

        One of ML-DSA-44 may tell the time 0: then it says nothing of what is newest, but it is no forgery.
        """
        time_s, raw = self._split(signature)
        self._check(checkpoint_message(self.name, self.kind, _parse(message.decode()), time_s), raw)

    def verify_cosignature(self, checkpoint: Checkpoint | str, signature: bytes) -> int:
        """Verify the cosignature of a checkpoint, or of its text; give its time in POSIX seconds, never 0.

        Raises NoteError: malformed, of no time (ML-DSA-44 allows that for subtrees), not of this key, or text that is
        no checkpoint.
        """
        head = _parse(checkpoint) if isinstance(checkpoint, str) else checkpoint
        time_s, raw = self._split(signature)
        if time_s == 0:
            raise NoteError(f"cosignature of key {self._shown} tells no time")
        self._check(checkpoint_message(self.name, self.kind, head, time_s), raw)
        return time_s

    def verify_subtree(self, origin: str, start: int, end: int, root: bytes, signature: bytes) -> int:
        """Verify an ML-DSA-44 cosignature of the subtree [start, end) with `root`; give its time, 0 for none."""
        if self.kind != "ml-dsa-44":
            raise NoteError(f"key {self._shown} is of a kind that cosigns no subtrees")
        time_s, raw = self._split(signature)
        self._check(subtree_message(self.name, time_s, origin, start, end, root), raw)
        return time_s

    @property
    def _typed(self) -> bytes:
        return bytes([_TYPES[self.kind]]) + self.public_key

    @property
    def _shown(self) -> str:
        return f"{self.name}+{self.key_id.hex()}"

    def _split(self, signature: bytes) -> tuple[int, bytes]:
        expected = 8 + _SIGNATURE_BYTES[self.kind]
        if len(signature) != expected:
            raise NoteError(f"cosignature of key {self._shown} has {len(signature)} bytes, not {expected}")
        time_s = int.from_bytes(signature[:8], "big")
        if time_s > MAX_TIME_S:
            raise NoteError(f"cosignature of key {self._shown} has the time {time_s}, beyond 2^63 - 1")
        return time_s, signature[8:]

    def _check(self, message: bytes, raw: bytes) -> None:
        try:
            if self.kind == "ed25519":
                Ed25519PublicKey.from_public_bytes(self.public_key).verify(raw, message)
            else:
                MLDSA44PublicKey.from_public_bytes(self.public_key).verify(raw, message)
        except InvalidSignature as error:
            raise NoteError(f"invalid cosignature of key {self._shown}") from error


@dataclass(frozen=True, slots=True)
class Cosigner:
    """The private half of a cosigner's key: `seed` has 32 bytes for either kind."""

    name: str
    kind: Kind
    seed: bytes = field(repr=False)

    @property
    def verifier(self) -> CosignerKey:
        """The public half."""
        return CosignerKey(self.name, self.kind, self._private().public_key().public_bytes_raw())

    @property
    def skey(self) -> str:
        """The signer key as text: PRIVATE+KEY+name+hex id+base64(type ‖ seed). A secret."""
        return keytext.write_skey(self.name, self.verifier.key_id, bytes([_TYPES[self.kind]]) + self.seed)

    def cosign_checkpoint(self, checkpoint: Checkpoint, time_s: int) -> bytes:
        """Give the signature bytes, time first; `time_s` is POSIX seconds, not 0."""
        if time_s == 0:
            raise NoteError("a cosignature of a checkpoint tells its time")
        check_time(time_s)
        return self._sign(time_s, checkpoint_message(self.name, self.kind, checkpoint, time_s))

    def cosign_subtree(self, origin: str, start: int, end: int, root: bytes, time_s: int = 0) -> bytes:
        """Give the signature bytes of the subtree [start, end) with `root`; ML-DSA-44 only, and 0 unless start is 0."""
        if self.kind != "ml-dsa-44":
            raise NoteError(f"an {self.kind} cosigner cosigns no subtrees")
        check_time(time_s)
        return self._sign(time_s, subtree_message(self.name, time_s, origin, start, end, root))

    def _sign(self, time_s: int, message: bytes) -> bytes:
        return time_s.to_bytes(8, "big") + self._private().sign(message)

    def _private(self) -> Ed25519PrivateKey | MLDSA44PrivateKey:
        if self.kind == "ed25519":
            return Ed25519PrivateKey.from_private_bytes(self.seed)
        return MLDSA44PrivateKey.from_seed_bytes(self.seed)


def make_cosigner(name: str, seed: bytes, kind: Kind = "ed25519") -> Cosigner:
    """Make a cosigner from a key name and 32 random bytes. A seed serves one cosigner only, and no log."""
    keytext.check_name(name)
    opaque("cosigner name", name)
    if kind not in KINDS:
        raise NoteError(f"a cosigner is of kind {' or '.join(KINDS)}, not {kind!r}")
    if len(seed) != 32:
        raise NoteError(f"the seed of a cosigner has 32 bytes, not {len(seed)}")
    return Cosigner(name, kind, seed)


def parse_cosigner_key(text: str) -> Cosigner:
    """Parse a cosigner's signer key text; raises NoteError without repeating the secret."""
    name, key_id, typed = keytext.split_skey(text)
    cosigner = make_cosigner(name, typed[1:], _kind_of(typed[0], "(secret)"))
    if cosigner.verifier.key_id != key_id:
        raise NoteError(f"signer key id {key_id.hex()} does not belong to its key")
    return cosigner


def parse_cosigner_vkey(text: str) -> CosignerKey:
    """Parse a cosigner's verifier key of type 0x04 or 0x06; raises NoteError, also when the id is not the key's."""
    name, typed = keytext.split_vkey(text)
    kind = _kind_of(typed[0], text)
    opaque("cosigner name", name)
    if len(typed) != 1 + _KEY_BYTES[kind]:
        raise NoteError(f"an {kind} key has {_KEY_BYTES[kind]} bytes, not {len(typed) - 1}: {text!r}")
    return CosignerKey(name, kind, typed[1:])


def parse_log_vkey(text: str) -> NoteKey:
    """Parse the verifier key of a log: Ed25519 (0x01) or ML-DSA-44 (0x06); raises NoteError."""
    name, typed = keytext.split_vkey(text)
    if typed[0] == _TYPES["ml-dsa-44"]:
        return parse_cosigner_vkey(text)
    if typed[0] != ED25519 or len(typed) != 33:
        raise NoteError(f"a log signs with Ed25519 (0x01) or ML-DSA-44 (0x06), not type {typed[0]:#04x}: {text!r}")
    return Verifier(name, typed[1:])


def cosign(checkpoint_text: str, cosigner: Cosigner, time_s: int) -> str:
    """Give one signature line, ending in a newline, for the text of a checkpoint note; raises NoteError."""
    signature = cosigner.cosign_checkpoint(_parse(checkpoint_text), time_s)
    return write_signature(cosigner.name, cosigner.verifier.key_id, signature)


def add_cosignatures(note: bytes, lines: Iterable[str]) -> bytes:
    """Append signature lines (with or without their newline) to a note; a line of the same key replaces the older one.

    It verifies nothing. Raises NoteError for a malformed note or line, or when the note grows beyond its limits.
    """
    parsed = parse_note(note)
    kept = {(known.name, known.key_id, number): known for number, known in enumerate(parsed.signatures)}
    for line in lines:
        added = parse_signature(line.removesuffix("\n"))
        kept = {key: known for key, known in kept.items() if key[:2] != (added.name, added.key_id)}
        kept[added.name, added.key_id, -1] = added
    tail = "".join(write_signature(known.name, known.key_id, known.signature) for known in kept.values())
    grown = (parsed.text + "\n" + tail).encode()
    parse_note(grown)
    return grown


def _kind_of(number: int, shown: str) -> Kind:
    for kind, known in _TYPES.items():
        if known == number:
            return kind
    raise NoteError(f"a cosigner's key is of type 0x04 or 0x06, not {number:#04x}: {shown!r}")


def _parse(text: str) -> Checkpoint:
    try:
        return parse_checkpoint_text(text)
    except CheckpointError as error:
        raise NoteError(f"a cosignature is of a checkpoint: {error}") from error
