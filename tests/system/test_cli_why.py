"""`timeball why` on a real ledger and on a real day of clocks: it says what was recorded, and why."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ledgers import GENESIS, MINUTE, build_small, entries_of

from timeball.cli import root
from timeball.ensemble.algorithms import algorithm
from timeball.ensemble.steps import CODES
from timeball.instants import Instant, format_utc
from timeball.readings import PhaseTable
from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.reporting.why import Audit, account_of, audit_of_steps

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("ledger"))


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    def run(*arguments: object, code: int = 0) -> Any:
        assert root.run(["why", *map(str, arguments)]) == code
        shown = capsys.readouterr()
        return json.loads(shown.out) if "--json" in arguments else shown.out + shown.err

    return run


def test_it_says_what_the_newest_scale_entry_says(ledger: Path, ask: Ask) -> None:
    scale = [item.payload for item in entries_of(ledger) if item.type == "scale"][-1]
    for place, name in enumerate(scale["clocks"][:-1]):
        told = ask(name, ledger, "--no-stability", "--json")
        assert (told["algorithm"], told["tai_ns"]) == ("AT1", scale["epochs"][-1])
        assert told["weight"] == float(scale["weights"][-1][place])
        assert told["x_s"] == int(scale["x_fs"][-1][place]) / 1e15
        assert told["error_s"] == int(scale["errors_fs"][-1][place]) / 1e15
        assert math.isclose(told["predicted_s"], told["x_s"] - told["error_s"])
        assert told["state"] == CODES[scale["codes"][-1][place]]
        assert sum(told["epochs"].values()) == 300


def test_an_earlier_moment_has_its_own_reason(ledger: Path, ask: Ask) -> None:
    moment = format_utc(Instant.from_ns(GENESIS + 20 * MINUTE), load_leap_table(), 0)
    told = ask("H2", ledger, "--at", moment, "--no-stability", "--json")
    assert told["tai_ns"] == str(GENESIS + 20 * MINUTE)
    assert told["state"] == "starting"
    assert "of 30 epochs learned" in told["why"]
    assert told["fall"] is None


def test_the_words_and_the_scale_without_the_clock(ledger: Path, ask: Ask) -> None:
    words = ask("H2", ledger)
    assert words.startswith("H2 in AT1 at 2027-01-15T")
    assert "prediction" in words
    assert "scale without − with it" in words
    told = ask("H2", ledger, "--json")["stability"]
    assert told[0]["tau_s"] == 60.0
    # a maser at the cap carries two fifths: without it the scale moves by less than the maser itself
    assert 0.0 < told[0]["oadev_scale"] < told[0]["oadev_clock"]
    light = ask("Cs4", ledger, "--json")["stability"]
    assert light[0]["oadev_scale"] < told[0]["oadev_scale"] / 5


def test_a_step_is_found_with_its_reason() -> None:
    """Five clocks for a day, white FM of 1e-12 at 1 s, seed 7: at epoch 200 clock C jumps by 500 ns."""
    print("seed 7")
    noise = np.cumsum(np.random.default_rng(7).normal(0.0, 1e-12 * math.sqrt(300.0), (288, 5)), axis=0)
    noise[200:, 2] += 500e-9
    epochs = GENESIS + np.arange(288, dtype=np.int64) * 5 * MINUTE
    table = PhaseTable(epochs, tuple("ABCDE"), noise - noise[:, :1], np.zeros(288, np.int32), "A")
    steps = algorithm("at1").run(table, None).steps
    account = account_of(audit_of_steps(steps, "C", table))
    [step] = [each for each in account.stretches if each.state == "phase step"]
    assert "500 ns" in step.why
    assert 0 <= (step.first - int(epochs[200])) / (5 * MINUTE) <= 3
    assert account.fall is not None
    assert account.fall.epoch == int(epochs[200])
    before = account_of(audit_of_steps(steps, "C", table, int(epochs[199])))
    assert before.state in ("ok", "at cap", "reduced")
    others = account_of(audit_of_steps(steps, "B", table)).stretches
    assert not [each for each in others if each.state == "phase step"], "one clock's step is no other's"


def test_a_weight_that_reads_the_same_has_not_fallen() -> None:
    weight = np.array([[0.5, 0.5], [0.4998, 0.5002], [0.4, 0.6]])
    nothing = np.zeros(3)
    epochs = GENESIS + np.arange(3, dtype=np.int64)
    table = PhaseTable(epochs, ("A", "B"), np.zeros((3, 2)), np.zeros(3, np.int32), "A")
    code = np.zeros(3, np.int64)
    audit = Audit(
        "AT1", "A", epochs, nothing, nothing, weight[:, 0], nothing, code, [""] * 3, ("A", "B"), weight, table
    )
    fall = account_of(audit).fall
    assert fall is not None
    assert (fall.before, fall.after) == (0.4998, 0.4)
    assert fall.why == "weight 0.400 from its prediction errors; that of B grew by 0.100"
    little = replace(audit, weight=weight[[0, 1, 1], 0])
    assert account_of(little).fall is None


def test_from_files(ask: Ask, shared: Callable[[str], Path]) -> None:
    path = shared("rtklib-clk/esa15253.clk.gz")
    told = ask("WTZR", path, "--clocks", "AMC2,WTZR,NRC1,YELL", "--json")
    assert told["algorithm"] == "AT1"
    assert 0.0 <= told["weight"] <= 0.3 + 1e-9
    assert {row["tau_s"] for row in told["stability"]} >= {300.0, 600.0, 1200.0}


def test_a_kalman_scale_is_told_by_what_was_read(
    ask: Ask, shared: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its phases are estimates: readings, and not they, are held against the scale without the clock."""
    source = (shared("rtklib-clk/esa15253.clk.gz"), "--clocks", "AMC2,WTZR,NRC1,YELL", "--algorithm", "kalman")
    told = ask("NRC1", *source, "--json")
    assert root.run(["scale", *map(str, source), "--json"]) == 0
    [beside] = [each for each in json.loads(capsys.readouterr().out)["clocks"] if each["name"] == "NRC1"]
    ours = [each["oadev_clock"] for each in told["stability"]]
    assert ours == pytest.approx([each["sigma"] for each in beside["oadev"]], rel=1e-9)
    assert told["why"].endswith("from its noise")
    assert told["read_s"] - told["predicted_s"] == pytest.approx(told["error_s"], abs=1e-20)
    assert 0.0 < abs(told["read_s"] - told["x_s"]) < 50e-12
    assert " grew by " in told["fall"]["why"], "nothing became of the clock: another took the weight"


