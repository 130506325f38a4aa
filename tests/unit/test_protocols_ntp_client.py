"""The association of a client: what it sends, what it makes of replies, when it asks again; no socket is opened."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ntp_exchanges import EPOCH_NS, Drawn, Line, Server, line, measured, stamp

from timeball.protocols.ntp.client import LONGEST_POLL_NS, Association, Manner, State
from timeball.protocols.ntp.clientauth import MACAuthentication, NoAuthentication
from timeball.protocols.ntp.clientevents import (
    Demobilised,
    Discarded,
    Kissed,
    LocalMisuse,
    Missed,
    PollEnded,
    Reason,
    Unsynchronised,
)
from timeball.protocols.ntp.mac import SymmetricKey
from timeball.protocols.ntp.measurement import Measurement, Stamps, least_delay, noise_s, utc_ns
from timeball.protocols.ntp.packet import NS, Packet, parse_packet, tai_ns_from_timestamp

MS = 1_000_000
KISSES = {code: int.from_bytes(code.encode()) for code in ("RATE", "DENY", "RSTR")}


# What is sent


def test_a_request_tells_nothing_of_its_client() -> None:
    """draft-ietf-ntp-data-minimization: everything zero but version, mode, precision 32 and a nonce."""
    way = line()
    first = way.request()
    way.now += 20 * NS
    second = way.request()
    for request in (first, second):
        packet = parse_packet(request)
        assert packet == Packet(0, 4, 3, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, packet.transmit)
        assert len(request) == 48
    assert parse_packet(first).transmit != parse_packet(second).transmit


def test_an_interleaved_request_gives_back_the_servers_stamp_and_no_time_of_ours() -> None:
    way = line(interleaved=True)
    way.exchange()
    before = way.server.kept[-1][0]
    asked = parse_packet(way.request())
    assert asked.origin == before
    assert len({asked.receive, asked.transmit, 0}) == 3
    again = parse_packet(Line.request(dataclasses.replace(way, now=way.now + 20 * NS)))
    assert not {asked.receive, asked.transmit} & {again.receive, again.transmit}


# What is measured


@given(st.integers(0, 10**9 - 10**7), st.integers(0, 10**9 - 10**7), st.integers(-(10**15), 10**15))
def test_basic_mode_measures_offset_and_delay(there_ns: int, back_ns: int, off_ns: int) -> None:
    way = line(server=Server(ahead_ns=EPOCH_NS + off_ns, late_ns=0))
    way.there_ns, way.back_ns = there_ns // 2, back_ns // 2
    (found,) = measured(way.exchange())
    assert abs(found.delay_s * 1e9 - (way.there_ns + way.back_ns)) <= 1
    error_s = (found.offset2 - 2 * (EPOCH_NS + off_ns)) / 2e9
    assert abs(error_s - (way.there_ns - way.back_ns) / 2e9) <= 1e-9
    assert abs(error_s) <= found.bound_s() + 1e-9, "the bound holds whatever the two ways are like"


@given(st.integers(0, 10**8), st.integers(0, 10**8))
def test_a_stated_asymmetry_bounds_the_error(there_ns: int, back_ns: int) -> None:
    way = line(server=Server(late_ns=0))
    way.there_ns, way.back_ns = there_ns, back_ns
    (found,) = measured(way.exchange())
    bound_s = found.bound_s(abs(there_ns - back_ns) / 1e9)
    assert abs(found.offset2 - 2 * EPOCH_NS) / 2e9 <= bound_s + 1e-9
    assert bound_s <= found.bound_s() + 1e-9


def test_interleaved_mode_takes_the_true_leaving() -> None:
    """The server's user space needs 40 µs after it reads its clock: basic mode sees them in delay and offset."""
    way = line(interleaved=True, burst=3)
    found = [one for _ in range(4) for one in measured(way.exchange())]
    assert [one.interleaved for one in found] == [False, True, True, True]
    assert found[0].delay_s == pytest.approx(4.04e-3, abs=2e-9)
    assert found[1].delay_s == pytest.approx(4.0e-3, abs=2e-9)
    assert (found[1].sent_ns, found[2].sent_ns) == (found[0].sent_ns, found[1].sent_ns + 2 * NS + 4 * MS + 41_000)
    assert way.server.modes == ["basic", "interleaved", "interleaved", "interleaved"]


