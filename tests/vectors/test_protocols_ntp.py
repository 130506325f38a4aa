"""NTP on the wire against vectors: a captured exchange's shape, known instants, and ntplib as an outside reader."""

from __future__ import annotations

import struct

import ntplib
import numpy as np
import pytest

from timeball.protocols.ntp import kernels
from timeball.protocols.ntp import packet as ntp
from timeball.protocols.ntp.extensions import classify_request
from timeball.protocols.ntp.reasons import Reason

S = 1_000_000_000


@pytest.mark.parametrize(
    ("tai_s", "offset_s", "ntp_s"),
    [
        # RFC 5905 figure 4: 1972-01-01 is second 2 272 060 800, 1999-12-31 23:59:59 is 3 155 673 599 of era 0.
        (63_072_000 + 10, 10, 2_272_060_800),
        (946_684_799 + 32, 32, 3_155_673_599),
        # 2036-02-07 06:28:16 UTC begins era 1.
        (2_085_978_496 + 37, 37, 0),
        (2_085_978_495 + 37, 37, 2**32 - 1),
        # 1900-01-01 00:00:00 began era 0.
        (-2_208_988_800, 0, 0),
    ],
)
def test_seconds_of_known_instants(tai_s: int, offset_s: int, ntp_s: int) -> None:
    assert ntp.ntp_timestamp(tai_s * S, 0, offset_s) == ntp_s << 32
    assert kernels.ntp_timestamp(tai_s * S, 0, offset_s) == (ntp_s, 0)


@pytest.mark.parametrize(
    ("ns", "fs", "fraction"),
    [(0, 0, 0), (500_000_000, 0, 2**31), (250_000_000, 0, 2**30), (0, 232_830, 0), (0, 232_831, 1)],
)
def test_fractions_round_down(ns: int, fs: int, fraction: int) -> None:
    # 2⁻³² s = 232 830.64 fs
    assert ntp.ntp_timestamp(ns, fs, 0) & 0xFFFFFFFF == fraction
    assert kernels.ntp_timestamp(ns, fs, 0)[1] == fraction


def test_greatest_fraction_stays_below_the_second() -> None:
    assert ntp.ntp_timestamp(S - 1, 999_999, 0) & 0xFFFFFFFF == 2**32 - 1
    assert kernels.ntp_timestamp(S - 1, 999_999, 0)[1] == 2**32 - 1


@pytest.mark.parametrize(
    ("value_s", "units"),
    [
        (0.0, 0),
        (1e-12, 1),
        (2.0**-16, 1),
        (2.0**-16 * (1 + 2**-50), 2),
        (1.0, 65536),
        (65535.99999, 2**32 - 1 + 0),
        (65536.0, 2**32 - 1),
        (float("inf"), 2**32 - 1),
        (float("nan"), 2**32 - 1),
        (-1.0, 0),
    ],
)
def test_short_format_is_rounded_up(value_s: float, units: int) -> None:
    assert ntp.short_format_up(value_s) == units
    assert kernels.short_format_up(value_s) == units


def test_reply_byte_by_byte() -> None:
    request = bytes.fromhex("1b 00 06 00".replace(" ", "")) + bytes(36) + bytes.fromhex("0123456789abcdef")
    state = ntp.ServerState(1, 10, -24, 0.0, 1.5, 0x7F7F0101, 0xE0000000_80000000)
    reply = ntp.build_reply(request, state, 0xE0000001_00000001, 0xE0000001_00000002)
    expected = (
        "5c0a06e8"  # leap 1, version 3, mode 4; stratum 10; poll 6; precision −24
        "00000000"
        "00018000"
        "7f7f0101"
        "e000000080000000"
        "0123456789abcdef"
        "e000000100000001"
        "e000000100000002"
    )
    assert reply.hex() == expected


