"""`timeball steer`: simulated and real scales, what is told, drawn and refused."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from timeball.cli.steer import command

AUS, OP = "groundstate-utck-tools/utcraus.txt", "bipm-circular-t/cirt.456.txt"
SMALL = ("--runs", "8", "--days", "130", "--seed", "3")


def call(*arguments: object) -> Any:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def told(*arguments: object) -> Any:
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize("law", ["monthly", "pole", "lqg"])
def test_a_steered_scale_stays_nearer_than_a_free_one(law: str) -> None:
    study = told("simulate", *SMALL, "--law", law, "--max-change", "2e-14")
    # a few months are short for a law that answers once a month
    assert study["rms_s"] < (0.6 if law == "monthly" else 0.2) * study["free_rms_s"]
    assert study["low_s"] < study["median_s"] < study["high_s"]
    assert [band["mjd"] % 5 for band in study["bands"]] == [4] * len(study["bands"])
    widths = [band["high_s"] - band["low_s"] for band in study["bands"]]
    assert widths[-1] > 2 * widths[0]
    assert study["covered"] >= 0.6  # 8 runs at 95 %
    assert study["steers"] >= (4 if law == "monthly" else 17)
    assert 0.0 < study["change_rms"] <= 2e-14


def test_without_a_law_nothing_is_steered_and_the_seed_decides() -> None:
    first, second = (told("simulate", *SMALL, "--law", "none") for _ in range(2))
    assert (first["steers"], first["change_rms"], first["limited"]) == (0, 0.0, 0.0)
    assert first["rms_s"] == first["free_rms_s"], "both are of the same days"
    assert first == second
    assert told("simulate", *SMALL[:-1], "4", "--law", "none") != first


def test_the_statement_in_words_and_the_figure(tmp_path: Path) -> None:
    done = call("simulate", *SMALL, "--plot", tmp_path / "steer.svg")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Of 8 laboratories, 95% will be within ")
    assert "as the next Circular T (MJD " in done.stdout
    assert "% of 8 runs (stated: 95%)" in done.stdout
    text = "".join(ET.parse(tmp_path / "steer.svg").getroot().itertext())
    assert text.strip() or (tmp_path / "steer.svg").stat().st_size > 10_000
    assert "UTC(k) − UTC, minus what is predicted (ns)" in (tmp_path / "steer.svg").read_text(encoding="utf-8")


def test_a_loop_that_its_limits_hold_says_what_it_needs(tmp_path: Path) -> None:
    """A maser's drift is 6e-15 a month; a steer of 1e-15 a month cannot follow it."""
    done = call("simulate", *SMALL, "--law", "monthly", "--max-change", "1e-15")
    assert "So the loop does not settle: it needs a larger --max-change" in done.output
    assert "does not settle" not in call("simulate", *SMALL, "--law", "weekly", "--max-change", "2e-14").output


def test_a_real_scale_and_the_weekly_law_of_its_laboratory(shared: Callable[[str], Path]) -> None:
    study = told("simulate", shared(AUS), "--lab", "AUS", "--max-change", "5e-14")
    assert (study["runs"], study["covered"], study["filled_days"]) == (1, None, 0)
    assert study["rms_s"] < 0.1 * study["free_rms_s"]
    assert study["target_mjd"] == 59759
    assert study["high_s"] - study["low_s"] < 5e-9  # UTCr has told nearly all of that month


def test_a_proposal_moves_nothing_and_says_why(shared: Callable[[str], Path]) -> None:
    said = told("propose", shared(OP), "--lab", "OP", "--law", "monthly")
    assert (said["dry_run"], said["limited"], said["held"]) == (True, False, False)
    assert said["rate_now"] == 0.0
    assert abs(said["x_s"]) < 1e-9
    assert said["change"] == pytest.approx(-(said["y"] + said["x_s"] / (45 * 86_400)), abs=1e-21)
    assert [band["mjd"] for band in said["bands"]] == [61039, 61044, 61049, 61054, 61059, 61064, 61069]
    assert "by the month's rate and offset on Circular T" in said["why"]
    assert said["assumed"] is None
    weekly = call("propose", shared(OP), "--lab", "OP", "--law", "weekly", "--drift")
    assert (
        "The files hold Circular T alone, and this law answers UTCr: it has taken the one for the other."
        in weekly.output
    )


def test_steers_so_far_are_known_and_the_last_can_be_taken_back(shared: Callable[[str], Path], tmp_path: Path) -> None:
    steers = tmp_path / "steers.txt"
    steers.write_text("59700.0 -2e-14 first\n59720.5 3e-15 second\n")
    common = (shared(AUS), "--lab", "AUS", "--steers", steers)
    said = told("propose", *common, "--max-change", "5e-14", "--resolution", "1e-16")
    assert said["rate_now"] == pytest.approx(-1.7e-14)
    assert said["limited"]
    assert said["change"] == pytest.approx(-5e-14)
    assert said["bands"][-1]["median_s"] < said["bands"][-1]["unsteered_s"]
    back = told("propose", *common, "--take-back")
    assert (back["law"], back["rate"]) == ("take back", -2e-14)
    assert "steer 2 is taken back" in back["why"]
    shown = call("propose", *common, "--least-change", "1e-12", "--plot", tmp_path / "next.png")
    assert "Proposal, nothing is moved: " in shown.stdout
    assert "left as it is: a change of" in shown.stdout
    assert (tmp_path / "next.png").read_bytes().startswith(b"\x89PNG")


def test_only_what_was_out_is_looked_at(shared: Callable[[str], Path], tmp_path: Path) -> None:
    series = shared(AUS).read_text().splitlines()
    (tmp_path / "cut.txt").write_text("\n".join(line for line in series if int(line.split()[0]) <= 59002))
    whole = told("propose", shared(AUS), "--lab", "AUS", "--at", "59010")
    cut = told("propose", tmp_path / "cut.txt", "--lab", "AUS", "--at", "59010")
    assert whole == cut


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("propose", "nowhere.txt"), "cannot be read"),
        (("simulate", "--model", "sundial"), "no model 'sundial'; there are: 5071A"),
        (("propose", "{op}"), "of many laboratories: say --lab K"),
        (("propose", "{op}", "--lab", "XYZ"), "no values of XYZ"),
        (("propose", "{op}", "--lab", "OP", "--law", "none"), "a proposal needs a law"),
        (("propose", "{op}", "--lab", "OP", "--take-back"), "no steer has the id 0"),
        (("propose", "{op}", "--lab", "OP", "--law", "weekly", "--at", "61000"), "offset from UTC unknown"),
        (("simulate", "{op}", "--lab", "OP"), "a closed loop needs 90"),
        (("simulate", "--drift"), "--drift is for FILES"),
        (("propose", "{aus}", "--lab", "AUS", "--law", "monthly"), "answers Circular T, and the files hold UTCr alone"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], words: str, shared: Callable[[str], Path]) -> None:
    done = call(*(argument.format(op=shared(OP), aus=shared(AUS)) for argument in arguments))
    assert done.exit_code == 1
    assert words in done.output
