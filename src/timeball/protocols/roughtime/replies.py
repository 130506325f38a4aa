"""Replies: what is signed, the packet around it, and the template that all replies of one batch share (RFC 10049, 5.2).

Nothing is decided here: who is answered, and when, is said in server.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from timeball.protocols.roughtime.delegation import OnlineKey
from timeball.protocols.roughtime.merkle import depth_of
from timeball.protocols.roughtime.message import (
    CERT,
    HASH_BYTES,
    INDX,
    MIDP,
    NONC,
    NONCE_BYTES,
    PATH,
    RADI,
    RESPONSE_TYPE,
    ROOT,
    SIG,
    SIGNATURE_BYTES,
    SREP,
    TYPE,
    VER,
    VERS,
    write_message,
    write_packet,
    write_versions,
)
from timeball.protocols.roughtime.moment import Moment
from timeball.protocols.roughtime.versions import response_context

GREASE_BYTES = 16
"""What an undefined tag adds to a reply."""


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


def reply_template(
    versions: tuple[int, ...], number: int, signer: Signer, moment: Moment, root: bytes, leaves: int
) -> bytes:
    """The reply to one of `leaves` requests under `root`, with nonce, path and index still zero.

    They belong at NONCE_AT, at PATH_AT, and in the last four bytes. `number` is the version, one of `versions`.
    """
    form, reply, at = _forms(versions, number, signer.key.certificates[number], depth_of(leaves))
    radius, midpoint = moment.radius_s.to_bytes(4, "little"), moment.midpoint_s.to_bytes(8, "little")
    srep = form[:_RADI_AT] + radius + midpoint + form[_VERS_AT:-HASH_BYTES] + root
    sig = signer.sign(number, srep)
    return reply[:_SIG_AT] + sig + reply[NONCE_AT:at] + srep + reply[at + len(srep) :]


def fill_template(template: bytes, nonce: bytes, path: bytes, index: int) -> bytes:
    """One request's own reply."""
    after = PATH_AT + len(path)
    between = template[NONCE_AT + NONCE_BYTES : PATH_AT]
    return template[:NONCE_AT] + nonce + between + path + template[after:-4] + index.to_bytes(4, "little")


def longest_reply(batch: int, versions: int) -> int:
    """The bytes of the longest reply, grease included: shorter requests cannot be answered."""
    empty = write_reply(bytes(64), bytes(NONCE_BYTES), b"", bytes(88 + 4 * versions), bytes(152), 0)
    return len(empty) + HASH_BYTES * depth_of(batch) + GREASE_BYTES
