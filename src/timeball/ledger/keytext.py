"""The texts of note keys (C2SP signed-note v1.0.0): names, ids, `name+id+base64(type ‖ key)`, strict base64.

It knows no algorithm: which types there are and how they sign is said in `note` and `cosignature`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from timeball.ledger.errors import NoteError

SECRET = "PRIVATE+KEY+"


def encode_base64(data: bytes) -> str:
    """Write standard base64 with padding, on one line."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Decode standard base64 with padding, refusing any other spelling of the same bytes; raises ValueError."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"not base64: {text!r}") from error
    if encode_base64(data) != text:
        raise ValueError(f"not the canonical base64 of its bytes: {text!r}")
    return data


def check_name(name: str) -> None:
    """Raise NoteError unless `name` may be the name of a key."""
    if not name or "+" in name or any(character.isspace() or not character.isprintable() for character in name):
        raise NoteError(f"a key name is printable text without spaces and '+': {name!r}")


def key_id(name: str, typed_key: bytes) -> bytes:
    """First four bytes of SHA-256(name, newline, type ‖ public key): a hint, not an identity."""
    return hashlib.sha256(name.encode() + b"\n" + typed_key).digest()[:4]


def write_vkey(name: str, typed_key: bytes) -> str:
    """Write a verifier key; `typed_key` is the type byte and the public key."""
    return f"{name}+{key_id(name, typed_key).hex()}+{encode_base64(typed_key)}"


def write_skey(name: str, id_of_public: bytes, typed_seed: bytes) -> str:
    """Write a signer key: a secret."""
    return f"{SECRET}{name}+{id_of_public.hex()}+{encode_base64(typed_seed)}"


def split_vkey(text: str) -> tuple[str, bytes]:
    """Split a verifier key into name and type ‖ key; raises NoteError, also when the id is not the key's."""
    name, found, typed_key = _split(text.removesuffix("\n"), text)
    if key_id(name, typed_key) != found:
        raise NoteError(f"verifier key id {found.hex()} does not belong to its key: {text!r}")
    return name, typed_key


def split_skey(text: str) -> tuple[str, bytes, bytes]:
    """Split a signer key into name, id and type ‖ seed; raises NoteError without repeating the secret."""
    if not text.startswith(SECRET):
        raise NoteError(f"a signer key begins with {SECRET}")
    return _split(text.removesuffix("\n").removeprefix(SECRET), "(secret)")


def _split(text: str, shown: str) -> tuple[str, bytes, bytes]:
    # the base64 part may itself contain '+'
    name, _, rest = text.partition("+")
    hexed, _, encoded = rest.partition("+")
    try:
        check_name(name)
        found, data = bytes.fromhex(hexed), decode_base64(encoded)
    except (NoteError, ValueError):
        # what was wrong may repeat a part of a secret
        raise NoteError(f"malformed key text: {shown!r}") from None
    if len(hexed) != 8 or hexed != found.hex() or not data:
        raise NoteError(f"malformed key text: {shown!r}")
    return name, found, data
