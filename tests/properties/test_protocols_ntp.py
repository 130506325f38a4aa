"""NTP packets for all inputs: round trips, the compiled twin's equal bytes, and nothing but typed errors."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from timeball.protocols.ntp import kernels
from timeball.protocols.ntp import packet as ntp
from timeball.protocols.ntp.extensions import classify_request
from timeball.protocols.ntp.reasons import Reason

U8, U32, U64 = (st.integers(0, 2**n - 1) for n in (8, 32, 64))
I8 = st.integers(-128, 127)
TAI_NS = st.integers(-(2**62), 2**62)
FRAC_FS = st.integers(0, 999_999)
OFFSET_S = st.integers(-100, 200)

PACKETS = st.builds(
    ntp.Packet, st.integers(0, 3), st.integers(0, 7), st.integers(0, 7), U8, I8, I8, U32, U32, U32, U64, U64, U64, U64
)
STATES = st.builds(
    ntp.ServerState,
    leap=st.integers(0, 3),
    stratum=st.integers(0, 15),
    precision=I8,
    root_delay_s=st.floats(allow_nan=True),
    root_dispersion_s=st.floats(allow_nan=True),
    refid=U32,
    reference=U64,
)
REQUESTS = st.builds(
    lambda version, leap, body: bytes([leap << 6 | version << 3 | 3]) + body,
    st.integers(1, 4),
    st.integers(0, 3),
    st.binary(min_size=47, max_size=200),
)


@settings(deadline=None)
@given(PACKETS)
def test_build_then_parse_gives_the_packet(packet: ntp.Packet) -> None:
    assert ntp.parse_packet(ntp.build_packet(packet)) == packet


@settings(deadline=None)
@given(st.binary(min_size=48, max_size=100))
def test_parse_then_build_gives_the_header(data: bytes) -> None:
    assert ntp.build_packet(ntp.parse_packet(data)) == data[:48]


@settings(deadline=None)
@given(st.binary(max_size=100), U64)
def test_any_bytes_give_a_reply_or_a_typed_error(data: bytes, nonce: int) -> None:
    try:
        reply = ntp.parse_reply(data, nonce)
    except ntp.NTPError as error:
        assert error.field  # noqa: PT017
        assert str(error).startswith("NTP ")  # noqa: PT017
    else:
        assert reply.packet.origin == nonce


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_compiled_classification_is_the_same(data: bytes) -> None:
    buffer = np.frombuffer(data.ljust(1300, b"\xff"), np.uint8)
    assert kernels.classify(buffer, len(data)) == classify_request(data)


@settings(deadline=None)
@given(REQUESTS, STATES, U64, U64)
def test_reply_is_never_longer_and_carries_the_stamps(
    request: bytes, state: ntp.ServerState, receive: int, transmit: int
) -> None:
    reply = ntp.build_reply(request, state, receive, transmit)
    packet = ntp.parse_packet(reply)
    assert (packet.receive, packet.transmit, packet.reference) == (receive, transmit, state.reference)
    assert packet.root_delay == kernels.short_format_up(state.root_delay_s)
    assert packet.root_dispersion == kernels.short_format_up(state.root_dispersion_s)
    assert len(reply) == 48 <= len(request)


@settings(deadline=None)
@given(REQUESTS, STATES)
def test_reply_names_its_request_and_is_never_answered_itself(request: bytes, state: ntp.ServerState) -> None:
    reply = ntp.build_reply(request, state, 1, 2)
    assert ntp.parse_packet(reply).origin == ntp.parse_packet(request).transmit
    assert ntp.parse_packet(reply).version == ntp.parse_packet(request).version
    assert classify_request(reply) is Reason.WRONG_MODE


@settings(deadline=None)
@given(TAI_NS, FRAC_FS, OFFSET_S)
def test_timestamp_is_the_exact_quotient_rounded_down(tai_ns: int, frac_fs: int, offset_s: int) -> None:
    exact = Fraction(tai_ns, 10**9) + Fraction(frac_fs, 10**15) - offset_s + ntp.NTP_MINUS_UNIX_S
    assert ntp.ntp_timestamp(tai_ns, frac_fs, offset_s) == exact * 2**32 // 1 % 2**64
    seconds, fraction = kernels.ntp_timestamp(tai_ns, frac_fs, offset_s)
    assert seconds << 32 | fraction == ntp.ntp_timestamp(tai_ns, frac_fs, offset_s)


@settings(deadline=None)
@given(TAI_NS, OFFSET_S, st.integers(-60 * 365 * 86_400, 60 * 365 * 86_400))
def test_timestamp_comes_back_to_the_nanosecond_in_any_era(tai_ns: int, offset_s: int, away_s: int) -> None:
    timestamp = ntp.ntp_timestamp(tai_ns, 0, offset_s)
    assert ntp.tai_ns_from_timestamp(timestamp, offset_s, tai_ns + away_s * 10**9) == tai_ns


@settings(deadline=None)
@given(st.floats(0, 65535.9))
def test_short_format_is_never_less_than_the_value_nor_a_unit_more(value_s: float) -> None:
    units = ntp.short_format_up(value_s)
    assert Fraction(units, 2**16) >= Fraction(value_s)
    assert Fraction(units - 1, 2**16) < Fraction(value_s) or units == 0
    assert kernels.short_format_up(value_s) == units


@settings(deadline=None)
@given(st.integers(-(2**60), 2**60), st.integers(-(10**5), 10**5), st.sampled_from([-1, 0, 1]))
def test_compiled_leap_indicator_is_the_same(leap_tai_ns: int, before_s: int, sign: int) -> None:
    tai_ns = leap_tai_ns - before_s * 10**9
    assert kernels.leap_indicator(tai_ns, leap_tai_ns, sign) == ntp.leap_indicator(tai_ns, leap_tai_ns, sign)