def test_a_kalman_ledger_is_told_by_the_readings_in_it(tmp_path: Path, ask: Ask) -> None:
    state = build_small(tmp_path / "state", more='algorithm = "kalman"')
    entries = entries_of(state)
    scale = [item.payload for item in entries if item.type == "scale"][-1]
    assert scale["algorithm"] == "Kalman"
    told = ask("Cs4", state, "--json")
    place = scale["clocks"].index("Cs4")
    assert told["x_s"] == int(scale["x_fs"][-1][place]) / 1e15
    assert told["read_s"] - told["predicted_s"] == pytest.approx(told["error_s"], abs=1e-20)
    # against the others read at the same epoch the clock stands as its reading says, to what the filter left of it
    batch = entries[scale["readings"]].payload["batch"]
    assert int(batch["epochs"][-1]) == int(told["tai_ns"])
    both = ask("H1", state, "--json")
    read_s = {a: int(x_fs) / 1e15 for (a, _), x_fs in zip(batch["pairs"], batch["x_fs"][-1], strict=True)}
    hub = batch["pairs"][0][1]
    apart = read_s["Cs4"] - (0.0 if hub == "H1" else read_s["H1"])
    assert told["read_s"] - both["read_s"] == pytest.approx(apart, abs=2e-15)


def test_what_is_not_there_is_said(ledger: Path, ask: Ask, tmp_path: Path) -> None:
    assert "there are Cs1, Cs2" in ask("H9", ledger, code=1)
    assert "no ledger here" in ask("H1", tmp_path, code=2)
    assert "--at" in ask("H1", ledger, "--at", "yesterday", code=1)
    assert "nothing of clock H1" in ask("H1", ledger, "--at", "2020-01-01T00:00:00Z", code=1)
