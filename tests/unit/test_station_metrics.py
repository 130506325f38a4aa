"""What Prometheus is told: figures of pages and status, nothing where nothing is known, and no scrape that fails."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_writers import TAI_MINUS_UTC_S, S, write_clock, write_counts
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from timeball.station import paths
from timeball.station.configuration.config import ConfigError, parse_config
from timeball.station.hosttime.hostclocks import bracket
from timeball.station.metrics import collector as collecting
from timeball.station.metrics.collector import METRICS, StationCollector
from timeball.station.metrics.metric import counter, families, gauge
from timeball.station.page.feedpage import CHRONY_SOCK, FeedPage, Outcome, feed_page
from timeball.station.page.keyexchangepage import KeyExchangePage, keyexchange_page
from timeball.station.page.roughtimepage import RoughtimePage, roughtime_page
from timeball.station.page.serverpage import ServerPage, server_page
from timeball.station.page.watchpage import WatchPage, watch_page
from timeball.station.reporting import outcomes
from timeball.station.reporting.view import Viewer

SETTINGS = """
[ntp]
listen = ["127.0.0.1:1", "[::1]:1"]
[nts]
listen = ["127.0.0.1:2"]
rotate_s = 1000
[roughtime]
listen = ["127.0.0.1:3"]
[[output]]
kind = "chrony-sock"
path = "/run/chrony.sock"
"""
Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with a configuration and nothing else."""
    paths.run_dir(tmp_path).mkdir(parents=True)
    paths.config_file(tmp_path).write_bytes(parse_config(SETTINGS).to_json())
    return tmp_path


def figures(state: Path) -> Figures:
    """Every sample of a scrape, through the text of the exporter and prometheus_client's own parser."""
    registry = CollectorRegistry()
    registry.register(StationCollector(state))
    found = parse(generate_latest(registry).decode())
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in found for one in family.samples}


def figure(found: Figures, name: str, **labels: str) -> float | None:
    return found.get((name, tuple(sorted(labels.items()))))


def test_of_a_station_that_does_not_run_little_is_told(state: Path) -> None:
    found = figures(state)
    assert figure(found, "timeball_in_sync") == 0
    assert figure(found, "ntp_system_stratum") == 0
    assert figure(found, "ntp_system_leap_indicator") == 3
    assert figure(found, "timeball_sync_status", status="no timekeeper's page of this boot") == 1
    assert figure(found, "timeball_lease_remaining_seconds", lease="observer") == 0
    unknown = {"timeball_bound_seconds", "timeball_served_time_seconds", "ntp_system_root_dispersion_seconds"}
    unknown |= {"ntp_server_received_packets_total", "timeball_ledger_checkpoint_age_seconds", "ntp_uptime_seconds"}
    assert not unknown & {name for name, _ in found}, "a figure that nobody knows is told"
    assert all(figure(found, "timeball_exporter_part_up", part=part) == 1 for part in ("station", *collecting.PARTS))


def test_time_as_it_is_served(state: Path) -> None:
    page = write_clock(state, bound_s=2e-6)
    found = figures(state)
    assert figure(found, "timeball_in_sync") == 1
    assert figure(found, "timeball_sync_status", status="in sync") == 1
    assert sum(value for (name, _), value in found.items() if name == "timeball_sync_status") == 1
    assert figure(found, "ntp_system_stratum") == page.stratum
    assert figure(found, "ntp_system_leap_indicator") == 0
    assert figure(found, "ntp_system_root_delay_seconds") == page.root_delay_s
    assert figure(found, "timeball_bound_seconds") == figure(found, "ntp_system_root_dispersion_seconds") == 2e-6
    assert figure(found, "timeball_tai_minus_utc_seconds") == TAI_MINUS_UTC_S
    offset_s = figure(found, "timeball_host_clock_offset_seconds")
    assert offset_s is not None
    assert abs(offset_s) < 0.1
    assert 0 < (figure(found, "timeball_lease_remaining_seconds", lease="timekeeper") or 0) <= 8
    assert figure(found, "timeball_simulated") == 1  # by configuration: no instrument is named but the simulated ones


