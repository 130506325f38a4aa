"""The server without its sockets: which requests are answered, and one signature a batch and version (RFC 10049, 5).

A request is answered in the first version of the server's preference that it offers; signatures are made for that
version, so a batch is split by version into a tree each. A request that names another long-term key is ignored, and
so is one that is shorter than the longest reply: no reply is ever longer than its request. There are no error replies:
whatever gets no answer ends in a countable reason. The compiled twins in kernels.py give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from timeball.protocols.roughtime.delegation import OnlineKey, server_id
from timeball.protocols.roughtime.errors import MalformedMessage
from timeball.protocols.roughtime.merkle import build_levels, depth_of, path_of
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
    parse_message,
    parse_packet,
    versions_of,
    write_message,
    write_packet,
    write_versions,
)
from timeball.protocols.roughtime.moment import Moment
from timeball.protocols.roughtime.versions import response_context

LARGEST_REQUEST = 2036
"""Packets of more bytes are not read: what is asked fits into a datagram of 1036."""
GREASE_BYTES = 16
"""What an undefined tag adds to a reply."""


class Reason(IntEnum):
    """What became of a packet: answered, or why not."""

    ANSWERED = 0
    TOO_SHORT = 1
    TOO_LONG = 2
    MALFORMED = 3
    OTHER_KEY = 4
    NO_VERSION = 5
    UNSYNCHRONISED = 6
    NO_KEY = 7


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answers: the long-term public key as SRV names it, and the versions spoken, the preferred first."""

    srv: bytes
    versions: tuple[int, ...]
    least_request: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that gets an answer: the index of its version in the preference, and its nonce."""

    version: int
    nonce: bytes


class Signer:
    """An online key ready to sign; `holds_at` says when."""

    def __init__(self, key: OnlineKey) -> None:
        self.key = key
        self._private = Ed25519PrivateKey.from_private_bytes(key.seed)

    def holds_at(self, unix_s: int) -> bool:
        """Whether the key may sign this time."""
        return self.key.holds_at(unix_s)

    def sign(self, version: int, srep: bytes) -> bytes:
        """The value of SIG over SREP, for one version."""
        return self._private.sign(response_context(version) + srep)


def make_identity(public_key: bytes, versions: Sequence[int], batch: int) -> Identity:
    """The identity of a server that takes at most `batch` requests under one signature."""
    return Identity(server_id(public_key), tuple(versions), longest_reply(batch, len(versions)))


def longest_reply(batch: int, versions: int) -> int:
    """The bytes of the longest reply, grease included: shorter requests cannot be answered."""
    empty = write_reply(bytes(64), bytes(NONCE_BYTES), b"", bytes(88 + 4 * versions), bytes(152), 0)
    return len(empty) + HASH_BYTES * depth_of(batch) + GREASE_BYTES


def read_request(data: bytes, identity: Identity) -> Asked | Reason:
    """What a packet asks, or why it gets no answer."""
    if len(data) > LARGEST_REQUEST:
        return Reason.TOO_LONG
    if len(data) < identity.least_request:
        return Reason.TOO_SHORT
    try:
        message = parse_message(parse_packet(data))
        offered = versions_of(message, VER)
    except MalformedMessage:
        return Reason.MALFORMED
    if not _well_formed(message):
        return Reason.MALFORMED
    if message.get(SRV, identity.srv) != identity.srv:
        return Reason.OTHER_KEY
    for index, version in enumerate(identity.versions):
        if version in offered:
            return Asked(index, message[NONC])
    return Reason.NO_VERSION


def _well_formed(message: Message) -> bool:
    padding = message.get(ZZZZ, b"")
    return (
        len(message.get(NONC, b"")) == NONCE_BYTES
        and message.get(TYPE) == REQUEST_TYPE.to_bytes(4, "little")
        and len(message.get(SRV, bytes(HASH_BYTES))) == HASH_BYTES
        and padding.count(0) == len(padding)
    )


def write_srep(version: int, versions: Sequence[int], moment: Moment, root: bytes) -> bytes:
    """The value of SREP: what is signed (RFC 10049, 5.2.5)."""
    return write_message(
        {
            VER: version.to_bytes(4, "little"),
            RADI: moment.radius_s.to_bytes(4, "little"),
            MIDP: moment.midpoint_s.to_bytes(8, "little"),
            VERS: write_versions(tuple(versions)),
            ROOT: root,
        }
    )


def write_reply(sig: bytes, nonce: bytes, path: bytes, srep: bytes, cert: bytes, index: int) -> bytes:
    """A whole reply packet (RFC 10049, 5.2)."""
    message = {
        SIG: sig,
        NONC: nonce,
        TYPE: RESPONSE_TYPE.to_bytes(4, "little"),
        PATH: path,
        SREP: srep,
        CERT: cert,
        INDX: index.to_bytes(4, "little"),
    }
    return write_packet(write_message(message))


NONCE_AT = 12 + 8 * 7 + SIGNATURE_BYTES
PATH_AT = NONCE_AT + NONCE_BYTES + 4
"""Where NONC and PATH stand in a reply: behind the packet's and the message's header, SIG, and TYPE."""
_SIG_AT = NONCE_AT - SIGNATURE_BYTES
_RADI_AT = 8 * 5 + 4
_VERS_AT = _RADI_AT + 4 + 8
"""In SREP: behind its header and VER, then RADI, MIDP, VERS and ROOT in the order of their tags."""


@lru_cache(maxsize=64)
def _forms(versions: tuple[int, ...], version: int, cert: bytes, depth: int) -> tuple[bytes, bytes, int]:
    """SREP and reply with all that is not the same for every batch still zero, and where SREP stands in the reply."""
    srep = write_srep(version, versions, Moment(0, 0), bytes(HASH_BYTES))
    reply = write_reply(bytes(SIGNATURE_BYTES), bytes(NONCE_BYTES), bytes(HASH_BYTES * depth), srep, cert, 0)
    return srep, reply, PATH_AT + HASH_BYTES * depth


def reply_template(identity: Identity, version: int, signer: Signer, moment: Moment, root: bytes, leaves: int) -> bytes:
    """The reply to one of `leaves` requests under `root`, with nonce, path and index still zero.

    They belong at NONCE_AT, at PATH_AT, and in the last four bytes. `version` counts in the identity's preference.
    """
    number = identity.versions[version]
    form, reply, at = _forms(identity.versions, number, signer.key.certificates[number], depth_of(leaves))
    radius, midpoint = moment.radius_s.to_bytes(4, "little"), moment.midpoint_s.to_bytes(8, "little")
    srep = form[:_RADI_AT] + radius + midpoint + form[_VERS_AT:-HASH_BYTES] + root
    sig = signer.sign(number, srep)
    return reply[:_SIG_AT] + sig + reply[NONCE_AT:at] + srep + reply[at + len(srep) :]


def answer_batch(
    requests: Sequence[bytes], identity: Identity, signer: Signer | None, moment: Moment | None
) -> tuple[list[bytes | Reason], list[int]]:
    """The reply to each packet, or why it gets none; and how many answers each version of the identity has.

    `moment` None: not in sync; `signer` None: no key that holds.
    """
    answers: list[bytes | Reason] = []
    groups: list[list[tuple[int, bytes]]] = [[] for _ in identity.versions]
    refused = refusal(signer, moment)
    for place, data in enumerate(requests):
        asked = read_request(data, identity)
        if isinstance(asked, Asked):
            groups[asked.version].append((place, asked.nonce))
            asked = refused
        answers.append(asked)
    if signer is None or moment is None or refused is not Reason.ANSWERED:
        return answers, [0 for _ in groups]
    for version, members in enumerate(groups):
        if not members:
            continue
        levels = build_levels([requests[place] for place, _ in members])
        template = reply_template(identity, version, signer, moment, levels[-1][0], len(members))
        for index, (place, nonce) in enumerate(members):
            answers[place] = fill_template(template, nonce, path_of(levels, index), index)
    return answers, [len(members) for members in groups]


def refusal(signer: Signer | None, moment: Moment | None) -> Reason:
    """Why a good request gets no answer now; ANSWERED when nothing is in the way."""
    if moment is None:
        return Reason.UNSYNCHRONISED
    if signer is None or not signer.holds_at(moment.midpoint_s):
        return Reason.NO_KEY
    return Reason.ANSWERED


def fill_template(template: bytes, nonce: bytes, path: bytes, index: int) -> bytes:
    """One request's own reply."""
    after = PATH_AT + len(path)
    between = template[NONCE_AT + NONCE_BYTES : PATH_AT]
    return template[:NONCE_AT] + nonce + between + path + template[after:-4] + index.to_bytes(4, "little")
