"""A suspended host: RAW stood still while the output went on, and nothing read before may be served after it.

The pages are made by the timekeeper's functions and judged by the server's rule; the counters are set by hand.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from timeball.integrity.host_counter import CounterUnknown
from timeball.station.collector import Collector
from timeball.station.configuration.config import parse_config
from timeball.station.configuration.settings import Config
from timeball.station.fold.batches import Batch, parse_batch
from timeball.station.fold.timekeeping import Timekeeping
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.instruments.base import Faults, Sample
from timeball.station.instruments.collecting import batch_of
from timeball.station.instruments.host import boot_anchor
from timeball.station.instruments.registry import Instruments
from timeball.station.page import pagelayout
from timeball.station.page.clockpage import TimekeeperPage, sync_status
from timeball.station.page.pagemaker import HostCounter, Moment, make_statement
from timeball.station.supervision.process import Process

S = 10**9
BOOT = "boot"
ANCHOR_NS = 1_700_000_000 * S
RAW_NS = 500 * S
AHEAD_NS = 7 * S
NIGHT_NS = 2 * 3600 * S
"""As long as readings from one anchor can tell; after a longer sleep the collector's anchor is a new one."""
LEAPS = load_leap_table()


def host_batch(raw_ns: int, slept_ns: int = 0, count: int = 5, **changes: Any) -> Batch:
    """Readings of a perfect counter, a second apart, the last at RAW `raw_ns`, after the host has slept so long."""
    raws = [raw_ns - (count - 1 - k) * S for k in range(count)]
    samples = [Sample(ANCHOR_NS + raw + slept_ns, "HOST", "OUT", -slept_ns * 10**6, None) for raw in raws]
    more = {"boot_id": BOOT, "anchor_ns": str(ANCHOR_NS), "boottime_minus_raw_ns": str(AHEAD_NS + slept_ns)}
    return parse_batch({**batch_of(samples, "host"), **more, **changes})


def at(raw_ns: int, slept_ns: int = 0) -> Moment:
    return Moment(raw_ns, raw_ns + AHEAD_NS + slept_ns, (1, 2), BOOT)


def page_of(counter: HostCounter, now: Moment) -> TimekeeperPage:
    return make_statement(Timekeeping(), 0.0, counter, now, Config(), LEAPS).page


def served_status(page: TimekeeperPage, now: Moment) -> int:
    """What a server says of the page when both leases run."""
    ends = {"lease_raw_ns": now.raw_ns + S, "lease_boottime_ns": now.boottime_ns + S}
    leased = replace(page, bound_s=0.0, bound_growth=0.0, **ends)
    observer = SimpleNamespace(**ends)
    return sync_status(leased, observer, now.raw_ns, now.boottime_ns)  # type: ignore[arg-type]


def test_awake_the_reference_carries_boottime_as_it_was_read() -> None:
    counter = HostCounter()
    counter.take(host_batch(RAW_NS))
    now = at(RAW_NS + 3 * S)
    page = page_of(counter, now)
    assert page.raw_ns == RAW_NS
    assert page.boottime_ns == RAW_NS + AHEAD_NS
    assert served_status(page, now) == pagelayout.IN_SYNC


def test_a_sleep_after_the_newest_reading_is_seen_on_the_page_made_after_it() -> None:
    counter = HostCounter()
    counter.take(host_batch(RAW_NS))
    # a timekeeper that was started after the sleep has no renewal to compare with; the page tells all the same
    now = at(RAW_NS + S, NIGHT_NS)
    page = page_of(counter, now)
    assert served_status(page, now) == pagelayout.SUSPENDED


@pytest.mark.parametrize("slept_ns", [NIGHT_NS, S, 700_000_000])
def test_readings_after_a_sleep_begin_a_new_line(slept_ns: int) -> None:
    counter = HostCounter()
    counter.take(host_batch(RAW_NS))
    counter.take(host_batch(RAW_NS + 5 * S, slept_ns, count=4))
    assert len(counter.samples) == 4
    now = at(RAW_NS + 6 * S, slept_ns)
    page = page_of(counter, now)
    assert served_status(page, now) == pagelayout.IN_SYNC
    served_ns = page.tai_ns + now.raw_ns - page.raw_ns
    assert abs(served_ns - (ANCHOR_NS + now.raw_ns + slept_ns)) <= 1


def test_too_few_readings_since_the_sleep_make_no_page() -> None:
    counter = HostCounter()
    counter.take(host_batch(RAW_NS))
    counter.take(host_batch(RAW_NS + 2 * S, NIGHT_NS, count=2))
    with pytest.raises(CounterUnknown, match="2 readings"):
        page_of(counter, at(RAW_NS + 3 * S, NIGHT_NS))


def test_slewing_is_no_sleep() -> None:
    counter = HostCounter()
    counter.take(host_batch(RAW_NS))
    slewed = host_batch(RAW_NS + 5 * S, boottime_minus_raw_ns=str(AHEAD_NS + 400_000_000))
    counter.take(slewed)
    assert len(counter.samples) == 10
    assert counter.boottime_minus_raw_ns == AHEAD_NS + 400_000_000