def test_withdrawn_time_has_no_dispersion_and_says_why(state: Path) -> None:
    write_clock(state, lease_s=-1.0)
    found = figures(state)
    assert figure(found, "timeball_in_sync") == 0
    assert figure(found, "timeball_sync_status", status="the timekeeper's lease has ended") == 1
    assert figure(found, "ntp_system_leap_indicator") == 3
    assert figure(found, "ntp_system_root_dispersion_seconds") is None
    assert figure(found, "timeball_bound_seconds") is not None  # the page still has it, for whoever looks into it


@pytest.mark.parametrize(("sign", "indicator"), [(1, 1), (-1, 2)])
def test_a_leap_second_is_told_before_it_comes(state: Path, sign: int, indicator: int) -> None:
    leap_ns = bracket().realtime_ns + TAI_MINUS_UTC_S * S + 3600 * S
    write_clock(state, leap_tai_ns=leap_ns, leap_sign=sign)
    found = figures(state)
    assert figure(found, "timeball_leap_second_remaining_seconds", sign=f"{sign:+d}") == pytest.approx(3600, abs=5)
    assert figure(found, "ntp_system_leap_indicator") == indicator


@pytest.mark.parametrize(("to_leap_s", "offset_s"), [(-30000.0, 0.0), (-250.0, -0.25), (250.0, 0.25), (600.0, 0.0)])
def test_a_smear_is_told(state: Path, to_leap_s: float, offset_s: float) -> None:
    """Linear, 1000 s long, at so many seconds from an inserted second: UTC itself repeats a second in the middle."""
    told = '[ntp]\nlisten = ["127.0.0.1:1"]\nsmeared = ["127.0.0.1:4"]\nsmear = "linear"\nsmear_s = 1000\n'
    paths.config_file(state).write_bytes(parse_config(told).to_json())
    leap_ns = bracket().realtime_ns + TAI_MINUS_UTC_S * S - round(to_leap_s * S)
    write_clock(state, leap_tai_ns=leap_ns, leap_sign=1)
    assert figure(figures(state), "timeball_smear_offset_seconds") == pytest.approx(offset_s, abs=0.01)


def test_where_nothing_is_smeared_no_smear_is_told(state: Path) -> None:
    write_clock(state)
    assert figure(figures(state), "timeball_smear_offset_seconds") is None


def test_the_host_clock_is_compared_with_served_time(state: Path) -> None:
    page = write_clock(state)
    write_clock(state, tai_ns=page.tai_ns - 5 * S)  # the host is five seconds ahead of what is served
    assert figure(figures(state), "timeball_host_clock_offset_seconds") == pytest.approx(5, abs=0.1)


def test_every_datagram_is_in_one_class_and_in_one_outcome(state: Path) -> None:
    page = write_counts(server_page(state), ServerPage)
    found, listen = figures(state), "127.0.0.1:1,[::1]:1"
    by_class = {
        kind: figure(found, f"ntp_server_{name}_packets_total", listen_address=listen)
        for kind, name in {
            outcomes.ACCEPTED: "accepted",
            outcomes.DENIED: "denied",
            outcomes.IGNORED: "ignored",
            outcomes.LIMITED: "rate_limited",
            outcomes.NAK: "nts_nak",
        }.items()
    }
    told = {one.word: figure(found, "timeball_server_packets_total", outcome=one.word) for one in outcomes.OUTCOMES}
    assert told == {one.word: getattr(page, one.field) for one in outcomes.OUTCOMES}
    assert by_class == {
        kind: sum(getattr(page, one.field) for one in outcomes.OUTCOMES if one.kind == kind) for kind in by_class
    }
    received = figure(found, "ntp_server_received_packets_total", listen_address=listen)
    assert received == sum(value or 0 for value in by_class.values()) == sum(value or 0 for value in told.values())
    assert figure(found, "ntp_server_response_send_errors_total", listen_address=listen) == page.send_failures


