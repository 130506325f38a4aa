"""A simulated counter behind a real pty and over real TCP: readings, garbage, ports that vanish and come back."""

from __future__ import annotations

import os
import pty
import socket
import threading
import tty
from collections.abc import Iterator
from contextlib import suppress

import pytest

from timeball.instants import LeapTable, parse_utc
from timeball.station.configuration.settings import LineInstrument
from timeball.station.hosttime import hostclocks
from timeball.station.instruments.base import Sample
from timeball.station.instruments.line import LONGEST_LINE, LineCounter

LEAPS = LeapTable.from_offsets([(16617, 36), (17167, 37)], None, "test")
NOW = 1_800_000_000_250_000_000
SECOND = 1_800_000_000_000_000_000


def patience(seconds: float) -> int:
    return hostclocks.raw_ns() + int(seconds * 1e9)


def counter_on(port: str, **more: object) -> LineCounter:
    settings = LineInstrument(port=port, a="H1", b="H2", **more)  # type: ignore[arg-type]
    return LineCounter(settings, lambda: NOW, LEAPS)


def read_all(counter: LineCounter, wanted: int, seconds: float = 10.0) -> list[Sample]:
    """Read until so many samples have come; the deadline is far beyond what is needed."""
    until = patience(seconds)
    samples: list[Sample] = []
    while len(samples) < wanted and hostclocks.raw_ns() < until:
        samples += counter.read(min(until, patience(0.2)))
    return samples


class PtyCounter:
    """The counter's end of a pseudo terminal."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        os.close(slave)

    def write(self, text: bytes) -> None:
        os.write(self.master, text)

    def close(self) -> None:
        with suppress(OSError):
            os.close(self.master)


@pytest.fixture
def counter() -> Iterator[PtyCounter]:
    simulated = PtyCounter()
    yield simulated
    simulated.close()


def test_a_counter_behind_a_real_pty_is_read(counter: PtyCounter) -> None:
    line = counter_on(counter.port, u_s=1e-11)
    line.open()
    counter.write(b"e-8\r\n+1.5e-8\r\n-2.5 ns\r\n")
    assert read_all(line, 2) == [
        Sample(SECOND, "H1", "H2", 15_000_000, 10_000),
        Sample(SECOND, "H1", "H2", -2_500_000, 10_000),
    ]
    assert line.faults.count == 0
    line.close()


def test_the_first_line_may_be_the_end_of_one_and_is_thrown_away(counter: PtyCounter) -> None:
    """'23e-8' would be a fine reading, but it is the rest of '1.23e-8'."""
    line = counter_on(counter.port)
    line.open()
    counter.write(b"23e-8\n1 ns\n")
    assert [sample.x_fs for sample in read_all(line, 1)] == [1_000_000]
    line.close()


def test_lines_may_come_in_pieces_and_with_any_line_end(counter: PtyCounter) -> None:
    line = counter_on(counter.port)
    line.open()
    counter.write(b"\n1 ")
    assert line.read(patience(0.05)) == []
    counter.write(b"ns\r")
    assert [sample.x_fs for sample in read_all(line, 1)] == [1_000_000]
    counter.write(b"\n2 ns\n\n\r\n3 ns\r\n4")
    assert [sample.x_fs for sample in read_all(line, 2)] == [2_000_000, 3_000_000]
    line.close()


def test_garbage_is_counted_and_shown_and_the_good_lines_survive(counter: PtyCounter) -> None:
    line = counter_on(counter.port)
    line.open()
    counter.write(b"\n1 ns\nERR 17\n\xff\xfe\x00junk\n# a remark\n1.5 furlongs\n2 ns\n")
    assert [sample.x_fs for sample in read_all(line, 2)] == [1_000_000, 2_000_000]
    assert line.faults.count == 3
    sentences = " | ".join(line.faults.take())
    assert "ERR 17" in sentences
    assert "furlongs" in sentences
    assert line.faults.take() == []
    line.close()


def test_a_line_may_carry_its_own_epoch(counter: PtyCounter) -> None:
    line = counter_on(counter.port, unit_s=1e-9)
    line.open()
    counter.write(b"\n2026-11-22T20:00:00Z 3.5\n")
    assert read_all(line, 1) == [Sample(parse_utc("2026-11-22T20:00:00Z", LEAPS).ns, "H1", "H2", 3_500_000)]
    line.close()


def test_endless_bytes_without_a_line_end_do_not_pile_up(counter: PtyCounter) -> None:
    line = counter_on(counter.port)
    line.open()
    counter.write(b"\n")
    for _ in range(LONGEST_LINE // 1024 + 1):
        counter.write(b"7" * 1024)
        line.read(patience(0.05))
    assert any("without an end of line" in sentence for sentence in line.faults.take())
    counter.write(b"7\n5 ns\n")
    assert [sample.x_fs for sample in read_all(line, 1)] == [5_000_000]
    line.close()


def test_reading_never_blocks_beyond_its_time(counter: PtyCounter) -> None:
    line = counter_on(counter.port)
    line.open()
    until = patience(0.05)
    assert line.read(until) == []
    assert hostclocks.raw_ns() >= until
    assert line.read(hostclocks.raw_ns() - 1) == []
    line.close()


def test_a_command_is_sent_when_the_port_opens(counter: PtyCounter) -> None:
    line = counter_on(counter.port, start_command="MEAS:TINT")
    line.open()
    assert os.read(counter.master, 100) == b"MEAS:TINT\r\n"
    line.close()


def test_a_port_that_is_not_there_is_a_fault_and_no_end(tmp_path: object) -> None:
    line = counter_on(f"{tmp_path}/ttyNone")
    line.open()
    assert line.read(patience(0.05)) == []
    assert "cannot open" in line.faults.take()[0]
    line.close()


class TCPCounter:
    """A counter behind a terminal server: a listening socket that says what it is told."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"

    def say_to_next(self, text: bytes) -> threading.Thread:
        def serve() -> None:
            connection, _ = self.listener.accept()
            with connection:
                connection.sendall(text)

        thread = threading.Thread(target=serve)
        thread.start()
        return thread


def test_a_counter_over_tcp_is_read_and_read_again_after_it_hung_up() -> None:
    server = TCPCounter()
    line = counter_on(server.port)
    first = server.say_to_next(b"\n1 ns\n2 ")
    line.open()
    assert [sample.x_fs for sample in read_all(line, 1)] == [1_000_000]
    first.join()
    second = server.say_to_next(b"ns\n3 ns\n")
    assert [sample.x_fs for sample in read_all(line, 1)] == [3_000_000]
    second.join()
    assert any("has gone" in sentence for sentence in line.faults.take())
    line.close()
    server.listener.close()


def test_a_pty_that_vanishes_is_opened_again_under_its_name(tmp_path: object) -> None:
    """A udev name: the link stays, what is behind it is another device after it was plugged in again."""
    link = f"{tmp_path}/counter"
    before, after = PtyCounter(), PtyCounter()
    os.symlink(before.port, link)
    line = counter_on(link)
    line.open()
    before.write(b"\n1 ns\n")
    assert [sample.x_fs for sample in read_all(line, 1)] == [1_000_000]
    before.close()
    os.unlink(link)
    os.symlink(after.port, link)
    line.read(patience(0.1))
    until = patience(10)
    samples: list[Sample] = []
    while not samples and hostclocks.raw_ns() < until:
        after.write(b"0 ns\n2 ns\n")
        samples = line.read(patience(0.2))
    assert samples[-1].x_fs == 2_000_000
    line.close()
    after.close()
