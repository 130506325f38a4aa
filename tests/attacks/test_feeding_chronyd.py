"""A chronyd that lies: whatever comes back from its address, the watcher ends in time and with an error of its own."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from timeball.cli.root import run
from timeball.protocols.chrony.candm import PADDED_BYTES, REPLY_HEAD
from timeball.protocols.chrony.errors import LayoutError
from timeball.protocols.chrony.reports import LONGEST_LIST
from timeball.station.feeding import chronyd as client
from timeball.station.feeding.chronyd import Chronyd, ChronydUnreachableError
from timeball.station.feeding.chronydview import read_chronyd

Lie = Callable[[int, int], list[bytes]]
LAYOUT_OF = {14: 2, 15: 3, 33: 5, 34: 6, 44: 12, 54: 24, 57: 16, 67: 20}
LENGTH_OF = {14: 4, 15: 48, 33: 76, 34: 56, 44: 20, 54: 44, 57: 128, 67: 24}
INT32 = struct.Struct("!I")


def honest(command: int, sequence: int, body: bytes | None = None, status: int = 0) -> bytes:
    body = bytes(LENGTH_OF[command]) if body is None else body
    return REPLY_HEAD.pack(6, 2, command, LAYOUT_OF[command], status, sequence) + body


@contextmanager
def answering(lie: Lie) -> Iterator[tuple[str, list[int]]]:
    """A server that answers each request with what `lie` makes of its command and sequence; gives its address."""
    asked: list[int] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                request, who = server.recvfrom(2048)
                if not request:
                    return
                command, sequence = struct.unpack_from("!HxxI", request, 4)
                assert len(request) == PADDED_BYTES
                asked.append(command)
                for data in lie(command, sequence):
                    server.sendto(data, who)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}", asked
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", server.getsockname())
            thread.join()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TIMEOUT_S", 0.02)


def fails(lie: Lie, error: type[Exception]) -> list[int]:
    with answering(lie) as (place, asked), Chronyd(place) as chronyd, pytest.raises(error):
        read_chronyd(chronyd)
    return asked


def test_forged_sequence_numbers_are_read_past() -> None:
    """An attacker who does not see the request must guess 32 bits; a true reply behind the guesses is still found."""

    def guess(command: int, sequence: int) -> list[bytes]:
        return [honest(command, sequence ^ bit) for bit in (1, 2, 4)] + [honest(command, sequence)]

    with answering(guess) as (place, _), Chronyd(place) as chronyd:
        assert read_chronyd(chronyd).sources == []


def test_a_flood_of_forgeries_ends_in_time() -> None:
    asked = fails(lambda command, sequence: [honest(command, sequence + 1)] * 100, ChronydUnreachableError)
    assert len(asked) == client.ATTEMPTS


def test_silence_ends_in_time() -> None:
    assert len(fails(lambda _command, _sequence: [], ChronydUnreachableError)) == client.ATTEMPTS


def test_a_reply_to_another_request_is_none() -> None:
    fails(lambda _command, sequence: [honest(14, sequence)], ChronydUnreachableError)


def test_a_request_sent_back_is_no_reply() -> None:
    fails(lambda c, s: [struct.pack("!BBxxHHI", 6, 1, c, 0, s).ljust(PADDED_BYTES, b"\0")], ChronydUnreachableError)


def test_datagrams_of_any_length_are_none() -> None:
    fails(lambda _c, _s: [b"", b"\x06", bytes(27), bytes(60_000)], ChronydUnreachableError)


def test_a_report_that_is_cut_short() -> None:
    fails(lambda command, sequence: [honest(command, sequence, bytes(19))], LayoutError)


def test_more_sources_than_anybody_has_are_not_asked_for() -> None:
    """One small reply must not make the watcher ask four milliards of questions."""

    def many(command: int, sequence: int) -> list[bytes]:
        return [honest(command, sequence, INT32.pack(0xFFFFFFFF) if command == 14 else None)]

    # a question may be repeated where an answer came late
    assert list(dict.fromkeys(fails(many, LayoutError))) == [33, 14]
    assert LONGEST_LIST < 0xFFFFFFFF


def test_a_report_in_another_layout() -> None:
    fails(lambda c, s: [REPLY_HEAD.pack(6, 2, c, 99, 0, s) + bytes(100)], LayoutError)


def test_the_command_says_that_there_is_no_chronyd(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(lambda command, sequence: [honest(command, sequence, bytes(3))]) as (place, _):
        assert run(["watch-chrony", "--host", place]) == 2
    assert "ends before its fields do" in capsys.readouterr().err


def test_a_terminal_is_not_written_to_by_a_source(capsys: pytest.CaptureFixture[str]) -> None:
    """A reference id is four bytes of the source's choice: an escape sequence in it must not reach the terminal."""

    def escape(command: int, sequence: int) -> list[bytes]:
        bodies = {
            14: INT32.pack(1),
            15: b"\x1b[2J" + bytes(16) + struct.pack("!hHHHHHI", 4, 1, 0, 2, 0, 255, 1) + bytes(12),
            33: b"\x1b[2J" + bytes(72),
        }
        return [honest(command, sequence, bodies.get(command))]

    with answering(escape) as (place, _):
        assert run(["watch-chrony", "--host", place, "--limit", "age=1e18"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_refused_reports_are_named_and_the_rest_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(command: int, sequence: int) -> list[bytes]:
        return [honest(command, sequence, None, 2 if command == 54 else 0)]

    with answering(refuse) as (place, _), Chronyd(place) as chronyd:
        view = read_chronyd(chronyd)
    assert view.not_told == {"serverstats": "chronyd: not allowed here: ask on its Unix socket"}
