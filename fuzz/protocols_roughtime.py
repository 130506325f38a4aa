"""Fuzz target: any bytes as a Roughtime request, reply, report, server list and file of keys. Only typed errors escape.

The compiled reader must say what the plain one says, whatever the bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import numpy as np

from timeball.protocols.roughtime import client, delegation, kernels, message, replies, reports, server, serverlist
from timeball.protocols.roughtime.errors import RoughtimeError
from timeball.protocols.roughtime.moment import Moment
from timeball.protocols.roughtime.versions import VERSIONS

SEED, ONLINE = b"\x01" * 32, b"\x02" * 32
KEY = delegation.public_key_of(SEED)
IDENTITY = server.make_identity(KEY, VERSIONS, 64)
SIGNER = replies.Signer(delegation.delegate(SEED, ONLINE, 0, 2**40, VERSIONS))
MOMENT = Moment(1_800_000_000, 1)
REQUEST = client.build_request(bytes(32), VERSIONS, KEY)
_SRV = np.frombuffer(IDENTITY.srv, np.uint8)
_VERSIONS = np.array(IDENTITY.versions, np.int64)


def seeds() -> Iterable[bytes]:
    """A request of each version and their replies."""
    for versions in (VERSIONS, VERSIONS[1:]):
        request = client.build_request(bytes(32), versions, KEY)
        yield request
        yield _answer(request)


def _answer(request: bytes) -> bytes:
    answers, _ = server.answer_batch([request], IDENTITY, SIGNER, MOMENT)
    return answers[0] if isinstance(answers[0], bytes) else b""


def target(data: bytes) -> None:
    """Read a request twice and answer it; take the bytes for everything else that comes from outside."""
    _read_twice(data)
    if reply := _answer(data):
        assert len(reply) <= len(data)
        assert client.verify_reply(data, reply, KEY).midpoint_s == MOMENT.midpoint_s
    with contextlib.suppress(RoughtimeError):
        assert message.write_packet(message.write_message(message.parse_message(message.parse_packet(data)))) == data
    with contextlib.suppress(RoughtimeError):
        client.verify_reply(REQUEST, data, KEY)
    text = data.decode("utf-8", "replace")
    for parse in (reports.check_report, serverlist.parse_list, delegation.parse_delegations):
        with contextlib.suppress(RoughtimeError):
            parse(text)
    with contextlib.suppress(RoughtimeError):
        delegation.parse_long_term_key(text)


def _read_twice(data: bytes) -> None:
    row = np.zeros(8 + server.LARGEST_REQUEST + 4, np.uint8)
    taken = data[: server.LARGEST_REQUEST]
    row[8 : 8 + len(taken)] = np.frombuffer(taken, np.uint8)
    found = np.zeros(2, np.int64)
    reason = kernels.read_request(row, 8, len(data), _SRV, _VERSIONS, IDENTITY.least_request, found)
    asked = server.read_request(data, IDENTITY)
    if isinstance(asked, server.Reason):
        assert reason == asked
    else:
        nonce = row[found[kernels.NONCE_FOUND] :][:32].tobytes()
        assert (reason, int(found[kernels.VERSION_FOUND]), nonce) == (0, asked.version, asked.nonce)
