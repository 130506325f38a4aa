"""The client without its sockets: a request, and what its reply proves (RFC 10049, 5.1 and 5.4).

`verify_reply` raises unless everything holds: a reply that it gives back was signed for this request, after the request
was made, by a key that the long-term key delegated to for the time stated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from timeball.protocols.roughtime.delegation import Delegated, server_id, verify_certificate
from timeball.protocols.roughtime.errors import (
    ForgedResponse,
    MalformedMessage,
    OutsideDelegation,
    UnusableTime,
    WrongNonce,
    WrongRoot,
    WrongVersion,
)
from timeball.protocols.roughtime.merkle import root_of, truncated_hash
from timeball.protocols.roughtime.message import (
    CERT,
    HASH_BYTES,
    INDX,
    MIDP,
    NONC,
    NONCE_BYTES,
    PATH,
    RADI,
    REQUEST_TYPE,
    RESPONSE_TYPE,
    ROOT,
    SIG,
    SIGNATURE_BYTES,
    SREP,
    SRV,
    TYPE,
    VER,
    VERS,
    ZZZZ,
    Message,
    integer_of,
    parse_message,
    parse_packet,
    value_of,
    versions_of,
    write_message,
    write_packet,
    write_versions,
)
from timeball.protocols.roughtime.versions import (
    VERSION_DRAFT,
    VERSIONS,
    delegation_context,
    response_context,
    version_name,
)

REQUEST_MESSAGE_BYTES = 1024
RETRY_FACTOR = 1.5
LONGEST_RETRY_S = 86_400.0
FIRST_QUERY_RETRY_S, FIRST_REPORT_RETRY_S = 1.0, 10.0


@dataclass(frozen=True, slots=True)
class Verified:
    """What a valid reply states: UTC was within `radius_s` of `midpoint_s` (Unix seconds) when it was made.

    `version` it was signed for, `versions` the server says it speaks, `delegated` the key that signed.
    """

    midpoint_s: int
    radius_s: int
    version: int
    versions: tuple[int, ...]
    delegated: Delegated

    @property
    def earliest_s(self) -> int:
        """The time stated was not earlier."""
        return self.midpoint_s - self.radius_s

    @property
    def latest_s(self) -> int:
        """The time stated was not later."""
        return self.midpoint_s + self.radius_s


def build_request(nonce: bytes, versions: Sequence[int] = VERSIONS, public_key: bytes | None = None) -> bytes:
    """A request packet with a message of 1024 bytes; with `public_key` it names the server's long-term key (SRV)."""
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes, not {len(nonce)}")
    pairs = {VER: write_versions(tuple(versions)), NONC: nonce, TYPE: REQUEST_TYPE.to_bytes(4, "little")}
    if public_key is not None:
        pairs[SRV] = server_id(public_key)
    pairs[ZZZZ] = b""
    pairs[ZZZZ] = bytes(max(0, REQUEST_MESSAGE_BYTES - len(write_message(pairs))))
    return write_packet(write_message(pairs))


def chain_nonce(reply: bytes, rand: bytes) -> bytes:
    """The nonce that proves a request was made after `reply` was had: H(reply ‖ rand) (RFC 10049, 8.2)."""
    return truncated_hash(reply + rand)


def request_nonce(request: bytes) -> bytes:
    """The nonce of a request packet. Raises MalformedMessage."""
    return value_of(parse_message(parse_packet(request)), NONC, NONCE_BYTES)


def verify_reply(request: bytes, reply: bytes, public_key: bytes, *, old_contexts: bool = False) -> Verified:
    """What the reply to our request states, if it is valid for the long-term `public_key`.

    `old_contexts`: take version 1 signed with the drafts' contexts, as before RFC 10049. Never for a live reply.
    Raises MalformedMessage, WrongNonce, WrongVersion, ForgedDelegation, ForgedResponse, WrongRoot, SpareIndexBits,
    OutsideDelegation, UnusableTime.
    """
    message = parse_message(parse_packet(reply))
    asked = parse_message(parse_packet(request))
    if integer_of(message, TYPE, 4) != RESPONSE_TYPE:
        raise MalformedMessage("TYPE", integer_of(message, TYPE, 4), f"a reply has {RESPONSE_TYPE}")
    if value_of(message, NONC, NONCE_BYTES) != value_of(asked, NONC, NONCE_BYTES):
        raise WrongNonce("the reply answers another request than ours")
    srep = value_of(message, SREP)
    signed = parse_message(srep)
    version, versions = _checked_version(signed, versions_of(asked, VER))
    spoken_as = VERSION_DRAFT if old_contexts else version
    delegated = verify_certificate(value_of(message, CERT), public_key, delegation_context(spoken_as))
    _check_signature(delegated, value_of(message, SIG, SIGNATURE_BYTES), response_context(spoken_as) + srep)
    if root_of(request, value_of(message, PATH), integer_of(message, INDX, 4)) != value_of(signed, ROOT, HASH_BYTES):
        raise WrongRoot("our request is no leaf of the tree that was signed")
    return _checked_time(signed, version, versions, delegated)


def _checked_version(signed: Message, offered: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    version, versions = integer_of(signed, VER, 4), versions_of(signed, VERS)
    if version not in offered or version not in VERSIONS:
        raise WrongVersion(f"the reply is of version {version_name(version)}, which we did not offer")
    if version not in versions:
        raise WrongVersion(f"the reply is of version {version_name(version)}, which its own list does not have")
    return version, versions


def _check_signature(delegated: Delegated, signature: bytes, signed: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(delegated.public_key).verify(signature, signed)
    except (InvalidSignature, ValueError) as error:
        raise ForgedResponse("the response was not signed by the delegated key for this version") from error


def _checked_time(signed: Message, version: int, versions: tuple[int, ...], delegated: Delegated) -> Verified:
    midpoint_s, radius_s = integer_of(signed, MIDP, 8), integer_of(signed, RADI, 4)
    if radius_s == 0:
        raise UnusableTime("the reply states a radius of zero")
    if not delegated.mint_s <= midpoint_s <= delegated.maxt_s:
        raise OutsideDelegation(
            f"the reply states {midpoint_s}, its key may sign from {delegated.mint_s} to {delegated.maxt_s}"
        )
    return Verified(midpoint_s, radius_s, version, versions, delegated)


def retry_delay_s(failures: int, first_s: float = FIRST_QUERY_RETRY_S) -> float:
    """How long to wait after so many failures in a row: first_s × 1.5^(failures − 1), at most a day (RFC 10049, 8)."""
    if failures <= 0:
        return 0.0
    # 1.5^50 exceeds a day whatever the first delay is
    return float(min(first_s * RETRY_FACTOR ** min(failures - 1, 60), LONGEST_RETRY_S))
