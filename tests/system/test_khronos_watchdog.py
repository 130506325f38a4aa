"""The watchdog as a process, with a real recorder and real servers: chronyd, which serves this host's own time."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chronyserver import ChronyServer, chrony_server
from serving import Served, free_port, until

from timeball.ledger import canonical
from timeball.ledger.batch import verify_batch
from timeball.ledger.note import parse_vkey
from timeball.station.configuration.config import parse_config
from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.hosttime.realtime import realtime_tai_ns
from timeball.station.page.clockpage import PageReader, TimekeeperPage
from timeball.station.page.watchpage import WatchPage, watch_page
from timeball.station.paths import processes_file, timekeeper_page
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.reporting.status import StatusReader
from timeball.station.supervision.supervisor import station_commands
from timeball.station.watching.pool import ask_pool

pytestmark = pytest.mark.system

LEAPS = load_leap_table()
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def chronyd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChronyServer]:
    with chrony_server(tmp_path_factory.mktemp("watched") / "server") as server:
        yield server


def watches(state: Path) -> list[dict[str, Any]]:
    """The recorded looks, each verified by the key that the watchdog has named."""
    key, found = "", []
    for entry in LedgerReader(state).entries():
        payload = canonical.decode(entry.payload or b"")
        if (entry.envelope.by, entry.envelope.type) == ("watchdog-key", "key"):
            assert (payload["name"], payload["purpose"]) == ("watchdog", "watches")
            key = payload["vkey"]
        elif (entry.envelope.by, entry.envelope.type) == ("watchdog", "watch"):
            found.append(verify_batch(payload, parse_vkey(key)))
    return found


def test_the_watchdog_cannot_judge_finds_nothing_alarms_and_takes_it_back(
    chronyd: ChronyServer, tmp_path: Path
) -> None:
    """Nine good servers, two that nobody is at. No page at first; then served time is moved by 2 s, and put right."""
    good = [f"127.0.0.{number}:{chronyd.port}" for number in range(1, 10)]
    silent = [f"127.0.0.1:{free_port()}", f"127.0.0.2:{free_port()}"]
    settings = {"khronos": {"servers": [*good, *silent], "sample": 9, "every_s": 1.0}}
    station = Served(tmp_path, settings)
    beside = timekeeper_page(tmp_path).rename(tmp_path / "beside")
    processes_file(tmp_path).write_text("[]")
    try:
        for name in ("recorder", "watchdog"):
            station.start(name)
        until(lambda: watches(tmp_path), PATIENCE_S, station.say)
        (only,) = watches(tmp_path)
        assert (only["code"], only["offset_fs"], only["epoch"]) == (2, None, "0")
        assert "served time is not known" in only["verdict"]

        beside.rename(timekeeper_page(tmp_path))
        until(lambda: len(watches(tmp_path)) > 1, PATIENCE_S, station.say)
        first = watches(tmp_path)[1]
        assert first["code"] == 0, first
        assert abs(int(first["offset_fs"])) < 30e12
        assert set(first["survivors"]) <= set(good)
        assert "ms from served time" in first["verdict"]
        assert not [alarm for alarm in StatusReader(tmp_path).status()["alarms"] if alarm.startswith("watchdog")]

        page = counts(tmp_path)
        assert (page.code, page.measured, page.found) == (0, 1, 0)
        assert page.nothing_found >= 1
        assert page.cannot_judge >= 1
        assert abs(page.offset_s) < 0.03
        assert page.answered >= 6

        move(station, 2_000_000_000)
        until(lambda: watches(tmp_path)[-1]["code"] == 1, PATIENCE_S, station.say)
        alarm = watches(tmp_path)[-1]
        assert abs(int(alarm["offset_fs"]) + 2e15) < 0.03e15, "the servers are behind what is served"
        assert alarm["panic"]
        until(lambda: counts(tmp_path).found >= 1, PATIENCE_S, station.say)
        assert counts(tmp_path).panics >= 1
        assert counts(tmp_path).offset_s < -1.9
        assert len(alarm["servers"]) == 11
        assert [why for why in alarm["why"] if why] == ["Connection refused"] * 2
        told = [one for one in StatusReader(tmp_path).status()["alarms"] if one.startswith("watchdog")]
        assert told == [f"watchdog: {alarm['verdict']}"]

        move(station, 0)
        until(lambda: watches(tmp_path)[-1]["code"] == 0, PATIENCE_S, station.say)
        station.processes["watchdog"].send_signal(signal.SIGTERM)
        assert station.processes["watchdog"].wait(20) == 0
    finally:
        station.stop()


def counts(state: Path) -> WatchPage:
    page = PageReader(watch_page(state), WatchPage, plain=True).read()
    assert page is not None
    return page


def move(station: Served, by_ns: int) -> None:
    """Serve another time than the host's."""
    import dataclasses

    station.clock.renew()
    reader = PageReader(timekeeper_page(station.state), TimekeeperPage, plain=True)
    page = reader.read()
    assert page is not None
    station.clock._timekeeper.write(dataclasses.replace(page, tai_ns=page.tai_ns + by_ns))


def test_what_each_server_said_is_told(chronyd: ChronyServer) -> None:
    raw_ns, tai_ns = realtime_tai_ns(LEAPS)
    servers = [f"127.0.0.1:{chronyd.port}", f"127.0.0.1:{free_port()}"]
    good, silent = ask_pool(servers, lambda raw: raw - raw_ns + tai_ns, LEAPS)
    assert good.offset_s is not None
    assert abs(good.offset_s) < 0.03
    assert (silent.offset_s, silent.why) == (None, "Connection refused")


def test_it_is_started_only_where_a_pool_is_named(tmp_path: Path) -> None:
    named = parse_config('[khronos]\nservers = ["a.example:123", "b.example:123", "c.example:123"]')
    assert "watchdog" in station_commands(tmp_path, named)
    assert "watchdog" not in station_commands(tmp_path, parse_config(""))
