"""What a station says of itself: with nothing there, with a past alone, of every state; and the series behind plots."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from ledgers import GENESIS, SMALL, Item, build_small, entries_of, write_ledger

from timeball.cli import root
from timeball.ensemble.steps import CODES
from timeball.stability import intervals, oadev
from timeball.station import paths
from timeball.station.configuration.config import Config, ConfigError, parse_config
from timeball.station.fold.timekeeping import STREAM
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.observing.judging import CANNOT_JUDGE, FOUND
from timeball.station.page.clockpage import ObserverPage, PageWriter, TimekeeperPage
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.reporting.series import COARSE_S, RECENT_S, Series
from timeball.station.reporting.status import StatusReader
from timeball.station.reporting.statusparts import LAMPS, finite, leap_part, mjd_of, refid_words, state_of

S = 10**9
LEAPS = load_leap_table()


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A station's state folder with five hours of history, in which no process has run yet."""
    state = build_small(tmp_path_factory.mktemp("past"))
    configured(state, parse_config(SMALL))
    return state


@pytest.fixture(scope="module")
def items(past: Path) -> Sequence[Item]:
    return tuple(entries_of(past))


def configured(state: Path, config: Config) -> Path:
    paths.run_dir(state).mkdir(parents=True, exist_ok=True)
    paths.config_file(state).write_bytes(config.to_json())
    return state


# -- nothing there


def test_where_no_station_has_run_there_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="no effective configuration"):
        StatusReader(tmp_path)
    for folder in (tmp_path, tmp_path / "nowhere"):
        for options in ([], ["--json"]):
            assert root.run(["status", "--state", str(folder), *options]) == 2
            shown = capsys.readouterr()
            assert shown.out == ""
            assert "no station has run here" in shown.err


def test_a_torn_configuration_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured(tmp_path, Config())
    paths.config_file(tmp_path).write_bytes(b'{"station": {')
    assert root.run(["status", "--state", str(tmp_path)]) == 1
    assert "no effective configuration" in capsys.readouterr().err


def test_before_the_first_entry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reader = StatusReader(configured(tmp_path, Config()))
    status = reader.status()
    assert not status["time"]["in_sync"]
    assert status["time"]["utc"] is None
    assert status["clocks"] == []
    assert status["ledger"]["size"] == 0
    assert status["station"]["lamp"] == "red"
    assert [lease["why"] for lease in status["leases"].values()] == [
        f"nobody renewed it: {name} down or still, or its words are not recorded" for name in ("timekeeper", "observer")
    ]
    assert reader.history()["epoch_s"] == []
    assert reader.deviations() == {"type": "oadev", "confidence": 0.683, "clocks": {}}
    assert root.run(["status", "--state", str(tmp_path)]) == 3
    assert capsys.readouterr().out.startswith("RED  withdrawn: ")


# -- a past alone


def test_a_past_alone_shows_clocks_and_no_time(past: Path, items: Sequence[Item]) -> None:
    status = StatusReader(past).status()
    scale = [item.payload for item in items if item.type == "scale"][-1]
    assert (status["time"]["in_sync"], status["time"]["utc"], status["time"]["stratum"]) == (False, None, 0)
    assert [clock["name"] for clock in status["clocks"]] == scale["clocks"]
    for place, clock in enumerate(status["clocks"]):
        assert clock["weight"] == float(scale["weights"][-1][place])
        assert clock["x_s"] == int(scale["x_fs"][-1][place]) / 1e15
        assert clock["y"] == float(scale["rates"][place])
    kinds = {clock["name"]: clock["kind"] for clock in status["clocks"]}
    assert (kinds["H1"], kinds["Cs4"], kinds["OUT"]) == ("active-maser", "5071A", "output signal")
    assert sum(clock["weight"] for clock in status["clocks"]) == pytest.approx(1)
    assert status["output"]["residual_s"] == int(scale["output"]["residual_fs"][-1]) / 1e15
    assert status["ledger"]["size"] == len(items)
    assert status["scale"]["epoch_utc"] is not None
    assert status["processes"] == []


