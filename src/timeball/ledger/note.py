"""Signed notes (C2SP signed-note v1.0.0): write, parse, open; and Ed25519 keys (type 0x01).

A note is text ending in a newline, an empty line, and signature lines `— NAME base64(key id ‖ signature)`. Signatures
of keys one does not know are ignored; a signature of a key one does know that fails condemns the whole note.
Keys of any kind open a note (`NoteKey`). It does not say what the text means (see `checkpoint`); cosigners' keys are in
`cosignature`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from timeball.ledger import keytext
from timeball.ledger.errors import NoteError, UnverifiedNoteError
from timeball.ledger.keytext import check_name, decode_base64, encode_base64

ED25519 = 0x01
MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 64  # the specification asks for at least 16
_SEPARATOR = b"\n\n"
_DASH = "\u2014 "


class NoteKey(Protocol):
    """The public half of a key that signs notes, whatever its algorithm."""

    @property
    def name(self) -> str:
        """The key's name."""

    @property
    def public_key(self) -> bytes:
        """The key itself, in the bytes of its algorithm."""

    @property
    def key_id(self) -> bytes:
        """The key's 4-byte id."""

    @property
    def vkey(self) -> str:
        """The verifier key as text."""

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raise NoteError unless `signature` is this key's signature of the note text `message`."""


Key = TypeVar("Key", bound=NoteKey)


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: the key's name, its 4-byte id, and the signature bytes."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note, not yet verified: `text` ends in a newline."""

    text: str
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class Verifier:
    """The public half of a note key: `public_key` is the 32-byte Ed25519 key."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """First four bytes of SHA-256(name, newline, type, key): a hint, not an identity."""
        return keytext.key_id(self.name, bytes([ED25519]) + self.public_key)

    @property
    def vkey(self) -> str:
        """The verifier key as text: name+hex id+base64(type ‖ key)."""
        return keytext.write_vkey(self.name, bytes([ED25519]) + self.public_key)

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raise NoteError unless `signature` is this key's signature of `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except InvalidSignature as error:
            raise NoteError(f"invalid signature of key {self.name}+{self.key_id.hex()}") from error


@dataclass(frozen=True, slots=True)
class Signer:
    """The private half of a note key: `seed` is the 32-byte Ed25519 seed."""

    name: str
    seed: bytes

    def __repr__(self) -> str:
        return f"Signer({self.name!r})"

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        return Verifier(self.name, Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw())

    @property
    def skey(self) -> str:
        """The signer key as text: PRIVATE+KEY+name+hex id+base64(type ‖ seed). A secret."""
        return keytext.write_skey(self.name, self.verifier.key_id, bytes([ED25519]) + self.seed)

    def sign(self, message: bytes) -> bytes:
        """Give the 64-byte Ed25519 signature of `message`."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


def make_signer(name: str, seed: bytes) -> Signer:
    """Make a signer from a key name and 32 random bytes."""
    check_name(name)
    if len(seed) != 32:
        raise NoteError(f"an Ed25519 seed has 32 bytes, not {len(seed)}")
    return Signer(name, seed)


def parse_vkey(text: str) -> Verifier:
    """Parse a verifier key `name+hex id+base64(type ‖ key)`; raises NoteError, also when the id is not the key's."""
    name, typed_key = keytext.split_vkey(text)
    _check_type(typed_key, text)
    return Verifier(name, typed_key[1:])


def parse_skey(text: str) -> Signer:
    """Parse a signer key text; raises NoteError without repeating the secret."""
    name, key_id, typed_seed = keytext.split_skey(text)
    _check_type(typed_seed, "(secret)")
    signer = make_signer(name, typed_seed[1:])
    if signer.verifier.key_id != key_id:
        raise NoteError(f"signer key id {key_id.hex()} does not belong to its key")
    return signer


def sign_note(text: str, signers: Iterable[Signer]) -> bytes:
    """Write the signed note of `text` (ending in a newline)."""
    _check_text(text)
    lines = [write_signature(signer.name, signer.verifier.key_id, signer.sign(text.encode())) for signer in signers]
    return (text + "\n" + "".join(lines)).encode()


def parse_note(data: bytes) -> Note:
    """Split a note into text and signatures without verifying any; raises NoteError."""
    if len(data) > MAX_NOTE_BYTES:
        raise NoteError(f"note of {len(data)} bytes is longer than {MAX_NOTE_BYTES}")
    split = data.rfind(_SEPARATOR)
    if split < 0 or not data.endswith(b"\n"):
        raise NoteError("a note needs text, an empty line, and signature lines each ending in a newline")
    try:
        text, tail = data[: split + 1].decode(), data[split + 2 :].decode()
    except UnicodeDecodeError as error:
        raise NoteError(f"note is not UTF-8: {error}") from error
    _check_text(text)
    lines = tail.split("\n")[:-1]
    if not lines:
        raise NoteError("note without a signature line")
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(f"note with {len(lines)} signatures, more than {MAX_SIGNATURES}")
    return Note(text, tuple(parse_signature(line) for line in lines))


def open_note(data: bytes, verifiers: Iterable[Key]) -> tuple[str, tuple[Key, ...]]:
    """Verify a note: give its text and those of `verifiers` who signed it.

    Raises NoteError when a known key's signature fails, UnverifiedNoteError when no known key signed.
    """
    note = parse_note(data)
    signed = tuple(dict.fromkeys(key for key, _ in verify_signatures(note, verifiers)))
    if not signed:
        names = ", ".join(f"{signature.name}+{signature.key_id.hex()}" for signature in note.signatures)
        raise UnverifiedNoteError(f"no signature of a known key; signed by {names}")
    return note.text, signed


def verify_signatures(note: Note, keys: Iterable[Key]) -> list[tuple[Key, bytes]]:
    """Verify what the known `keys` signed: each with its signature bytes, in the note's order; the list may be empty.

    Raises NoteError when a known key's signature fails: that condemns the whole note.
    """
    known: dict[tuple[str, bytes], Key] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise NoteError(f"two known keys share the name and id {key.name}+{key.key_id.hex()}")
    signed: list[tuple[Key, bytes]] = []
    for signature in note.signatures:
        found = known.get((signature.name, signature.key_id))
        if found is not None:
            found.verify(note.text.encode(), signature.signature)
            signed.append((found, signature.signature))
    return signed


def write_signature(name: str, key_id: bytes, signature: bytes) -> str:
    """Write one signature line, ending in a newline."""
    return f"{_DASH}{name} {encode_base64(key_id + signature)}\n"


def parse_signature(line: str) -> NoteSignature:
    """Parse one signature line without its newline; raises NoteError."""
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH):
        raise NoteError(f"a signature line begins with an em dash and a space: {line!r}")
    check_name(name)
    try:
        data = decode_base64(encoded)
    except ValueError as error:
        raise NoteError(f"malformed signature line: {line!r}") from error
    if len(data) < 5:
        raise NoteError(f"signature line without a signature: {line!r}")
    return NoteSignature(name, data[:4], data[4:])


def _check_type(typed_key: bytes, shown: str) -> None:
    if typed_key[0] != ED25519 or len(typed_key) != 33:
        kind = f"{typed_key[0]:#04x}"
        raise NoteError(f"only Ed25519 keys (type 0x01, 32 bytes) sign here, not type {kind}: {shown!r}")


def _check_text(text: str) -> None:
    if not text.endswith("\n"):
        raise NoteError("the text of a note ends in a newline")
    # the specification forbids ASCII control characters other than newline
    if any(character < " " and character != "\n" for character in text):
        raise NoteError("control character in the text of a note")