def test_every_outcome_of_the_servers_page_is_told() -> None:
    """The page says which of its fields are outcomes; `requests` is told as what was claimed."""
    ours = {one.field for one in outcomes.OUTCOMES}
    claimed = {"replies_in_sync", "replies_unsynchronised"}
    assert ours - claimed == set(ServerPage.OUTCOMES) - {"requests"}
    assert claimed <= ours
    assert len({one.word for one in outcomes.OUTCOMES}) == len(ours) == len(outcomes.OUTCOMES)


def test_the_key_exchange_its_certificate_and_keys(state: Path) -> None:
    known = {"certificate_left_s": 86400, "key_age_s": 12, "cluster_age_s": -1}
    page = write_counts(keyexchange_page(state), KeyExchangePage, **known)
    found = figures(state)
    assert figure(found, "timeball_nts_ke_connections_total", outcome="agreed") == page.agreed
    assert figure(found, "timeball_nts_ke_connections_total", outcome="tls failed") == page.tls_failed
    assert figure(found, "timeball_nts_certificate_remaining_seconds") == 86400
    assert figure(found, "timeball_nts_key_age_seconds") == 12
    assert figure(found, "timeball_nts_key_life_seconds") == 1000
    assert figure(found, "timeball_nts_cluster_age_seconds") is None
    ends = sum(value for (name, _), value in found.items() if name == "timeball_nts_ke_connections_total")
    assert ends == sum(getattr(page, name) for name in collecting.keyexchangepart.OUTCOMES)


def test_without_a_certificate_none_is_told_to_end(state: Path) -> None:
    write_counts(keyexchange_page(state), KeyExchangePage, certificate_expires_unix_s=0)
    assert figure(figures(state), "timeball_nts_certificate_remaining_seconds") is None


def test_looks_of_the_watchdog_and_their_newest_offset(state: Path) -> None:
    assert not [name for name, _ in figures(state) if name.startswith("timeball_watchdog")], "nobody watches"
    paths.config_file(state).write_bytes(parse_config("[khronos]\nlimit_s = 0.5\n").to_json())
    page = write_counts(watch_page(state), WatchPage, measured=1, offset_s=-0.75, spread_s=0.01)
    found = figures(state)
    counted = {field.name for field in dataclasses.fields(WatchPage)} & {"nothing_found", "found", "cannot_judge"}
    assert set(collecting.watchdogpart.OUTCOMES.values()) == counted
    for word, name in collecting.watchdogpart.OUTCOMES.items():
        assert figure(found, "timeball_watchdog_looks_total", outcome=word) == getattr(page, name)
    assert figure(found, "timeball_watchdog_offset_seconds") == -0.75
    assert figure(found, "timeball_watchdog_spread_seconds") == 0.01
    assert figure(found, "timeball_watchdog_limit_seconds") == 0.5
    assert figure(found, "timeball_watchdog_panics_total") == page.panics
    assert figure(found, "timeball_watchdog_servers", what="answered") == page.answered
    assert (figure(found, "timeball_watchdog_age_seconds") or 9.0) < 5.0
    write_counts(watch_page(state), WatchPage, measured=0, offset_s=0.0)
    assert figure(figures(state), "timeball_watchdog_offset_seconds") is None, "an offset that nobody measured"


def test_roughtime_packets_are_in_one_outcome_each(state: Path) -> None:
    write_clock(state)
    now_s = bracket().realtime_ns // S
    page = write_counts(roughtime_page(state), RoughtimePage, key_maxt_s=now_s + 500)
    found = figures(state)
    fields = {field.name for field in dataclasses.fields(page)}
    dropped = {name for name in fields if name.startswith("dropped_")}
    assert set(collecting.roughtimepart.OUTCOMES.values()) == dropped | {"replies", "send_failures"}
    for word, name in collecting.roughtimepart.OUTCOMES.items():
        assert figure(found, "timeball_roughtime_packets_total", outcome=word) == getattr(page, name)
    assert figure(found, "timeball_roughtime_key_remaining_seconds") == pytest.approx(500, abs=2)