def test_a_lost_reply_is_not_measured_twice_and_none_is_missed_out() -> None:
    way = line(interleaved=True, burst=5)
    found = []
    for number in range(6):
        found += measured(way.exchange(lost=number == 2))
    # 0 basic; 1 completes 0; 2 is lost; 3 gives the leaving of 1 once more, which nobody had; 4 completes 3
    sent = [one.sent_ns for one in found if one.interleaved]
    assert len(sent) == len(set(sent)) == 4
    assert way.association.counts[Reason.MEASURED] == 5


def test_a_server_that_forgets_is_asked_in_basic_mode_by_its_answer() -> None:
    way = line(interleaved=True, burst=3, server=Server(remembers=0))
    found = [one for _ in range(4) for one in measured(way.exchange())]
    assert [one.interleaved for one in found] == [False] * 4


def test_after_four_missed_replies_requests_are_basic_again() -> None:
    way = line(interleaved=True, burst=8)
    way.exchange()
    origins = []
    for _ in range(5):
        origins.append(parse_packet(way.request()).origin)
        way.now += NS
        way.association.to_send(way.now)
    assert [origin != 0 for origin in origins] == [True] * 4 + [False]


def test_what_completes_an_earlier_burst_is_too_old() -> None:
    way = line(interleaved=True)
    assert [len(measured(way.exchange())) for _ in range(4)] == [1, 1, 0, 1]
    assert way.association.counts[Reason.EARLIER_BURST] == 1
    assert [len(event.measurements) for event in way.events if isinstance(event, PollEnded)] == [2, 1]


# When


def test_a_burst_and_the_wait_for_the_next() -> None:
    way = line(burst=3)
    began = way.now
    for _ in range(3):
        way.exchange()
    ended = way.events[-1]
    assert isinstance(ended, PollEnded)
    assert (len(ended.measurements), ended.asked) == (3, 3)
    assert way.association.next_timer() == began + 16 * NS
    assert way.association.to_send(began + 16 * NS - 1) is None


def test_a_missed_reply_is_told_and_asked_on() -> None:
    way = line(burst=2)
    assert [type(event) for event in way.exchange(lost=True)] == [Missed]
    assert isinstance(way.exchange(lost=True)[-1], PollEnded)
    assert way.events[-1] == PollEnded((), 2)
    assert measured(way.exchange())


def test_rate_doubles_the_poll_and_ends_the_burst() -> None:
    way = line(burst=4)
    events = way.exchange(stratum=0, refid=KISSES["RATE"])
    assert isinstance(events[0], PollEnded)
    assert events[1] == Kissed("RATE", 32 * NS)
    assert way.association.next_timer() == way.now + 32 * NS
    for _ in range(30):
        way.exchange(stratum=0, refid=KISSES["RATE"])
    assert way.association.poll_ns == LONGEST_POLL_NS


@pytest.mark.parametrize("code", ["DENY", "RSTR"])
def test_a_server_that_does_not_want_us_is_left_alone(code: str) -> None:
    way = line(burst=4)
    assert way.exchange(stratum=0, refid=KISSES[code])[-1] == Demobilised(code)
    assert way.association.state is State.GONE
    assert way.association.next_timer() is None
    assert way.association.to_send(way.now + 10**18) is None


@pytest.mark.parametrize(
    "claim",
    [
        {"leap": 3},
        {"stratum": 0, "refid": int.from_bytes(b"INIT")},
        {"stratum": 16},
        {"root_dispersion": 16 << 16},
        {"root_delay": 32 << 16},
    ],
)
def test_a_server_out_of_sync_gives_no_time(claim: dict[str, int]) -> None:
    way = line()
    events = way.exchange(**claim)
    assert isinstance(events[0], Unsynchronised)
    assert events[0].kiss == ("INIT" if "refid" in claim else "")
    assert not measured(way.events)
    assert measured(way.exchange()), "a later reply that claims sync is taken"


