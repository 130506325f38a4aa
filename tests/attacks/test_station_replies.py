"""Asking a server of our own that tells the truth, lies, babbles, repeats itself or says nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from timeball.instants import LeapTable
from timeball.protocols.ntp.packet import ServerState, build_reply, ntp_timestamp, unsynchronised
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.instruments import ntpclient
from timeball.station.observing.replies import ReplyUnusable, ask, counted_offset_ns

S = 10**9
TAI = 1_795_000_000 * S
STATE = ServerState(0, 10, -20, 0.0, 1e-6, 0x7F7F0101, 0)
Serve = Callable[[bytes, int], bytes | None]


@pytest.fixture(scope="module")
def leaps() -> LeapTable:
    return load_leap_table()


def output_tai(raw_ns: int) -> int:
    """The output's time: TAI when the counter stood at zero."""
    return TAI + raw_ns


@contextmanager
def server(serve: Serve) -> Iterator[str]:
    """A UDP server on loopback that answers as `serve(request, tai_ns)` says."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.05)
        done = threading.Event()

        def run() -> None:
            while not done.is_set():
                try:
                    request, client = sock.recvfrom(512)
                except TimeoutError:
                    continue
                answer = serve(request, output_tai(hostclocks.raw_ns()))
                if answer is not None:
                    sock.sendto(answer, client)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield f"127.0.0.1:{sock.getsockname()[1]}"
        finally:
            done.set()
            thread.join()


def telling(leaps: LeapTable, lie_ns: int = 0, state: ServerState = STATE) -> Serve:
    def serve(request: bytes, tai_ns: int) -> bytes:
        stamp = ntp_timestamp(tai_ns + lie_ns, 0, leaps.tai_minus_utc(tai_ns))
        return build_reply(request, state, stamp, stamp)

    return serve


def test_the_truth_is_within_half_its_way(leaps: LeapTable) -> None:
    with server(telling(leaps)) as address:
        answer = ask(address, output_tai, leaps)
    assert answer.in_sync
    assert answer.address == address
    assert abs(answer.offset_s) <= answer.delay_s / 2 + 1e-9
    assert 0 < answer.delay_s < 0.5
    assert answer.root_distance_s == pytest.approx(1e-6, abs=2**-16)


@pytest.mark.parametrize("lie_s", [1.0, -1.0, 0.01, 3600.0, -86400.0 * 365])
def test_a_lie_is_seen_for_what_it_is(leaps: LeapTable, lie_s: float) -> None:
    with server(telling(leaps, round(lie_s * S))) as address:
        answer = ask(address, output_tai, leaps)
    assert answer.in_sync
    assert answer.offset_s == pytest.approx(lie_s, abs=answer.delay_s + 1e-6)


def test_a_server_that_claims_nothing_tells_no_time(leaps: LeapTable) -> None:
    with server(telling(leaps, S, unsynchronised(-20))) as address:
        answer = ask(address, output_tai, leaps)
    assert (answer.in_sync, answer.offset_s) == (False, 0.0)


def forged(leaps: LeapTable, change: Callable[[bytearray], None]) -> Serve:
    def serve(request: bytes, tai_ns: int) -> bytes:
        answer = bytearray(telling(leaps)(request, tai_ns) or b"")
        change(answer)
        return bytes(answer)

    return serve


def put(place: int, value: int, count: int = 1) -> Callable[[bytearray], None]:
    def change(answer: bytearray) -> None:
        answer[place : place + count] = bytes([value]) * count

    return change


BABBLE: dict[str, Callable[[bytearray], None]] = {
    "no answer's mode": put(0, 0x23),
    "version 7": put(0, 0x3C),
    "not our nonce": put(24, 0, 8),
    "no transmit stamp": put(40, 0, 8),
    "no receive stamp": put(32, 0, 8),
    "too short": lambda answer: answer.__delitem__(slice(40, None)),
    "empty": bytearray.clear,
    "noise": lambda answer: answer.__setitem__(slice(None), b"\xff" * 48),
    "text": lambda answer: answer.__setitem__(slice(None), b"HTTP/1.1 400 Bad Request\r\n\r\n"),
}


@pytest.mark.parametrize("babble", BABBLE)
def test_babble_is_no_answer(leaps: LeapTable, babble: str) -> None:
    with server(forged(leaps, BABBLE[babble])) as address, pytest.raises(ReplyUnusable, match=address):
        ask(address, output_tai, leaps)
    with server(forged(leaps, lambda answer: None)) as address:
        assert ask(address, output_tai, leaps).in_sync, "the control is answered"


def test_an_answer_to_an_older_question_is_none(leaps: LeapTable) -> None:
    kept: list[bytes] = []

    def replaying(request: bytes, tai_ns: int) -> bytes:
        kept.append(telling(leaps)(request, tai_ns) or b"")
        return kept[0]

    with server(replaying) as address:
        assert ask(address, output_tai, leaps).in_sync
        with pytest.raises(ReplyUnusable):
            ask(address, output_tai, leaps)


def test_silence_and_a_closed_port(leaps: LeapTable, monkeypatch: pytest.MonkeyPatch) -> None:
    with server(lambda _request, _tai: None) as address, pytest.raises(ReplyUnusable, match="did not answer"):
        ask(address, output_tai, leaps)
    with pytest.raises(ReplyUnusable):
        ask(address, output_tai, leaps)
    assert ntpclient.TIMEOUT_S < 1.0, "silence must not outlast a lease"


@pytest.mark.parametrize(("step", "around"), [(1, [-2.5, -1.5, -0.5, 0.5]), (-1, [-1.5, -0.5, 0.5, 1.5])])
def test_across_a_leap_second_a_true_server_stays_true(step: int, around: list[float]) -> None:
    """UTC without a 61st second counts 23:59:59 twice; whoever counts so, as our server does, tells no lie."""
    day = TAI // (86400 * S) + 1
    table = LeapTable.from_offsets([(0, 37), (day, 37 + step)], None, "made up")
    midnight = table.next_leap(TAI).tai_ns
    for seconds in around:
        begins = midnight + round(seconds * S) - hostclocks.raw_ns()

        def tai_of_raw(raw_ns: int, begins: int = begins) -> int:
            return begins + raw_ns

        def serve(request: bytes, _tai: int, tai_of_raw: Callable[[int], int] = tai_of_raw) -> bytes:
            now = tai_of_raw(hostclocks.raw_ns())
            counted = 37 + (step if now >= midnight - (S if step > 0 else 0) else 0)
            stamp = ntp_timestamp(now, 0, counted)
            return build_reply(request, STATE, stamp, stamp)

        with server(serve) as address:
            answer = ask(address, tai_of_raw, table)
        assert abs(answer.offset_s) <= answer.delay_s / 2 + 1e-6, f"{seconds} s from midnight"


def test_the_count_changes_when_the_page_says_so(leaps: LeapTable) -> None:
    midnight = leaps.entries[-1].tai_ns
    assert counted_offset_ns(midnight - S - 1, leaps) == 36 * S
    assert counted_offset_ns(midnight - S, leaps) == 37 * S
    assert counted_offset_ns(midnight, leaps) == 37 * S