def test_an_output_is_told_by_kind_and_path(state: Path) -> None:
    known = {"kind": CHRONY_SOCK, "outcome": int(Outcome.GIVEN), "offset_s": 1.5e-6, "bound_s": 2e-6, "rate": 0.0}
    page = write_counts(feed_page(state, 0), FeedPage, **known)
    found, name = figures(state), "chrony-sock /run/chrony.sock"
    assert figure(found, "timeball_feed_offset_seconds", output=name) == 1.5e-6
    assert figure(found, "timeball_feed_rate_ratio", output=name) is None
    assert figure(found, "timeball_feed_turns_total", output=name, outcome="given") == page.given
    assert figure(found, "timeball_feed_turns_total", output=name, outcome="at a leap") == page.at_a_leap


def test_an_output_that_was_given_nothing_has_no_offset(state: Path) -> None:
    write_counts(feed_page(state, 0), FeedPage, outcome=int(Outcome.WITHHELD), offset_s=1.0, bound_s=0.0, rate=0.0)
    found = figures(state)
    assert figure(found, "timeball_feed_offset_seconds", output="chrony-sock /run/chrony.sock") is None


def test_a_part_that_fails_costs_that_part_alone(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clock(state)

    def broken(_view: object) -> Iterator[Any]:
        yield from ()
        raise ValueError("a torn file")

    monkeypatch.setitem(collecting.PARTS, "ledger", (broken, ()))
    found = figures(state)
    assert figure(found, "timeball_exporter_part_up", part="ledger") == 0
    assert figure(found, "timeball_exporter_part_up", part="time") == 1
    assert figure(found, "timeball_in_sync") == 1


def test_a_station_that_cannot_be_read_is_told_and_is_no_error(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: Viewer) -> object:
        raise OSError("the disk has gone")

    monkeypatch.setattr(Viewer, "look", broken)
    found = figures(state)
    assert found == {("timeball_exporter_part_up", (("part", "station"),)): 0.0}


def test_where_no_station_has_run_there_is_no_collector(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no effective configuration"):
        StationCollector(tmp_path)


def test_both_formats_are_understood(state: Path) -> None:
    write_clock(state)
    write_counts(server_page(state), ServerPage)
    registry = CollectorRegistry()
    registry.register(StationCollector(state))
    plain = {one.name for family in parse(generate_latest(registry).decode()) for one in family.samples}
    openmetrics = parse_openmetrics(generate_openmetrics(registry).decode())
    assert {one.name for family in openmetrics for one in family.samples} == plain
    assert plain <= {metric.name for metric in METRICS}


def test_many_scrapes_at_once_read_the_station_once(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    look = Viewer.look
    monkeypatch.setattr(Viewer, "look", lambda self: looks.append(1) or look(self))
    monkeypatch.setattr(collecting, "FRESH_S", 60.0)
    collector = StationCollector(state)
    threads = [threading.Thread(target=lambda: list(collector.collect())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(looks) == 1


def test_samples_of_a_metric_stand_together() -> None:
    first, second = gauge("timeball_a", "A", "x"), counter("timeball_b_total", "B")
    found = families([*first.at(1, "p"), *second.at(2), *first.at(None, "q"), *first.at(3, "r")])
    assert [family.name for family in found] == ["timeball_a", "timeball_b"]
    assert [(one.name, one.labels, one.value) for family in found for one in family.samples] == [
        ("timeball_a", {"x": "p"}, 1.0),
        ("timeball_a", {"x": "r"}, 3.0),
        ("timeball_b_total", {}, 2.0),
    ]