@pytest.mark.parametrize("claim", [{"receive": 0}, {"transmit": 0}, {"transmit": stamp(EPOCH_NS)}])
def test_impossible_stamps_give_no_time(claim: dict[str, int]) -> None:
    way = line()
    events = way.exchange(**claim)
    assert [event.reason for event in events if isinstance(event, Discarded)] == [Reason.IMPLAUSIBLE]
    assert not measured(way.events)


def test_a_server_that_kept_the_request_longer_than_it_was_away_lies() -> None:
    way = line()
    way.there_ns = way.back_ns = 0
    request = way.request()
    reply, _ = way.server.reply(request, way.now, transmit=stamp(way.now + EPOCH_NS + 50 * MS))
    assert way.deliver(reply, way.now, way.now + 10 * MS)[0].reason is Reason.IMPLAUSIBLE  # type: ignore[union-attr]


# Misuse


def test_what_our_own_side_must_not_do() -> None:
    key = SymmetricKey(1, "AES128", bytes(16))
    held = Association(Manner(), Drawn(), MACAuthentication(key))
    with pytest.raises(LocalMisuse, match="without authentication"):
        held.rekey(NoAuthentication(), 0)
    with pytest.raises(LocalMisuse, match="before its request left"):
        held.receive(b"", Stamps(2, 1), 2)
    gone = line()
    gone.exchange(stratum=0, refid=KISSES["DENY"])
    with pytest.raises(LocalMisuse, match="does not want"):
        gone.association.rekey(NoAuthentication(), gone.now)


def test_nonces_are_drawn_until_they_can_be_told_apart() -> None:
    drawn = [bytes(16), bytes(8) + b"\x01" * 8, b"\x02" * 16, b"\x03" * 8 + b"\x04" * 8]
    association = Association(Manner(), lambda _size: drawn.pop(0))
    request = association.to_send(0)
    assert request is not None
    assert parse_packet(request).transmit == int.from_bytes(b"\x03" * 8)


# Figures


@given(st.integers(0, 2**64 - 1), st.integers(-(2**31), 2**32))
def test_a_timestamp_is_read_in_the_era_that_is_near(timestamp: int, near_s: int) -> None:
    assert utc_ns(timestamp, near_s * NS) == tai_ns_from_timestamp(timestamp, 0, near_s * NS)


def of(delay_ns: int, offset_ns: int = 0, *, interleaved: bool = False, width_ns: int = 0) -> Measurement:
    header = Packet(0, 4, 4, 1, 0, -30, 0, 0, 0, 0, 0, 0, 0)
    at = EPOCH_NS + delay_ns // 2 + offset_ns
    return Measurement(0, at, at, delay_ns, width_ns, interleaved, header)


def test_the_least_delay_counts_and_interleaved_goes_first() -> None:
    slow, quick, true = of(9000), of(500), of(2000, interleaved=True)
    assert least_delay([slow, quick]) is quick
    assert least_delay([slow, quick, true]) is true
    with pytest.raises(ValueError, match="empty"):
        least_delay([])


def test_noise_is_jitter_queues_and_stamps() -> None:
    best = of(1000)
    assert noise_s([best], best) == pytest.approx(2.0**-30 / 3**0.5)
    assert noise_s([best, of(1000, 3000), of(1000, -3000)], best) == pytest.approx(3e-6, rel=1e-3)
    held_up = of(21_000)
    assert noise_s([held_up], held_up, least_s=1e-6) == pytest.approx(10e-6 / 3**0.5, rel=1e-3)
    assert noise_s([of(1000, width_ns=3000)], of(1000, width_ns=3000)) == pytest.approx(3e-6 / 3**0.5, rel=1e-3)
    assert noise_s([best, of(1000, 9000, interleaved=True)], best) < 1e-8, "another mode has another offset"
