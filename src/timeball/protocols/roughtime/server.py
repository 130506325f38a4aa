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

from timeball.protocols.roughtime.delegation import server_id
from timeball.protocols.roughtime.errors import MalformedMessage
from timeball.protocols.roughtime.merkle import build_levels, path_of
from timeball.protocols.roughtime.message import (
    HASH_BYTES,
    NONC,
    NONCE_BYTES,
    REQUEST_TYPE,
    SRV,
    TYPE,
    VER,
    ZZZZ,
    Message,
    parse_message,
    parse_packet,
    versions_of,
)
from timeball.protocols.roughtime.moment import Moment
from timeball.protocols.roughtime.replies import Signer, fill_template, longest_reply, reply_template

LARGEST_REQUEST = 2036
"""Packets of more bytes are not read: what is asked fits into a datagram of 1036."""


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


def make_identity(public_key: bytes, versions: Sequence[int], batch: int) -> Identity:
    """The identity of a server that takes at most `batch` requests under one signature."""
    return Identity(server_id(public_key), tuple(versions), longest_reply(batch, len(versions)))


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
        template = reply_template(
            identity.versions, identity.versions[version], signer, moment, levels[-1][0], len(members)
        )
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
