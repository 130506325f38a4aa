"""Roughtime for all inputs: round trips, the compiled twins' equal answers, and nothing but typed errors."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.roughtime_servers import FakeServer, noise

from timeball.protocols.roughtime import (
    client,
    kernels,
    libcrypto,
    merkle,
    message,
    replies,
    reports,
    server,
    serverlist,
)
from timeball.protocols.roughtime.errors import RoughtimeError

FAKE = FakeServer("a", batch=16)
compiled = pytest.mark.skipif(not libcrypto.FOUND, reason="no libcrypto, or nothing is compiled")

LETTERS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=4)
VALUES = st.integers(0, 16).flatmap(lambda words: st.binary(min_size=4 * words, max_size=4 * words))
MESSAGES = st.dictionaries(LETTERS.map(message.tag), VALUES, min_size=1, max_size=12)
KNOWN = client.build_request(noise("known"), (1,), FAKE.public_key)


@st.composite
def nearly_requests(draw: st.DrawFn) -> bytes:
    """A good request with a few bytes or fields made otherwise."""
    fields = message.parse_message(message.parse_packet(KNOWN))
    for number in draw(st.lists(st.sampled_from(sorted(fields)), max_size=2)):
        fields[number] = draw(VALUES)
    if draw(st.booleans()):
        fields.update(draw(MESSAGES))
    data = bytearray(message.write_packet(message.write_message(fields)))
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, min(len(data), 120) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@settings(deadline=None, max_examples=50)
@given(MESSAGES)
def test_write_then_parse_gives_the_message(pairs: dict[int, bytes]) -> None:
    data = message.write_packet(message.write_message(pairs))
    assert message.parse_message(message.parse_packet(data)) == pairs


@settings(deadline=None, max_examples=50)
@given(st.one_of(st.binary(max_size=200), nearly_requests()))
def test_what_is_accepted_is_written_back_byte_for_byte(data: bytes) -> None:
    with contextlib.suppress(RoughtimeError):
        assert message.write_packet(message.write_message(message.parse_message(message.parse_packet(data)))) == data


@compiled
@settings(deadline=None, max_examples=120)
@given(st.one_of(st.binary(max_size=1100), nearly_requests()))
def test_compiled_reading_is_the_same(data: bytes) -> None:
    row = np.zeros(8 + server.LARGEST_REQUEST + 64, np.uint8)
    row[8 : 8 + len(data[: server.LARGEST_REQUEST])] = np.frombuffer(data[: server.LARGEST_REQUEST], np.uint8)
    identity, found = FAKE.identity, np.zeros(2, np.int64)
    wanted = np.array(identity.versions, np.int64)
    srv = np.frombuffer(identity.srv, np.uint8)
    reason = kernels.read_request(row, 8, len(data), srv, wanted, identity.least_request, found)
    expected = server.read_request(data, identity)
    if isinstance(expected, server.Reason):
        assert reason == expected
    else:
        assert reason == server.Reason.ANSWERED
        nonce = row[found[kernels.NONCE_FOUND] :][:32].tobytes()
        assert server.Asked(int(found[kernels.VERSION_FOUND]), nonce) == expected


@compiled
@settings(deadline=None, max_examples=10)
@given(st.integers(1, 70), st.integers(0, 2**32))
def test_compiled_trees_and_replies_are_the_same(leaves: int, seed: int) -> None:
    requests = [client.build_request(noise(f"{seed} {i}"), (1,)) for i in range(leaves)]
    levels = merkle.build_levels(requests)
    nodes, scratch = np.zeros((2 * leaves + 24, 32), np.uint8), np.zeros(kernels.SCRATCH_BYTES, np.uint8)
    rows = np.zeros((leaves, 8 + len(KNOWN)), np.uint8)
    for i, request in enumerate(requests):
        rows[i, 8:] = np.frombuffer(request, np.uint8)
        kernels.hash_leaf(scratch, rows.reshape(-1), i * rows.shape[1] + 8, len(request), nodes, i)
    root = kernels.grow_tree(scratch, nodes, leaves)
    assert nodes[root].tobytes() == levels[-1][0]
    template = np.frombuffer(noise("template", 420 + 32 * merkle.depth_of(leaves)), np.uint8).copy()
    for index in {0, leaves // 2, leaves - 1}:
        out = np.zeros(1200, np.uint8)
        nonce = server.read_request(requests[index], FAKE.identity)
        assert isinstance(nonce, server.Asked)
        at = index * rows.shape[1] + 8 + requests[index].index(nonce.nonce)
        kernels.fill_reply(out, template, template.size, rows.reshape(-1), at, nodes, leaves, index)
        expected = replies.fill_template(template.tobytes(), nonce.nonce, merkle.path_of(levels, index), index)
        assert out[: template.size].tobytes() == expected
        assert not out[template.size :].any()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(0, 600), st.integers(1, 255)), max_size=3))
def test_any_change_of_a_reply_is_refused_with_a_typed_error(seed: int, changes: list[tuple[int, int]]) -> None:
    request = client.build_request(noise(f"{seed}"), (1,), FAKE.public_key)
    answers = FAKE.answers([request, KNOWN, KNOWN])
    assert isinstance(answers[0], bytes)
    data = bytearray(answers[0])
    for place, mask in changes:
        data[place % len(data)] ^= mask
    try:
        client.verify_reply(request, bytes(data), FAKE.public_key)
    except RoughtimeError:
        assert bytes(data) != answers[0]
    else:
        assert bytes(data) == answers[0]


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=300))
def test_any_bytes_as_a_report_or_a_list_give_typed_errors(data: bytes) -> None:
    for read in (reports.check_report, serverlist.parse_list):
        with contextlib.suppress(RoughtimeError):
            read(data)
