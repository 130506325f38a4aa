"""Signed batches: readings signed where they are taken, by the key of whoever takes them.

The payload is {"batch": {...}, "key": verifier key text, "signature": base64}; the signature is Ed25519 over a context
string and the canonical bytes of the batch, so it cannot be mistaken for a signature of a note or of anything else.
Which key may speak for which stream is the reader's question: `verify_batch` is given the key it must be.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import cast

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from timeball.ledger import canonical
from timeball.ledger.errors import BatchError, NoteError
from timeball.ledger.keytext import decode_base64
from timeball.ledger.note import Signer, Verifier, parse_vkey

CONTEXT = b"timeball signed batch v1\x00"

Json = dict[str, object]


def sign_batch(batch: Json, key: Signer) -> Json:
    """Wrap and sign a batch; raises CanonicalError when it cannot stand in the ledger."""
    signature = key.sign(CONTEXT + canonical.encode(batch))
    return {"batch": batch, "key": key.verifier.vkey, "signature": base64.b64encode(signature).decode("ascii")}


def batch_key(payload: Json) -> Verifier:
    """The key a signed batch claims; raises BatchError. Claimed is not verified."""
    if set(payload) != {"batch", "key", "signature"}:
        raise BatchError(f"a signed batch has batch, key and signature, not {sorted(payload)}")
    try:
        return parse_vkey(str(payload["key"]))
    except NoteError as error:
        raise BatchError(f"key of a signed batch: {error}") from error


def verify_batch(payload: Json, public_key: Verifier) -> Json:
    """Give the batch when `public_key` signed it; raises BatchError otherwise."""
    if batch_key(payload) != public_key:
        raise BatchError(f"batch claims key {payload['key']}, expected {public_key.vkey}")
    batch = payload["batch"]
    if not isinstance(batch, dict):
        raise BatchError("the batch of a signed batch is not an object")
    try:
        public_key.verify(CONTEXT + canonical.encode(batch), decode_base64(str(payload["signature"])))
    except (NoteError, ValueError) as error:
        raise BatchError(f"signature of a batch: {error}") from error
    return cast("Json", batch)


class _Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The members of a signed batch, in the order of canonical JSON."""

    batch: msgspec.Raw
    key: str
    signature: str


_DECODER = msgspec.json.Decoder(_Signed)
_ENCODER = msgspec.json.Encoder()


def read_signed(payload: bytes, public_key: Verifier) -> bytes | None:
    """`verify_batch` on the bytes of an entry: the batch's bytes when `public_key` signed exactly these.

    None for anything else, good or bad: that is for `verify_batch`, which says what is wrong. The bytes are canonical
    apart from the batch, of which only the signer has said so.
    """
    try:
        signed = _DECODER.decode(payload)
        if signed.key != _vkey(public_key) or _ENCODER.encode(signed) != payload:
            return None
        batch = bytes(signed.batch)
        _ed25519(public_key.public_key).verify(decode_base64(signed.signature), CONTEXT + batch)
    except (msgspec.DecodeError, UnicodeDecodeError, InvalidSignature, ValueError):
        return None
    return batch


@lru_cache(maxsize=16)
def _vkey(key: Verifier) -> str:
    return key.vkey


@lru_cache(maxsize=16)
def _ed25519(public_key: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public_key)


def is_batch(payload: object) -> bool:
    """Whether a payload has the outer form of a signed batch."""
    return isinstance(payload, dict) and "batch" in payload and "signature" in payload