def test_unsynchronised_reply_byte_by_byte() -> None:
    request = b"\x23" + bytes(47)
    reply = ntp.build_reply(request, ntp.unsynchronised(-24), 0, 0)
    assert reply[:16].hex() == "e40000e80000000000100000" + b"INIT".hex()
    assert reply[16:] == bytes(32)


def test_ntplib_reads_the_reply_as_meant() -> None:
    state = ntp.ServerState(2, 1, -20, 2**-16, 3 * 2**-16, int.from_bytes(b"TBLL"), 0xE0000000_00000000)
    asked = ntplib.NTPPacket(version=4, mode=3, tx_timestamp=3_900_000_000.25)
    reply = ntp.build_reply(asked.to_data(), state, 3_900_000_001 << 32, 3_900_000_002 << 32)
    stats = ntplib.NTPStats()
    stats.from_data(reply)
    stats.dest_timestamp = 3_900_000_003.25
    assert (stats.leap, stats.version, stats.mode, stats.stratum, stats.precision) == (2, 4, 4, 1, -20)
    assert stats.root_delay == pytest.approx(2**-16)
    assert stats.root_dispersion == pytest.approx(3 * 2**-16)
    assert ntplib.ref_id_to_text(stats.ref_id, stats.stratum) == "Unidentified reference source 'TBLL'"
    assert stats.orig_timestamp == pytest.approx(3_900_000_000.25)
    assert stats.offset == pytest.approx(((1 - 0.25) + (2 - 3.25)) / 2)
    assert stats.delay == pytest.approx(3.0 - 1.0)


def test_our_request_is_one_that_ntplib_and_the_server_read() -> None:
    request = ntp.build_request(0xDEADBEEF_00C0FFEE)
    assert request == b"\x23\x00\x00\x20" + bytes(36) + bytes.fromhex("deadbeef00c0ffee")
    assert classify_request(request) is Reason.BASIC
    stats = ntplib.NTPStats()
    stats.from_data(request)
    assert (stats.mode, stats.version) == (3, 4)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.TOO_SHORT),
        (b"\x23" + bytes(46), Reason.TOO_SHORT),
        (b"\x23" + bytes(47), Reason.BASIC),
        (b"\x1b" + bytes(47), Reason.BASIC),
        (b"\x13" + bytes(47), Reason.BASIC),
        (b"\x0b" + bytes(47), Reason.BASIC),
        (b"\xe3" + bytes(47), Reason.BASIC),
        (b"\x23" + bytes(67), Reason.MAC),
        (b"\x03" + bytes(47), Reason.WRONG_VERSION),
        (b"\x2b" + bytes(47), Reason.VERSION5),
        (b"\x33" + bytes(47), Reason.WRONG_VERSION),
        (b"\x3b" + bytes(47), Reason.WRONG_VERSION),
        *[(bytes([0x20 | mode]) + bytes(47), Reason.WRONG_MODE) for mode in (0, 1, 2, 4, 5, 6, 7)],
    ],
)
def test_what_gets_an_answer(data: bytes, reason: Reason) -> None:
    assert classify_request(data) is reason
    padded = np.frombuffer(data.ljust(128, b"\0"), np.uint8)
    assert kernels.classify(padded, len(data)) == reason
    if reason not in (Reason.BASIC, Reason.MAC):
        with pytest.raises(ntp.NTPError):
            ntp.build_reply(data, ntp.unsynchronised(-24), 0, 0)


# Leap seconds: the day of 2016-12-31, whose midnight was 1 483 228 800 s of Unix time, TAI − UTC then 37 s.

MIDNIGHT = (1_483_228_800 + 37) * S


@pytest.mark.parametrize(
    ("before_midnight_ns", "indicator"),
    [(86_401 * S + 1, 0), (86_401 * S, 1), (61 * S, 1), (S + 1, 1), (S, 0), (1, 0), (0, 0), (-S, 0)],
)
def test_insertion_is_announced_from_the_start_of_its_day_until_the_count_repeats(
    before_midnight_ns: int, indicator: int
) -> None:
    assert ntp.leap_indicator(MIDNIGHT - before_midnight_ns, MIDNIGHT, 1) == indicator
    assert kernels.leap_indicator(MIDNIGHT - before_midnight_ns, MIDNIGHT, 1) == indicator


