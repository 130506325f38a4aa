"""One turn of an output: a chronyd's socket held by the test, a simulated PTP clock, and devices that are not there."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from timeball.protocols.chrony.sock import parse_sample
from timeball.station.configuration.outputs import PHC, ChronySock
from timeball.station.feeding import phcdevice
from timeball.station.feeding.base import Account, outcome_of, words_of
from timeball.station.feeding.chronysock import ChronySockFeed
from timeball.station.feeding.phc import PHCFeed
from timeball.station.feeding.phcsimulated import PHCState, SimulatedPHC, drift_of, phc_file, read_phc
from timeball.station.feeding.served import ClockView, Served
from timeball.station.hosttime import hostclocks
from timeball.station.page import pagelayout as layout
from timeball.station.page.feedpage import NOT_YET, FeedPage, Outcome, feed_page
from timeball.station.page.pagefile import PageReader

S = 1_000_000_000
TAI_OF_RAW_0 = 1_800_000_000 * S


class View(ClockView):
    """Served TAI = RAW + a constant, with a status and leap of the test's choice."""

    def __init__(self, **values: object) -> None:
        self.values = values

    def at(self, raw_ns: int) -> Served:
        told = Served(layout.IN_SYNC, raw_ns, TAI_OF_RAW_0 + raw_ns, 0, 37, 1e-6)
        return replace(told, **self.values)


WITHHELD = View(status=layout.TIMEKEEPER_LEASE_ENDED)


@pytest.fixture
def chronyd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as held:
        held.bind(str(tmp_path / "clk.sock"))
        held.settimeout(10)
        yield held


def sock_feed(tmp_path: Path) -> ChronySockFeed:
    return ChronySockFeed(ChronySock(path=str(tmp_path / "clk.sock")))


def test_a_sample_is_utc_minus_the_system_clock(tmp_path: Path, chronyd: socket.socket) -> None:
    feed = sock_feed(tmp_path)
    before_ns = time.time_ns()
    outcome, _, offset_s = feed.turn(View(leap_sign=1))
    sample = parse_sample(chronyd.recv(100))
    assert outcome is Outcome.GIVEN
    assert before_ns - 1000 <= sample.system_ns <= time.time_ns()
    raw_of_realtime_ns = sample.system_ns - hostclocks.bracket().realtime_minus_raw_ns
    expected_s = (TAI_OF_RAW_0 + raw_of_realtime_ns - 37 * S - sample.system_ns) * 1e-9
    assert sample.offset_s == offset_s == pytest.approx(expected_s, abs=1e-3)
    assert (sample.leap_sign, sample.pulse) == (1, False)
    feed.close()


def test_nothing_is_sent_when_time_may_not_be_given_on(tmp_path: Path, chronyd: socket.socket) -> None:
    feed = sock_feed(tmp_path)
    for code in range(1, len(layout.STATUS_WORDS)):
        assert feed.turn(View(status=code))[0] is Outcome.WITHHELD
    assert feed.turn(View(at_a_leap=True))[0] is Outcome.AT_A_LEAP
    chronyd.setblocking(False)
    with pytest.raises(BlockingIOError):
        chronyd.recv(100)
    feed.close()


@pytest.mark.parametrize(("system_s", "outcome"), [(0, Outcome.GIVEN), (-3_000_000_000, Outcome.FAILED)])
def test_a_host_without_a_battery_begins_in_1970(
    tmp_path: Path, chronyd: socket.socket, monkeypatch: pytest.MonkeyPatch, system_s: int, outcome: Outcome
) -> None:
    raw_ns = hostclocks.raw_ns()
    monkeypatch.setattr(hostclocks, "bracket", lambda: hostclocks.Bracket(raw_ns, system_s * S, raw_ns))
    feed = sock_feed(tmp_path)
    assert feed.turn(View())[0] is outcome
    feed.close()


def test_a_socket_that_is_not_there_full_or_closed_to_us(tmp_path: Path) -> None:
    feed = sock_feed(tmp_path)
    assert feed.turn(View())[0] is Outcome.ABSENT
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as held:
        held.bind(str(tmp_path / "clk.sock"))
        outcomes = [feed.turn(View())[0] for _ in range(5000)]
        assert outcomes[0] is Outcome.GIVEN
        assert outcomes[-1] is Outcome.CONGESTED
    assert feed.turn(View())[0] is Outcome.ABSENT  # the name is there, nobody behind it
    feed.close()
    assert outcome_of(PermissionError(errno.EACCES, "no")) is Outcome.FORBIDDEN


