"""Ledger entries: the public envelope (the leaf of the tree) and the payload it commits to.

The leaf is the canonical JSON of the envelope; its `digest` is SHA-256(salt ‖ payload), with a random salt of 16 to 32
bytes, so that the payload can be published, kept apart or erased while the tree stays whole. It knows nothing of what a
type's payload contains.
"""

from __future__ import annotations

import binascii
import hashlib
from typing import Annotated

import msgspec

from timeball.ledger import canonical
from timeball.ledger.errors import EntryError
from timeball.ledger.keytext import decode_base64

MIN_SALT = 16
MAX_SALT = 32
_NAME = r"^[a-z][a-z0-9_.:/-]{0,63}\Z"

Name = Annotated[str, msgspec.Meta(pattern=_NAME)]
Count = Annotated[int, msgspec.Meta(ge=1, le=canonical.MAX_INTEGER)]
Index = Annotated[int, msgspec.Meta(ge=0, le=canonical.MAX_INTEGER)]


class Envelope(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """The public part of an entry. Fields stand in the order of canonical JSON, so encoding needs no sorting.

    `by` is the stream that speaks, `seq` counts its entries from 1 without a gap, `time` is the recorder's clock (ns of
    TAI as a decimal string, never below the entry before), `supersedes` the index of an entry this one corrects.
    """

    by: Name
    digest: str
    seq: Count
    supersedes: Index | None = None
    time: Annotated[str, msgspec.Meta(pattern=r"^(0|[1-9][0-9]{0,18})\Z")]
    type: Name
    version: Count

    @property
    def time_ns(self) -> int:
        """The recorder's clock, ns of TAI since 1970-01-01 00:00:00 TAI."""
        return int(self.time)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Envelope)


def make_envelope(
    *,
    by: str,
    seq: int,
    time_ns: int,
    type: str,  # noqa: A002 (the field's name in the format)
    version: int,
    salt: bytes,
    payload: bytes,
    supersedes: int | None = None,
) -> Envelope:
    """Make and check an envelope over canonical payload bytes; raises EntryError."""
    envelope = Envelope(
        by=by,
        digest=_base64(digest_payload(salt, payload)),
        seq=seq,
        supersedes=supersedes,
        time=str(time_ns),
        type=type,
        version=version,
    )
    try:
        _DECODER.decode(_ENCODER.encode(envelope))
    except msgspec.ValidationError as error:
        raise EntryError(f"not an envelope: {error}") from error
    if not 0 <= time_ns < 2**63:
        raise EntryError(f"time is beyond 64 bits: {time_ns}")
    return envelope


def write_envelope(envelope: Envelope) -> bytes:
    """Leaf bytes of an envelope: canonical JSON."""
    return _ENCODER.encode(envelope)


def parse_envelope(leaf: bytes) -> Envelope:
    """Parse leaf bytes strictly; raises EntryError for anything but the canonical bytes of a valid envelope."""
    try:
        envelope = _DECODER.decode(leaf)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EntryError(f"not an envelope: {error}: {leaf[:200]!r}") from error
    if _ENCODER.encode(envelope) != leaf:
        raise EntryError(f"envelope is not in canonical form: {leaf[:200]!r}")
    try:
        digest = decode_base64(envelope.digest)
    except ValueError as error:
        raise EntryError(f"digest: {error}") from error
    if len(digest) != hashlib.sha256().digest_size:
        raise EntryError(f"digest has {len(digest)} bytes, not 32: {envelope.digest!r}")
    if int(envelope.time) >= 2**63:
        raise EntryError(f"time is beyond 64 bits: {envelope.time!r}")
    return envelope


def digest_payload(salt: bytes, payload: bytes) -> bytes:
    """SHA-256(salt ‖ payload); raises EntryError for a salt that is not 16 to 32 bytes long."""
    if not MIN_SALT <= len(salt) <= MAX_SALT:
        raise EntryError(f"a salt has {MIN_SALT} to {MAX_SALT} bytes, not {len(salt)}")
    return hashlib.sha256(salt + payload).digest()


def verify_payload(envelope: Envelope, salt: bytes, payload: bytes) -> None:
    """Raise EntryError unless salt and payload are the ones the envelope commits to."""
    if _base64(digest_payload(salt, payload)) != envelope.digest:
        raise EntryError("salt and payload do not match the digest in the envelope")


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode("ascii")