@pytest.mark.parametrize("changes", [{"boottime_minus_raw_ns": None}, {"epochs": [], "x_fs": []}])
def test_a_batch_that_cannot_be_placed_counts_for_nothing(changes: dict[str, Any]) -> None:
    counter = HostCounter()
    counter.take(host_batch(RAW_NS, **changes))
    with pytest.raises(CounterUnknown):
        page_of(counter, at(RAW_NS))


def test_another_boot_begins_anew() -> None:
    counter = HostCounter()
    counter.take(host_batch(RAW_NS))
    counter.take(host_batch(3 * S, boot_id="next", count=2))
    assert len(counter.samples) == 2


@pytest.mark.parametrize(
    ("gained_ns", "elapsed_ns", "expected"),
    [
        (0, 0, False),
        (1_000_000, 0, False),
        (1_000_001, 0, True),
        (-1_000_001, 0, True),
        (100_000_000, S, False),
        (102_000_000, S, True),
        (102_000_000, -S, True),
    ],
)
def test_slept(gained_ns: int, elapsed_ns: int, expected: bool) -> None:
    assert hostclocks.slept(gained_ns, elapsed_ns) is expected


class StubHost:
    """The host's counter as an instrument: gives what it is told to give, once."""

    name, boot_id, anchor_ns, whole_epochs = "host", BOOT, ANCHOR_NS, True

    def __init__(self) -> None:
        self.faults = Faults()
        self.given: list[list[Sample]] = []

    def open(self) -> None: ...

    def close(self) -> None: ...

    def read(self, _until_raw_ns: int) -> list[Sample]:
        return self.given.pop(0) if self.given else []


def collected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ahead_ns: list[int]) -> dict[str, Any]:
    """The batch that the collector makes of one reading a second, BOOTTIME − RAW being so at each."""
    host = StubHost()
    (tmp_path / "keys").mkdir(mode=0o700)
    process = Process("collector", tmp_path, parse_config(""), threading.Event())
    collector = Collector(process, Instruments([], host), SimpleNamespace())  # type: ignore[arg-type]
    monkeypatch.setattr(hostclocks, "raw_ns", lambda: 0)
    collector._host_due_ns = 10**18
    for second, ahead in enumerate(ahead_ns):
        collector._queue.put((host, [Sample(ANCHOR_NS + second * S, "HOST", "OUT", second, None)], ahead))  # type: ignore[arg-type]
        collector._gather()
    collector._put_host(force=True)
    [(kind, payload)] = list(collector._outbox._waiting)
    assert kind == "readings"
    return payload["batch"]


def test_the_collector_records_boottime_with_the_newest_reading(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    batch = collected(monkeypatch, tmp_path, [AHEAD_NS, AHEAD_NS + 20_000, AHEAD_NS + 40_000])
    assert batch["boottime_minus_raw_ns"] == str(AHEAD_NS + 40_000)
    assert len(batch["epochs"]) == 3


def test_no_batch_straddles_a_sleep(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    batch = collected(monkeypatch, tmp_path, [AHEAD_NS, AHEAD_NS, AHEAD_NS + NIGHT_NS, AHEAD_NS + NIGHT_NS])
    assert batch["boottime_minus_raw_ns"] == str(AHEAD_NS + NIGHT_NS)
    assert [int(epoch) - ANCHOR_NS for epoch in batch["epochs"]] == [2 * S, 3 * S]


def test_a_sleep_ends_the_collector_to_begin_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "keys").mkdir(mode=0o700)
    counters = {"raw_ns": RAW_NS, "boottime_ns": RAW_NS + AHEAD_NS}
    monkeypatch.setattr(hostclocks, "raw_ns", lambda: counters["raw_ns"])
    monkeypatch.setattr(hostclocks, "boottime_ns", lambda: counters["boottime_ns"])
    process = Process("collector", tmp_path, parse_config(""), threading.Event())
    client = SimpleNamespace(next_seq=lambda: 1, append=lambda *_: 0)
    collector = Collector(process, Instruments(), client)  # type: ignore[arg-type]
    assert not collector._slept()
    counters["raw_ns"] += S
    counters["boottime_ns"] += S + 50_000
    assert not collector._slept()
    counters["boottime_ns"] += NIGHT_NS
    collector.run(key_known=True)  # ends by itself, not because it was told to
    assert not process.stop.is_set()
    assert "suspended" in caplog.text


def test_after_a_long_sleep_the_anchor_is_a_new_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hostclocks, "boot_name", lambda: BOOT)
    assert boot_anchor(tmp_path, ANCHOR_NS + RAW_NS, RAW_NS) == ANCHOR_NS
    assert boot_anchor(tmp_path, ANCHOR_NS + RAW_NS + 999 * S, RAW_NS) == ANCHOR_NS
    assert boot_anchor(tmp_path, ANCHOR_NS + RAW_NS + NIGHT_NS, RAW_NS) == ANCHOR_NS + NIGHT_NS
    assert boot_anchor(tmp_path, ANCHOR_NS + RAW_NS + NIGHT_NS, RAW_NS) == ANCHOR_NS + NIGHT_NS
