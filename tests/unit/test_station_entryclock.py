"""The recorder's clock: served time while in sync, RAW in between, the host's clock once and never again."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from clock_pages import PAGE

from timeball.station import paths
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.hostclocks import BootId
from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.hosttime.realtime import tai_of_utc
from timeball.station.page import pagefile
from timeball.station.page.clockpage import ObserverPage, PageWriter, TimekeeperPage
from timeball.station.paths import recorder_socket
from timeball.station.recorder import Recorder
from timeball.station.recording import entryclock
from timeball.station.recording.entryclock import EntryClock, elapsed_ns, entry_clock
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.recorder_client import RecorderClient
from timeball.station.recording.recorder_wire import listen
from timeball.station.recording.store import Store

S = 10**9
YEAR = 365 * 86400 * S
BOOT = BootId(11, -12)
UTC_NS = 1_795_377_600 * S
LEAPS = load_leap_table()
TAI_NS = tai_of_utc(UTC_NS, LEAPS)


@dataclass
class Host:
    """The host's three counters, set by hand."""

    raw_ns: int = 1000 * S
    boottime_ns: int = 5000 * S
    utc_ns: int = UTC_NS

    def run(self, ns: int) -> None:
        self.raw_ns += ns
        self.boottime_ns += ns
        self.utc_ns += ns

    def suspend(self, ns: int) -> None:
        self.boottime_ns += ns
        self.utc_ns += ns


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host()
    monkeypatch.setattr(hostclocks, "raw_ns", lambda: host.raw_ns)
    monkeypatch.setattr(hostclocks, "boottime_ns", lambda: host.boottime_ns)
    monkeypatch.setattr(hostclocks, "realtime_ns", lambda: host.utc_ns)
    monkeypatch.setattr(pagefile, "boot_id", lambda: BOOT)
    return host


class Pages:
    """Both halves of the clock page, written as the station writes them."""

    def __init__(self, state: Path, host: Host) -> None:
        paths.run_dir(state).mkdir(parents=True, exist_ok=True)
        self.host = host
        self.timekeeper = PageWriter(paths.timekeeper_page(state), TimekeeperPage)
        self.observer = PageWriter(paths.observer_page(state), ObserverPage)

    def write(self, tai_ns: int, lease_ns: int = 8 * S, boot: BootId = BOOT) -> None:
        ends = (self.host.raw_ns + lease_ns, self.host.boottime_ns + lease_ns)
        page = replace(
            PAGE,
            boot_id=boot.words,
            raw_ns=self.host.raw_ns,
            boottime_ns=self.host.boottime_ns,
            tai_ns=tai_ns,
            lease_raw_ns=ends[0],
            lease_boottime_ns=ends[1],
        )
        self.timekeeper.write(page)
        self.observer.write(ObserverPage(boot.words, *ends, 0))


@pytest.fixture
def pages(tmp_path: Path, host: Host) -> Iterator[Pages]:
    pages = Pages(tmp_path, host)
    yield pages
    pages.timekeeper.close()
    pages.observer.close()


def test_without_a_page_the_hosts_clock_is_believed_once(tmp_path: Path, host: Host) -> None:
    clock = EntryClock(tmp_path, LEAPS)
    assert clock() == TAI_NS
    host.utc_ns += YEAR
    host.run(3 * S)
    assert clock() == TAI_NS + 3 * S
    host.utc_ns -= 2 * YEAR
    host.run(4 * S)
    assert clock() == TAI_NS + 7 * S


def test_the_start_is_settled_before_the_first_entry(tmp_path: Path, host: Host) -> None:
    clock = entry_clock(tmp_path, LEAPS)
    host.utc_ns += YEAR
    assert clock() == TAI_NS


def test_served_time_is_taken_as_soon_as_it_is_in_sync(tmp_path: Path, host: Host, pages: Pages) -> None:
    host.utc_ns += YEAR
    clock = EntryClock(tmp_path, LEAPS)
    assert clock() == TAI_NS + YEAR
    pages.write(TAI_NS)
    assert clock() == TAI_NS
    host.run(2 * S)
    assert clock() == TAI_NS + 2 * S


