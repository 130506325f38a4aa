"""Signed notes (C2SP signed-note v1.0.0) with Ed25519 keys (type 0x01): write, parse, open; texts of keys.

A note is text ending in a newline, an empty line, and signature lines `— NAME base64(key id ‖ signature)`. Signatures
of keys one does not know are ignored; a signature of a key one does know that fails condemns the whole note.
It does not say what the text means (see `checkpoint`), and it knows no cosignature types.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from timeball.ledger.errors import NoteError, UnverifiedNoteError

ED25519 = 0x01
MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 64  # the specification asks for at least 16
_SEPARATOR = b"\n\n"
_DASH = "\u2014 "


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
        return _key_id(self.name, self.public_key)

    @property
    def vkey(self) -> str:
        """The verifier key as text: name+hex id+base64(type ‖ key)."""
        return f"{self.name}+{self.key_id.hex()}+{_b64(bytes([ED25519]) + self.public_key)}"

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
        return f"PRIVATE+KEY+{self.name}+{self.verifier.key_id.hex()}+{_b64(bytes([ED25519]) + self.seed)}"

    def sign(self, message: bytes) -> bytes:
        """Give the 64-byte Ed25519 signature of `message`."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


def make_signer(name: str, seed: bytes) -> Signer:
    """Make a signer from a key name and 32 random bytes."""
    _check_name(name)
    if len(seed) != 32:
        raise NoteError(f"an Ed25519 seed has 32 bytes, not {len(seed)}")
    return Signer(name, seed)


def parse_vkey(text: str) -> Verifier:
    """Parse a verifier key `name+hex id+base64(type ‖ key)`; raises NoteError, also when the id is not the key's."""
    name, key_id, key = _split_key(text.removesuffix("\n"), text)
    verifier = Verifier(name, key)
    if verifier.key_id != key_id:
        raise NoteError(f"verifier key id {key_id.hex()} does not belong to its key: {text!r}")
    return verifier


def parse_skey(text: str) -> Signer:
    """Parse a signer key text; raises NoteError without repeating the secret."""
    if not text.startswith("PRIVATE+KEY+"):
        raise NoteError("a signer key begins with PRIVATE+KEY+")
    name, key_id, seed = _split_key(text.removesuffix("\n").removeprefix("PRIVATE+KEY+"), "(secret)")
    signer = make_signer(name, seed)
    if signer.verifier.key_id != key_id:
        raise NoteError(f"signer key id {key_id.hex()} does not belong to its key")
    return signer


def sign_note(text: str, signers: Iterable[Signer]) -> bytes:
    """Write the signed note of `text` (ending in a newline)."""
    _check_text(text)
    lines = [
        f"{_DASH}{signer.name} {_b64(signer.verifier.key_id + signer.sign(text.encode()))}\n" for signer in signers
    ]
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
    return Note(text, tuple(_parse_signature(line) for line in lines))


def open_note(data: bytes, verifiers: Iterable[Verifier]) -> tuple[str, tuple[Verifier, ...]]:
    """Verify a note: give its text and those of `verifiers` who signed it.

    Raises NoteError when a known key's signature fails, UnverifiedNoteError when no known key signed.
    """
    note = parse_note(data)
    known: dict[tuple[str, bytes], Verifier] = {}
    for verifier in verifiers:
        if known.setdefault((verifier.name, verifier.key_id), verifier) != verifier:
            raise NoteError(f"two known keys share the name and id {verifier.name}+{verifier.key_id.hex()}")
    signed: list[Verifier] = []
    for signature in note.signatures:
        found = known.get((signature.name, signature.key_id))
        if found is None:
            continue
        found.verify(note.text.encode(), signature.signature)
        if found not in signed:
            signed.append(found)
    if not signed:
        names = ", ".join(f"{signature.name}+{signature.key_id.hex()}" for signature in note.signatures)
        raise UnverifiedNoteError(f"no signature of a known key; signed by {names}")
    return note.text, tuple(signed)


def decode_base64(text: str) -> bytes:
    """Decode standard base64 with padding, refusing any other spelling of the same bytes; raises ValueError."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"not base64: {text!r}") from error
    if _b64(data) != text:
        raise ValueError(f"not the canonical base64 of its bytes: {text!r}")
    return data


def _b64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def _key_id(name: str, key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([ED25519]) + key).digest()[:4]


def _check_name(name: str) -> None:
    if not name or "+" in name or any(character.isspace() or not character.isprintable() for character in name):
        raise NoteError(f"a key name is printable text without spaces and '+': {name!r}")


def _check_text(text: str) -> None:
    if not text.endswith("\n"):
        raise NoteError("the text of a note ends in a newline")
    # the specification forbids ASCII control characters other than newline
    if any(character < " " and character != "\n" for character in text):
        raise NoteError("control character in the text of a note")


def _split_key(text: str, shown: str) -> tuple[str, bytes, bytes]:
    # the base64 part may itself contain '+'
    name, _, rest = text.partition("+")
    hexed, _, encoded = rest.partition("+")
    _check_name(name)
    try:
        key_id, data = bytes.fromhex(hexed), decode_base64(encoded)
    except ValueError as error:
        raise NoteError(f"malformed key text: {shown!r}") from error
    if len(hexed) != 8 or hexed != key_id.hex() or not data:
        raise NoteError(f"malformed key text: {shown!r}")
    if data[0] != ED25519 or len(data) != 33:
        raise NoteError(f"only Ed25519 keys (type 0x01, 32 bytes) are known here, not type {data[0]:#04x}: {shown!r}")
    return name, key_id, data[1:]


def _parse_signature(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH):
        raise NoteError(f"a signature line begins with an em dash and a space: {line!r}")
    _check_name(name)
    try:
        data = decode_base64(encoded)
    except ValueError as error:
        raise NoteError(f"malformed signature line: {line!r}") from error
    if len(data) < 5:
        raise NoteError(f"signature line without a signature: {line!r}")
    return NoteSignature(name, data[:4], data[4:])
