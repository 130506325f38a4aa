"""Time of day: two sources must agree, one alone never suffices, and nothing lies before the ledger's head."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.instants import LeapTable, parse_utc
from timeball.station.configuration.config import parse_config
from timeball.station.configuration.settings import Config, History
from timeball.station.hosttime import hostclocks, timeofday
from timeball.station.hosttime.realtime import tai_of_utc
from timeball.station.hosttime.timeofday import (
    Source,
    SourceSilent,
    TimeOfDayUnknown,
    Told,
    agreed_tai_ns,
    largest_group,
)
from timeball.station.instruments.simulated import open_simulation
from timeball.station.page.clockpage import TimekeeperPage

S = 10**9
LEAPS = LeapTable.from_offsets([(16617, 36), (17167, 37)], None, "test")
NOW = parse_utc("2026-11-22T20:00:00Z", LEAPS).ns
CONFIG = Config()
YEAR = 365 * 86400 * S


@dataclass(frozen=True)
class At:
    raw_ns: int


def telling(name: str, offset_s: float, u_s: float = 0.0) -> Source:
    return Source(name, lambda _leaps: Told(name, 1000, NOW + round(offset_s * S), u_s))


def silent(name: str) -> Source:
    def ask(_leaps: LeapTable) -> Told:
        raise SourceSilent("no answer")

    return Source(name, ask)


def agreed(*sources: Source, head: int = 0, raw_ns: int = 1000) -> int:
    return agreed_tai_ns(sources, At(raw_ns), LEAPS, CONFIG, head)


def test_two_that_agree_are_believed() -> None:
    assert abs(agreed(telling("realtime", 0.0), telling("rtc", 0.3)) - NOW) <= 0.3 * S


def test_the_answer_is_of_the_moment_asked_for() -> None:
    assert agreed(telling("realtime", 0.0), telling("rtc", 0.0), raw_ns=1000 + 7 * S) == NOW + 7 * S


def test_one_alone_is_not_believed() -> None:
    with pytest.raises(TimeOfDayUnknown, match=r"rtc says nothing \(no answer\)"):
        agreed(telling("realtime", 0.0), silent("rtc"))


def test_two_that_differ_are_both_shown() -> None:
    with pytest.raises(TimeOfDayUnknown, match=r"realtime says 2026-11-22T20:00:00\.000Z; rtc says 2027-11-22"):
        agreed(telling("realtime", 0.0), telling("rtc", 365 * 86400.0))


def test_a_host_set_back_ten_years_is_outvoted() -> None:
    assert agreed(telling("realtime", -3.2e8), telling("rtc", 0.1), telling("ntp:a:123", 0.0)) >= NOW


def test_two_against_two_is_nobody() -> None:
    pairs = [telling("a", 0), telling("b", 0.1), telling("c", 100), telling("d", 100.1)]
    with pytest.raises(TimeOfDayUnknown, match="no two sources"):
        agreed(*pairs)


def test_an_uncertain_source_agrees_within_its_uncertainty() -> None:
    assert agreed(telling("realtime", 0.0), telling("rtc", 1.4, u_s=1.0)) >= NOW
    with pytest.raises(TimeOfDayUnknown):
        agreed(telling("realtime", 0.0), telling("rtc", 1.6, u_s=1.0))


def test_nothing_lies_before_the_ledgers_head() -> None:
    sources = (telling("realtime", 0.0), telling("rtc", 0.0))
    assert agreed(*sources, head=NOW + S // 4) == NOW
    with pytest.raises(TimeOfDayUnknown, match="never lies before the ledger's head"):
        agreed(*sources, head=NOW + 2 * S)


@given(st.lists(st.integers(-5 * S, 5 * S), max_size=6), st.floats(0.01, 1.0))
def test_a_group_is_never_wider_than_two_tolerances(offsets: list[int], tolerance_s: float) -> None:
    told = [Told(str(place), 0, NOW + offset, 0.0) for place, offset in enumerate(offsets)]
    group = largest_group(told, tolerance_s)
    if group:
        assert max(one.tai_ns for one in group) - min(one.tai_ns for one in group) <= 2 * tolerance_s * S
    again = largest_group(told[::-1], tolerance_s)
    assert len(again) == len(group)


# --- real sources -------------------------------------------------------------------------------------------------


def test_the_hosts_clock_and_a_new_laboratory_agree(tmp_path: Path) -> None:
    open_simulation(tmp_path, CONFIG)
    moment = hostclocks.bracket()
    told = agreed_tai_ns(timeofday.sources_of(CONFIG, tmp_path), moment, LEAPS, CONFIG)
    assert abs(told - tai_of_utc(moment.realtime_ns, LEAPS)) < 0.1 * S


def test_a_laboratory_not_yet_begun_says_nothing(tmp_path: Path) -> None:
    with pytest.raises(TimeOfDayUnknown, match="has not been begun"):
        agreed_tai_ns(timeofday.sources_of(CONFIG, tmp_path), hostclocks.bracket(), LEAPS, CONFIG)


def test_the_host_set_back_a_year_disagrees_with_the_running_laboratory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_simulation(tmp_path, CONFIG)
    real = hostclocks.realtime_ns
    monkeypatch.setattr(hostclocks, "realtime_ns", lambda: real() - YEAR)
    with pytest.raises(TimeOfDayUnknown, match="no two sources"):
        agreed_tai_ns(timeofday.sources_of(CONFIG, tmp_path), hostclocks.bracket(), LEAPS, CONFIG)


def page(boot: tuple[int, int], tai_ns: int) -> TimekeeperPage:
    import dataclasses

    zeros = {field.name: 0 for field in dataclasses.fields(TimekeeperPage)}
    return TimekeeperPage(**{**zeros, "boot_id": boot, "raw_ns": hostclocks.raw_ns(), "tai_ns": tai_ns})  # type: ignore[arg-type]


def test_an_earlier_run_of_this_boot_is_a_source_and_of_another_boot_is_none(tmp_path: Path) -> None:
    _, now = hostclocks.raw_ns(), tai_of_utc(hostclocks.realtime_ns(), LEAPS)
    here = page(hostclocks.boot_id().words, now)
    elsewhere = page((1, 2), now)
    config = parse_config('[time_of_day]\nsources=["realtime","rtc"]')
    names = [source.name for source in timeofday.sources_of(config, tmp_path, here)]
    assert names == ["realtime", "rtc", "earlier run"]
    assert len(timeofday.sources_of(config, tmp_path, elsewhere)) == 2
    assert len(timeofday.sources_of(config, tmp_path, None)) == 2


def test_the_battery_clock_is_read_to_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "since_epoch"
    monkeypatch.setattr(timeofday, "RTC_FILE", file)
    source = next(
        s
        for s in timeofday.sources_of(parse_config('[time_of_day]\nsources=["realtime","rtc"]'), tmp_path)
        if s.name == "rtc"
    )
    with pytest.raises(SourceSilent):
        source.ask(LEAPS)
    file.write_text("1795377600\n")
    told = source.ask(LEAPS)
    assert abs(told.tai_ns - (1795377600 + 37) * S) <= told.u_s * S
    file.write_text("soon\n")
    with pytest.raises(SourceSilent):
        source.ask(LEAPS)


def test_a_silent_ntp_server_is_a_silent_source(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        address = f"ntp:127.0.0.1:{deaf.getsockname()[1]}"
        config = parse_config(f'[time_of_day]\nsources=["realtime","{address}"]')
        with pytest.raises(SourceSilent, match="timed out"):
            timeofday.sources_of(config, tmp_path)[1].ask(LEAPS)


def test_history_does_not_matter_to_the_second(tmp_path: Path) -> None:
    import msgspec

    config = msgspec.structs.replace(CONFIG, history=History(days=0))
    simulation = open_simulation(tmp_path, config)
    assert abs(simulation.tai_ns() - tai_of_utc(hostclocks.realtime_ns(), LEAPS)) < 0.1 * S