def test_a_reading_that_was_interrupted_is_not_sent(
    tmp_path: Path, chronyd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = hostclocks.Bracket(0, 0, 300_000)
    monkeypatch.setattr(hostclocks, "bracket", lambda: wide)
    feed = sock_feed(tmp_path)
    assert feed.turn(View())[0] is Outcome.INTERRUPTED
    feed.close()


def test_the_page_counts_every_turn_and_the_log_hears_of_changes(
    tmp_path: Path, chronyd: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    import logging

    caplog.set_level(logging.INFO)
    boot = hostclocks.boot_id()
    account = Account(sock_feed(tmp_path), tmp_path, 3, boot, logging.getLogger("feeder"))
    reader = PageReader(feed_page(tmp_path, 3), FeedPage, boot)
    page = reader.read()
    assert page is not None
    assert page.outcome == NOT_YET
    assert words_of(page.outcome, page.status) == "not begun"
    for view in (View(), View(), WITHHELD, WITHHELD, View()):
        account.turn(view)
    page = reader.read()
    assert page is not None
    assert (page.given, page.withheld, page.outcome, page.pid) == (3, 2, Outcome.GIVEN, os.getpid())
    assert page.bound_s == 1e-6
    assert [record.message.split(": ", 1)[1] for record in caplog.records] == [
        "given",
        "nothing given: time is not served as synchronised (the timekeeper's lease has ended)",
        "given",
    ]
    account.close()


def follow(feed: PHCFeed, turns: int, view: View) -> list[tuple[Outcome, Served, float | None]]:
    done = []
    for _ in range(turns):
        done.append(feed.turn(view))
        time.sleep(0.02)
    return done


def test_a_simulated_clock_shows_served_time_and_survives_its_feeder(tmp_path: Path) -> None:
    settings = PHC(device="simulated:card", every_s=0.1)
    feed = PHCFeed(settings, tmp_path, 0)
    assert [outcome for outcome, _, _ in follow(feed, 12, View())] == [Outcome.GIVEN] * 12
    assert feed.steps == 1
    feed.close()
    kept = read_phc(tmp_path, "card")
    assert kept.rate == pytest.approx(-drift_of("card"), abs=1e-6)  # what was learned, without the pull of an offset
    again = PHCFeed(settings, tmp_path, 0)
    outcome, _, offset_s = again.turn(View())
    assert outcome is Outcome.GIVEN
    assert offset_s is not None
    assert abs(offset_s) < 10e-6
    assert again.steps == 0
    again.close()


def test_a_simulated_clock_begins_anew_after_a_reboot(tmp_path: Path) -> None:
    clock = SimulatedPHC(tmp_path, "card")
    clock.step(1000.0)
    assert SimulatedPHC(tmp_path, "card").read().clock_ns >= 1000 * S
    kept = phc_file(tmp_path, "card").read_bytes().replace(hostclocks.boot_name().encode(), b"another boot")
    phc_file(tmp_path, "card").write_bytes(kept)
    assert SimulatedPHC(tmp_path, "card").read().clock_ns < 1000 * S
    phc_file(tmp_path, "card").write_bytes(b"{")
    assert SimulatedPHC(tmp_path, "card").read().clock_ns < 1000 * S


def test_a_simulated_clock_runs_by_its_own_rate_and_the_correction() -> None:
    state = PHCState("", 1000, 7, 0.25, 4e-6, -1e-6, 0)
    assert state.shown(1000) == (7, 0.25)
    assert state.shown(1000 + S) == (7 + S + 3000, pytest.approx(0.246, abs=1e-6))


def test_the_rates_of_simulated_clocks_differ_and_can_be_corrected() -> None:
    rates = [drift_of(f"card{i}") for i in range(50)]
    assert max(abs(rate) for rate in rates) <= 5e-6 < PHC(device="/x").max_rate
    assert len(set(rates)) == 50


def test_a_withdrawn_clock_is_left_alone(tmp_path: Path) -> None:
    feed = PHCFeed(PHC(device="simulated:card", every_s=0.1), tmp_path, 0)
    follow(feed, 5, View())
    assert feed.turn(WITHHELD)[0] is Outcome.WITHHELD
    held = read_phc(tmp_path, "card")
    follow(feed, 3, WITHHELD)
    assert read_phc(tmp_path, "card") == held
    feed.close()


def test_a_device_that_is_not_there_is_looked_for_again(tmp_path: Path) -> None:
    device = tmp_path / "ptp0"
    feed = PHCFeed(PHC(device=str(device)), tmp_path, 0)
    assert feed.turn(View())[0] is Outcome.ABSENT
    device.write_bytes(b"")  # a file is no PTP clock: the kernel says so
    assert feed.turn(View())[0] is Outcome.ABSENT
    assert feed.rate == 0.0
    feed.close()


class Refusing(SimulatedPHC):
    """A clock that can be read and not be set, as with a driver without adjustment."""

    def set_rate(self, rate: float) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")


def test_a_clock_that_cannot_be_set_is_counted_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from timeball.station.feeding import phc

    monkeypatch.setattr(phc, "SimulatedPHC", Refusing)
    feed = PHCFeed(PHC(device="simulated:card"), tmp_path, 0)
    assert feed.turn(View())[0] is Outcome.FAILED
    feed.close()


def test_the_kernel_takes_our_struct_timex() -> None:
    """Read with no modes, of CLOCK_REALTIME: every field that can be checked is where it is taken to be."""
    timex = phcdevice.Timex()
    phcdevice.adjust(time.CLOCK_REALTIME, timex)
    assert abs(timex.sec - time.time()) < 5
    assert 9_000 <= timex.tick <= 11_000
    assert abs(timex.freq) <= 32768000
    assert phcdevice.frequency_word(1e-6) == 65536
    assert phcdevice.frequency_word(-2.5e-6) == -163840


def test_a_clock_that_the_kernel_has_not_is_refused() -> None:
    with pytest.raises(OSError, match="Invalid"):
        phcdevice.adjust(1234567, phcdevice.Timex())


def test_numbers_of_the_ioctls() -> None:
    """As a C compiler prints them from linux/ptp_clock.h of Linux 6.1, x86-64."""
    assert (phcdevice.GET_CAPS, phcdevice.CAPS_BYTES) == (0x80503D01, 80)
    assert (phcdevice.SYS_OFFSET_EXTENDED, phcdevice.OFFSETS_BYTES) == (0xC4C03D09, 1216)


def kernel_answers(number: int, data: bytearray) -> None:
    """What a driver answers: rates up to 1 000 000 ppb; (REALTIME, clock, REALTIME) five times, the third narrowest."""
    if number == phcdevice.GET_CAPS:
        data[:4] = (1_000_000).to_bytes(4, "little")
        return
    assert phcdevice.OFFSETS_HEAD.unpack_from(data) == (5,)
    now_s, now_ns = divmod(time.time_ns(), S)
    for i, width_ns in enumerate((900, 700, 300, 800, 900)):
        for j, (seconds, ns) in enumerate(((now_s, now_ns), (77, i), (now_s, now_ns + width_ns))):
            phcdevice.CLOCK_TIME.pack_into(data, 16 + 16 * (3 * i + j), seconds, ns, 0)


def test_a_device_is_read_and_set_through_its_own_descriptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls that would reach the kernel: a machine that tests has no PTP clock that may be moved."""
    calls: list[tuple[int, int, int, int, int]] = []
    monkeypatch.setattr(phcdevice.fcntl, "ioctl", lambda _fd, number, data: kernel_answers(number, data))
    monkeypatch.setattr(phcdevice, "adjust", lambda clock, t: calls.append((clock, t.modes, t.sec, t.usec, t.freq)))
    file = tmp_path / "ptp"
    file.write_bytes(b"")
    device = phcdevice.PHCDevice(str(file))
    held = [fd for fd in Path("/proc/self/fd").iterdir() if os.path.realpath(fd) == str(file)]
    clock = (~int(held[0].name) << 3) | 3  # FD_TO_CLOCKID of clock_getres(2)
    assert device.max_rate == pytest.approx(1e-3)

    before_ns = hostclocks.raw_ns()
    reading = device.read()
    assert reading.clock_ns == 77 * S + 2
    assert 300 <= reading.width_ns < 1_000_000
    assert before_ns - 1_000_000 < reading.raw_ns < hostclocks.raw_ns() + 1_000_000

    device.step(-0.25)
    device.set_rate(1e-6)
    device.close()
    assert calls == [(clock, 0, 0, 0, 0), (clock, 0x2100, -1, 750_000_000, 0), (clock, 2, 0, 0, 65536)]