def test_the_command_says_the_same_in_json_and_in_words(past: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["status", "--state", str(past), "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    status = json.loads(json.dumps(StatusReader(past).status()))
    for name in ("clocks", "output", "leases", "time"):
        assert document[name] == status[name]
    assert root.run(["status", "--state", str(past)]) == 3
    words = capsys.readouterr().out
    assert words.startswith("RED  withdrawn: ")
    assert "(simulated laboratory: nothing here is traceable)" in words
    for clock in status["clocks"]:
        assert f"\n{clock['name']} " in words
    assert f"{status['ledger']['size']} entries of {status['ledger']['origin']}" in words
    assert "ALARM    time is withdrawn" in words


def test_what_strangers_recorded_is_not_shown(items: Sequence[Item], tmp_path: Path) -> None:
    scale = next(item for item in reversed(items) if item.type == "scale")
    lie = scale.changed(lambda payload: payload["output"].update(residual_fs=["0"] * 60))
    steer = Item("intruder", "steer", {"why": "as ordered"})
    verdict = Item("intruder", "verdict", {"batch": {"code": 1, "verdict": "made up"}})
    refused = Item("intruder", "actuation", {"refused": "made up"})
    forged = [*items, replace(lie, stream="intruder"), steer, verdict, refused]
    state = configured(write_ledger(tmp_path / "state", forged), parse_config(SMALL))
    status = StatusReader(state).status()
    assert status["output"]["residual_s"] == int(scale.payload["output"]["residual_fs"][-1]) / 1e15
    assert status["output"]["why"] != "as ordered"
    assert not any("made up" in alarm for alarm in status["alarms"])


def test_asked_again_it_sees_what_is_new(items: Sequence[Item], tmp_path: Path) -> None:
    from timeball.ledger import canonical
    from timeball.station.recording.store import NewEntry, Store

    state = configured(write_ledger(tmp_path / "state", items), parse_config(SMALL))
    reader = StatusReader(state)
    assert reader.status()["output"]["utck_minus_utc_s"] is None
    with Store(state) as store:
        served = canonical.encode({"utck_minus_utc_s": "-2e-09", "u_s": "1e-10"})
        store.append_many([NewEntry("served", 1, "served", 1, served)], GENESIS)
    status = reader.status()
    assert (status["output"]["utck_minus_utc_s"], status["output"]["u_s"]) == (-2e-9, 1e-10)
    assert status["clocks"], "what was known before is not forgotten"


# -- leases and verdicts


def serve(state: Path, verdict: int = 0, lease_s: float = 5.0) -> None:
    """Both pages as the timekeeper and the observer would have written them now."""
    raw_ns, boottime_ns, boot = hostclocks.raw_ns(), hostclocks.boottime_ns(), hostclocks.boot_id().words
    ends = (raw_ns + round(lease_s * S), boottime_ns + round(lease_s * S))
    page = TimekeeperPage(
        boot, raw_ns, boottime_ns, GENESIS, 0, 0.0, 1e-7, 1e-8, 0.0, 0.0, 37, 0, 0, 10, 0x7F7F0101, 1, *ends
    )
    for path, kind, words in (
        (paths.timekeeper_page(state), TimekeeperPage, page),
        (paths.observer_page(state), ObserverPage, ObserverPage(boot, *(ends if verdict == 0 else (0, 0)), verdict)),
    ):
        writer = PageWriter(path, kind)
        writer.write(words)
        writer.close()


@pytest.fixture
def station(items: Sequence[Item], tmp_path: Path) -> Path:
    granted = [
        Item("lease", "lease", {"lease": "timekeeper", "state": "granted", "why": "scale, ledger and output agree"}),
        Item("observer-lease", "lease", {"lease": "observer", "state": "granted", "why": "nothing found"}),
        Item("served", "served", {"utck_minus_utc_s": "-2e-09", "u_s": "1e-10"}),
    ]
    return configured(write_ledger(tmp_path / "state", [*items, *granted]), parse_config(SMALL))


def test_in_spec_says_by_how_much(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    serve(station)
    status = StatusReader(station).status()
    assert status["station"]["verdict"] == "in spec: |UTC − UTC(TB)| ≤ 2.2 ns (k = 2)"
    assert status["station"]["lamp"] == "green"
    assert status["alarms"] == []
    assert status["time"]["utc"].endswith("Z")
    assert (status["time"]["stratum"], status["time"]["refid"]) == (10, "127.127.1.1")
    assert all(lease["valid"] and 0 < lease["remaining_s"] <= 5 for lease in status["leases"].values())
    assert status["leases"]["observer"]["why"] == "nothing found"
    assert root.run(["status", "--state", str(station)]) == 0
    assert capsys.readouterr().out.startswith("GREEN  in spec: ")


@pytest.mark.parametrize(
    ("verdict", "why"),
    [(FOUND, "it found something, its words are on their way"), (CANNOT_JUDGE, "nobody renewed it: observer down")],
)
def test_a_lease_that_ended_says_why_as_far_as_is_known(station: Path, verdict: int, why: str) -> None:
    serve(station, verdict)
    status = StatusReader(station).status()
    assert not status["leases"]["observer"]["valid"]
    assert status["leases"]["observer"]["why"].startswith(why)
    assert status["leases"]["timekeeper"]["valid"]
    assert not status["time"]["in_sync"]
    assert status["station"]["verdict"] == "withdrawn: the observer's lease has ended"


def test_nobodys_clock_of_another_boot_is_believed(station: Path) -> None:
    serve(station, lease_s=-1.0)
    status = StatusReader(station).status()
    assert not any(lease["valid"] for lease in status["leases"].values())
    assert all(lease["remaining_s"] == 0 for lease in status["leases"].values())


# -- words


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_state_and_a_reason(code: int) -> None:
    scale: dict[str, Any] = {"codes": [[code]], "clocks": ["A"], "epochs": ["1"], "reasons": {}}
    state, why = state_of(scale, 0)
    assert state in LAMPS
    assert why
    told = {**scale, "reasons": {"1": {"A": "because"}}}
    assert state_of(told, 0) == (state, "because")


def test_codes_mean_what_they_say() -> None:
    states = {
        word: state_of({"codes": [[code]], "clocks": ["A"], "epochs": ["1"], "reasons": {}}, 0)[0]
        for code, word in CODES.items()
    }
    assert {word for word, state in states.items() if state == "in use"} == {"ok", "at cap", "reduced", "phase step"}
    assert states["left out"] == states["came back"] == "left out"
    assert states["missing"] == "missing"
    assert states["no weight"] == "zero weight"


def test_small_words() -> None:
    assert refid_words(0x7F7F0101) == "127.127.1.1"
    assert refid_words(int.from_bytes(b"TB\0\0")) == "TB"
    assert (finite("nan"), finite("inf"), finite("-1e-9")) == (None, None, -1e-9)
    day = 57_754  # 2017-01-01, one second after the leap second of 2016
    midnight = LEAPS.entries[-1].tai_ns
    assert mjd_of(midnight, LEAPS) == day
    assert mjd_of(midnight + 43_200 * S, LEAPS) == day + 0.5
    assert leap_part(None, 37, LEAPS)["tai_minus_utc_s"] is None
    before = leap_part(midnight - 86_400 * S, 36, LEAPS)
    assert before["words"] == "a leap second is announced"
    assert before["next_utc"] == "2017-01-01T00:00:00Z"


# -- series


def series_of(state: Path) -> Series:
    return Series(LedgerReader(state), parse_config(SMALL), LEAPS)


def test_the_past_is_thinned_out_and_the_last_hours_are_whole(past: Path, items: Sequence[Item]) -> None:
    history = series_of(past).history()
    epochs = [int(epoch) for item in items if item.type == "scale" for epoch in item.payload["epochs"]]
    wanted = [e for e in epochs if epochs[-1] - e <= RECENT_S * S or e % int(COARSE_S * S) == 0]
    assert len(epochs) == 300
    assert 100 < len(wanted) < 150
    assert history["epoch_s"] == [epoch / 1e9 - 37 for epoch in wanted]
    assert set(history["clocks"]) == {"Cs1", "Cs2", "Cs3", "Cs4", "Cs5", "H1", "H2", "H3"}
    assert {len(column) for column in history["clocks"].values()} == {len(wanted)}
    assert len(history["output_residual_s"]) == len(wanted)
    assert history["through"] == len(items) - 1
    assert len(history["utck_minus_utc"]["x_s"]) == len(history["utck_minus_utc"]["epoch_s"]) > 200


def test_since_an_entry_only_what_is_new_and_all_of_it(past: Path, items: Sequence[Item]) -> None:
    series = series_of(past)
    scales = [index for index, item in enumerate(items) if item.type == "scale"]
    later = series.history(scales[1])
    assert len(later["epoch_s"]) == sum(len(items[index].payload["epochs"]) for index in scales[2:])
    nothing = series.history(len(items) - 1)
    assert nothing["epoch_s"] == nothing["utck_minus_utc"]["epoch_s"] == []
    assert nothing["through"] == len(items) - 1
    first = series.history(scales[0])["epoch_s"]
    assert first[0] == later["epoch_s"][0] - 3600


def test_figures_are_the_recorded_ones(past: Path, items: Sequence[Item]) -> None:
    scale = next(item.payload for item in reversed(items) if item.type == "scale")
    history = series_of(past).history()
    place = scale["clocks"].index("Cs3")
    assert history["clocks"]["Cs3"][-1] == int(scale["x_fs"][-1][place]) / 1e15
    assert history["output_residual_s"][-60:] == [int(fs) / 1e15 for fs in scale["output"]["residual_fs"]]
    assert history["utck_minus_utc"]["x_s"][-1] == int(scale["utc"]["utck_minus_utc_fs"][-1]) / 1e15


def test_a_clock_that_is_missing_now_keeps_its_past(items: Sequence[Item], tmp_path: Path) -> None:
    last = max(index for index, item in enumerate(items) if item.type == "scale")

    def gone(payload: dict[str, Any]) -> None:
        place = payload["clocks"].index("Cs2")
        for row in payload["x_fs"]:
            row[place] = None

    state = write_ledger(tmp_path / "state", [*items[:last], items[last].changed(gone), *items[last + 1 :]])
    column = series_of(state).history()["clocks"]["Cs2"]
    assert column[-1] is None
    assert column[0] is not None


def test_what_strangers_recorded_is_in_no_plot(past: Path, items: Sequence[Item], tmp_path: Path) -> None:
    scale = next(item for item in items if item.type == "scale")
    state = write_ledger(tmp_path / "state", [*items, replace(scale, stream="intruder")])
    assert series_of(state).history()["clocks"] == series_of(past).history()["clocks"]


def test_the_time_axis_counts_the_leap_seconds_of_its_own_day(items: Sequence[Item], tmp_path: Path) -> None:
    """A recorded file of 2015 lies before the leap second of 2016."""
    shift = 1_432_944_000 * S - GENESIS
    scale = next(item for item in items if item.type == "scale")

    def then(payload: dict[str, Any]) -> None:
        payload["epochs"] = [str(int(epoch) + shift) for epoch in payload["epochs"]]

    history = series_of(write_ledger(tmp_path / "state", [scale.changed(then)])).history()
    last = int(scale.payload["epochs"][-1]) + shift
    assert history["epoch_s"][-1] == last / 1e9 - 35


def test_deviations_come_from_every_epoch(past: Path, items: Sequence[Item]) -> None:
    series = series_of(past)
    got = series.deviations()["clocks"]["H3"]
    x = [
        int(row[scale["clocks"].index("H3")]) / 1e15
        for scale in (item.payload for item in items if item.type == "scale")
        for row in scale["x_fs"]
    ]
    expected = oadev(np.array(x), 60.0)
    assert got["tau_s"] == expected.tau_s[: len(got["tau_s"])].tolist()
    assert got["sigma"] == pytest.approx(expected.sigma[: len(got["sigma"])])
    assert series.deviations() is series.deviations(), "asked again at once it is not computed again"
    assert not any(math.isnan(value) for value in got["sigma"])
    limits = intervals("oadev", expected, np.array(x), 60.0, confidence=0.683)
    for name, wanted in (("low", limits.low), ("high", limits.high)):
        assert [math.nan if each is None else each for each in got[name]] == pytest.approx(
            wanted[: len(got["tau_s"])].tolist(), nan_ok=True
        )
    assert all(low < sigma < high for low, sigma, high in zip(got["low"], got["sigma"], got["high"], strict=True))


def test_epochs_that_were_not_measured_are_gaps(past: Path, items: Sequence[Item], tmp_path: Path) -> None:
    scales = [index for index, item in enumerate(items) if (item.type, item.stream) == ("scale", STREAM)]
    without = [item for index, item in enumerate(items) if index != scales[2]]
    gappy, whole = (series_of(state).deviations() for state in (write_ledger(tmp_path / "state", without), past))
    for name in ("Cs1", "H2"):
        assert gappy["clocks"][name]["tau_s"][0] == 60.0
        assert gappy["clocks"][name]["sigma"][0] == pytest.approx(whole["clocks"][name]["sigma"][0], rel=0.5)


def test_the_processes_are_the_supervisors_list_and_the_kernels_word(past: Path, tmp_path: Path) -> None:

    state = configured(tmp_path, Config())
    rows = [
        {"name": "recorder", "pid": os.getpid(), "restarts": 2},
        {"name": "server", "pid": None, "restarts": 0},
    ]
    paths.processes_file(state).write_bytes(msgspec.json.encode(rows))
    recorder, server = StatusReader(state).status()["processes"]
    assert recorder["up_s"] > 0
    assert server["up_s"] is None
    assert not any("no process" in alarm for alarm in StatusReader(state).status()["alarms"])
    paths.processes_file(state).write_bytes(msgspec.json.encode([{**row, "pid": None} for row in rows]))
    assert StatusReader(state).status()["alarms"][0].startswith("no process of this station runs")
    paths.processes_file(state).write_bytes(b"[{")
    assert StatusReader(state).status()["processes"] == []
