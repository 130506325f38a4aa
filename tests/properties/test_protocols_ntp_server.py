"""The NTP server for all inputs: one reason each, no reply longer than its request, no claim beyond what is known."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from timeball.protocols.ntp import kernels, kiss, version5
from timeball.protocols.ntp import packet as ntp
from timeball.protocols.ntp.extensions import build_field, classify_request, parse_fields
from timeball.protocols.ntp.mac import KeyFileError, SymmetricKey, parse_keys, seal_mac
from timeball.protocols.ntp.reasons import Reason
from timeball.protocols.ntp.server import Settings, refuse, respond
from timeball.protocols.ntp.view import TAI, Smear, View, stamp

KEY = SymmetricKey(9, "AES128", bytes(range(16)))
SETTINGS = Settings({9: KEY}, version5=True, reference_filter=version5.reference_filter(bytes(range(15))))
LEAP_NS = 1_483_228_837 * 10**9

U8, U16, U32, U64 = (st.integers(0, 2**n - 1) for n in (8, 16, 32, 64))
INSTANTS = st.builds(TAI, st.integers(-(2**60), 2**60), st.integers(0, 999_999))
VIEWS = st.builds(
    View,
    known=st.booleans(),
    in_sync=st.booleans(),
    receive=INSTANTS,
    transmit=INSTANTS,
    reference=INSTANTS,
    tai_minus_utc_s=st.integers(-100, 200),
    leap_tai_ns=st.sampled_from([0, LEAP_NS]),
    leap_sign=st.sampled_from([-1, 0, 1]),
    stratum=st.integers(1, 15),
    refid=U32,
    precision=st.integers(-32, 0),
    root_delay_s=st.floats(0, 20),
    dispersion_s=st.floats(0, 20),
    smear=st.one_of(st.none(), st.builds(Smear, st.integers(0, 1), st.just(86_400 * 10**9))),
    least_poll=st.integers(-6, 17),
)
KINDS = st.sampled_from([0x0104, 0x0204, 0x0304, 0x0404, 0xF323, 0x2005])
FIELDS = st.builds(build_field, KINDS, st.binary(max_size=80))
HEADERS = st.builds(lambda first, rest: bytes([first]) + rest, U8, st.binary(min_size=47, max_size=47))
CLIENTS = st.builds(lambda v, rest: bytes([v << 3 | 3]) + rest, st.integers(1, 4), st.binary(min_size=47, max_size=47))
ENDS = st.one_of(st.just(b""), st.binary(min_size=20, max_size=20), st.binary(min_size=24, max_size=24), st.binary())
PACKETS = st.builds(
    lambda head, fields, end: head + b"".join(fields) + end, HEADERS, st.lists(FIELDS, max_size=4), ENDS
)
V5_KINDS = st.one_of(st.sampled_from(list(version5.Field)), U16)
V5_FIELDS = st.builds(version5.build_field, V5_KINDS, st.binary(max_size=40))
DRAFT = version5.build_field(version5.Field.DRAFT, version5.DRAFT)
V5_PACKETS = st.builds(
    lambda rest, fields: bytes([5 << 3 | 3]) + rest + b"".join(fields),
    st.binary(min_size=47, max_size=47),
    st.lists(st.one_of(st.just(DRAFT), V5_FIELDS), max_size=5),
)
SIGNED = st.builds(lambda head, fields: seal_mac(KEY, head + b"".join(fields)), CLIENTS, st.lists(FIELDS, max_size=2))
DATAGRAMS = st.one_of(st.binary(max_size=1400), PACKETS, V5_PACKETS, SIGNED)


def mutated(data: bytes, changes: list[tuple[int, int]], cut: int) -> bytes:
    changed = bytearray(data)
    for at, value in changes:
        if changed:
            changed[at % len(changed)] = value
    return bytes(changed[: len(changed) - cut % 8])


MUTATED = st.builds(mutated, DATAGRAMS, st.lists(st.tuples(st.integers(0, 1400), U8), max_size=4), st.integers(0, 100))


class Everything:
    """A store that has an answer for every stamp."""

    def transmit_of(self, receive: int) -> int | None:
        return receive ^ 0xFFFF


@settings(deadline=None, max_examples=80)
@given(st.one_of(DATAGRAMS, MUTATED))
@example(b"\x23" + bytes(47) + bytes(4))
@example(b"\x23" + bytes(47) + struct.pack("!HH", 0x0104, 24) + bytes(20))
@example(b"\x23" + bytes(47) + struct.pack("!HH", 0x0104, 16) + bytes(12) + bytes(20))
@example(b"\x23" + bytes(1233))
def test_compiled_classification_is_the_same_for_any_bytes(data: bytes) -> None:
    reason = classify_request(data)
    buffer = np.frombuffer(data.ljust(1500, b"\x01"), np.uint8)
    assert kernels.classify(buffer, len(data)) == reason
    # a buffer that ends with the datagram: nothing behind it is looked at
    assert kernels.classify(np.frombuffer(data or b"\0", np.uint8), len(data)) == reason


@settings(deadline=None, max_examples=80)
@given(st.one_of(DATAGRAMS, MUTATED), VIEWS)
def test_any_bytes_get_one_reason_and_never_more_than_they_sent(data: bytes, view: View) -> None:
    answer = respond(data, view, SETTINGS, Everything())
    again = respond(data, view, SETTINGS, Everything())
    assert answer == again
    if answer.reply is None:
        assert answer.reason not in (Reason.BASIC, Reason.INTERLEAVED, Reason.MAC, Reason.CRYPTO_NAK)
        return
    assert len(answer.reply) <= len(data)
    assert classify_request(answer.reply) is Reason.WRONG_MODE
    assert answer.reply[0] >> 3 & 7 == data[0] >> 3 & 7


@settings(deadline=None, max_examples=80)
@given(st.one_of(CLIENTS, SIGNED, V5_PACKETS), VIEWS)
def test_no_reply_claims_sync_that_is_not_there(data: bytes, view: View) -> None:
    answer = respond(data, replace(view, in_sync=False), SETTINGS)
    if answer.reply is not None:
        assert answer.reply[0] >> 6 == 3
        assert answer.reply[1] == 0
        if answer.reason is Reason.VERSION5:
            assert not version5.parse_message(answer.reply).header.flags & version5.Flags.SYNCHRONIZED


@settings(deadline=None)
@given(CLIENTS, VIEWS)
def test_basic_reply_carries_origin_and_both_stamps(data: bytes, view: View) -> None:
    answer = respond(data, view)
    assert answer.reason is Reason.BASIC
    packet = ntp.parse_packet(answer.reply or b"")
    assert packet.origin == ntp.parse_packet(data).transmit
    assert (packet.receive, packet.transmit) == (stamp(view, view.receive), stamp(view, view.transmit))


@settings(deadline=None)
@given(CLIENTS, VIEWS)
def test_interleaved_reply_is_the_basic_one_but_for_origin_and_transmit(data: bytes, view: View) -> None:
    asked = ntp.parse_packet(data)
    answer = respond(data, view, interleaved=Everything())
    basic = ntp.parse_packet(respond(data, view).reply or b"")
    if not view.known or asked.origin == 0 or asked.receive == asked.transmit:
        assert ntp.parse_packet(answer.reply or b"") == basic
        return
    assert answer.reason is Reason.INTERLEAVED
    expected = replace(basic, origin=asked.receive, transmit=asked.origin ^ 0xFFFF)
    assert ntp.parse_packet(answer.reply or b"") == expected


@settings(deadline=None)
@given(CLIENTS, st.sampled_from([kiss.RATE, kiss.DENY, kiss.RSTR]), st.integers(-10, 20))
def test_a_kiss_says_its_word_and_tells_no_time(data: bytes, code: int, least_poll: int) -> None:
    asked, packet = ntp.parse_packet(data), ntp.parse_packet(kiss.build_kiss(data, code, least_poll))
    assert (packet.leap, packet.stratum, packet.refid) == (3, 0, code)
    assert {packet.origin, packet.receive, packet.transmit} == {asked.transmit}
    longest = max(min(asked.poll, kiss.LARGEST_POLL), min(least_poll, kiss.LARGEST_POLL))
    assert packet.poll == (longest if code == kiss.RATE else asked.poll)


@settings(deadline=None)
@given(st.one_of(DATAGRAMS, MUTATED))
def test_refusals_go_to_clients_alone(data: bytes) -> None:
    answer = refuse(data, Reason.KISS_DENY, kiss.DENY)
    client = classify_request(data) in (Reason.BASIC, Reason.MAC, Reason.NTS)
    assert (answer.reply is not None) == client == (answer.reason is Reason.KISS_DENY)


@settings(deadline=None)
@given(st.lists(st.tuples(KINDS, st.binary(min_size=24, max_size=64)), max_size=4), ENDS)
def test_fields_that_are_built_are_parsed(fields: list[tuple[int, bytes]], end: bytes) -> None:
    mac = end if len(end) in (20, 24) else b""
    data = b"\x23" + bytes(47) + b"".join(build_field(kind, body) for kind, body in fields) + mac
    found = parse_fields(data)
    assert found.mac == mac
    assert [(field.kind, field.body) for field in found.fields] == [
        (kind, body + bytes(-len(body) % 4)) for kind, body in fields
    ]


@settings(deadline=None)
@given(st.one_of(V5_PACKETS, MUTATED))
def test_version_5_packets_give_a_message_or_a_typed_error(data: bytes) -> None:
    try:
        message = version5.parse_message(data)
    except version5.MalformedVersion5:
        return
    assert version5.build_header(message.header) == data[:48]
    assert 48 <= message.signed_bytes <= len(data)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=60), st.builds(" ".join, st.lists(st.text("0123456789 AESHX:MD\n", max_size=20)))))
def test_files_of_keys_give_keys_or_a_typed_error(text: str) -> None:
    try:
        keys = parse_keys(text)
    except KeyFileError as error:
        assert "line" in str(error)  # noqa: PT017
        return
    assert all(number == key.id and len(key.key) in (16, 32) for number, key in keys.items())