def test_in_sync_at_the_start_the_hosts_clock_is_not_asked(
    tmp_path: Path, host: Host, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entryclock, "realtime_tai_ns", lambda _leaps: pytest.fail("REALTIME was asked"))
    pages.write(TAI_NS)
    clock = entry_clock(tmp_path, LEAPS)
    host.utc_ns += YEAR
    host.run(S)
    assert clock() == TAI_NS + S


@pytest.mark.parametrize("boot", [BOOT, BootId(1, 2)])
def test_withdrawn_time_is_not_taken_and_the_last_known_goes_on(
    tmp_path: Path, host: Host, pages: Pages, boot: BootId
) -> None:
    pages.write(TAI_NS)
    clock = entry_clock(tmp_path, LEAPS)
    host.run(S)
    # a page that may not be believed: no lease, or a lease of another boot
    pages.write(TAI_NS + YEAR, lease_ns=0 if boot is BOOT else 8 * S, boot=boot)
    host.utc_ns += YEAR
    host.run(20 * S)
    assert clock() == TAI_NS + 21 * S


def test_a_suspension_is_counted_while_no_time_is_served(tmp_path: Path, host: Host, pages: Pages) -> None:
    pages.write(TAI_NS)
    clock = entry_clock(tmp_path, LEAPS)
    host.run(S)
    host.suspend(3600 * S)
    assert clock() == TAI_NS + 3601 * S


@pytest.mark.parametrize(
    ("raw_ns", "boottime_ns", "expected_ns"),
    [
        (100 * S, 100 * S, 100 * S),
        (100 * S, 100 * S + 500_000, 100 * S),  # slewed
        (100 * S, 109 * S, 100 * S),  # slewed as fast as Linux may
        (100 * S, 170 * S, 170 * S),
        (0, 2_000_000, 2_000_000),
    ],
)
def test_elapsed(raw_ns: int, boottime_ns: int, expected_ns: int) -> None:
    assert elapsed_ns(raw_ns, boottime_ns) == expected_ns


def test_a_torn_page_reads_as_none_and_the_clock_goes_on(tmp_path: Path, host: Host, pages: Pages) -> None:
    pages.write(TAI_NS)
    clock = entry_clock(tmp_path, LEAPS)
    # its writer is killed in the middle: the sequence stays odd
    with paths.timekeeper_page(tmp_path).open("r+b") as file:
        file.seek(7 * 8)
        sequence = int.from_bytes(file.read(8), "little")
        file.seek(7 * 8)
        file.write((sequence + 1).to_bytes(8, "little"))
    host.run(S)
    assert clock() == TAI_NS + S
    reader = pagefile.PageReader(paths.timekeeper_page(tmp_path), TimekeeperPage, plain=True)
    assert reader.read() is None
    assert "middle of writing" in reader.why


def test_a_plain_read_gives_what_a_compiled_one_gives(tmp_path: Path, host: Host, pages: Pages) -> None:
    pages.write(TAI_NS)
    path = paths.timekeeper_page(tmp_path)
    plain, compiled = (pagefile.PageReader(path, TimekeeperPage, plain=plain).read() for plain in (True, False))
    assert plain is not None
    assert plain == compiled


def test_a_host_clock_stepped_by_a_year_leaves_the_entry_times_alone(tmp_path: Path, host: Host) -> None:
    """A real recorder with its store and a client; only the host's counters are set by hand."""
    stop = threading.Event()
    with Store(tmp_path) as store, contextlib.closing(listen(recorder_socket(tmp_path))) as listener:
        recorder = Recorder(store, listener, entry_clock(tmp_path, LEAPS), 0.05)
        thread = threading.Thread(target=recorder.serve, args=(stop,))
        thread.start()
        try:
            with RecorderClient(tmp_path, "test") as client:
                client.append("note", 1, {"step": "before"}, 1)
                host.run(5 * S)
                host.utc_ns += YEAR
                client.append("note", 1, {"step": "after"}, 2)
                host.run(5 * S)
                host.utc_ns -= 3 * YEAR
                client.append("note", 1, {"step": "back"}, 3)
        finally:
            stop.set()
            thread.join()
    times = [envelope.time_ns for _, envelope in LedgerReader(tmp_path).envelopes()]
    assert times == [TAI_NS, TAI_NS + 5 * S, TAI_NS + 10 * S]