@pytest.mark.parametrize(
    ("before_midnight_ns", "indicator"), [(86_399 * S + 1, 0), (86_399 * S, 2), (S, 2), (1, 2), (0, 0)]
)
def test_removal_is_announced_until_its_midnight(before_midnight_ns: int, indicator: int) -> None:
    assert ntp.leap_indicator(MIDNIGHT - before_midnight_ns, MIDNIGHT, -1) == indicator
    assert kernels.leap_indicator(MIDNIGHT - before_midnight_ns, MIDNIGHT, -1) == indicator


def test_no_leap_known_announces_nothing() -> None:
    assert ntp.leap_indicator(MIDNIGHT - 5 * S, 0, 1) == 0
    assert ntp.leap_indicator(MIDNIGHT - 5 * S, MIDNIGHT, 0) == 0
    assert kernels.leap_indicator(MIDNIGHT - 5 * S, 0, 1) == 0


# Replies a client must not take


def reply_bytes(**changes: int) -> bytes:
    fields = {
        "leap": 0, "version": 4, "mode": 4, "stratum": 1, "poll": 0, "precision": -24, "root_delay": 0,
        "root_dispersion": 1, "refid": 0, "reference": 1 << 32, "origin": 77, "receive": 5 << 32, "transmit": 6 << 32,
    }  # fmt: skip
    return ntp.build_packet(ntp.Packet(**{**fields, **changes}))


@pytest.mark.parametrize(
    ("data", "error", "field"),
    [
        (reply_bytes()[:47], ntp.PacketTooShort, "packet"),
        (reply_bytes(mode=3), ntp.NotAReply, "mode"),
        (reply_bytes(mode=5), ntp.NotAReply, "mode"),
        (reply_bytes(version=5), ntp.NotAReply, "version"),
        (reply_bytes(origin=78), ntp.BogusOrigin, "origin"),
        (reply_bytes(origin=0), ntp.BogusOrigin, "origin"),
        (reply_bytes(transmit=0), ntp.UnusableStamps, "transmit"),
        (reply_bytes(receive=0), ntp.UnusableStamps, "receive"),
        (reply_bytes(transmit=(5 << 32) - 1), ntp.UnusableStamps, "transmit"),
    ],
)
def test_reply_that_may_not_be_taken(data: bytes, error: type[ntp.NTPError], field: str) -> None:
    with pytest.raises(error) as caught:
        ntp.parse_reply(data, 77)
    assert caught.value.field == field


def test_reply_over_the_end_of_an_era_is_good() -> None:
    reply = ntp.parse_reply(reply_bytes(receive=2**64 - 1, transmit=3), 77)
    assert reply.in_sync


@pytest.mark.parametrize(
    ("changes", "kiss"),
    [
        ({"leap": 3}, ""),
        ({"stratum": 0, "refid": ntp.KISS_INIT, "transmit": 0, "receive": 0}, "INIT"),
        ({"stratum": 0, "refid": int.from_bytes(b"RATE")}, "RATE"),
        ({"stratum": 0, "refid": 0xFF000000}, "�"),
        ({"stratum": 16}, ""),
        ({"root_dispersion": 16 << 16}, ""),
        ({"root_delay": 32 << 16}, ""),
    ],
)
def test_reply_that_claims_no_sync_is_an_answer(changes: dict[str, int], kiss: str) -> None:
    reply = ntp.parse_reply(reply_bytes(**changes), 77)
    assert not reply.in_sync
    assert reply.kiss == kiss


def test_layout_is_big_endian_and_48_bytes() -> None:
    assert struct.unpack("!I", reply_bytes(refid=0x01020304)[12:16]) == (0x01020304,)
    assert len(reply_bytes()) == 48
