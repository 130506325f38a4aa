"""`timeball psfs`: a rate from reports in files, with what the BIPM says beside it, and every way to ask wrongly."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from bulletins import SECTION_3, circular_t

from timeball.cli.root import run

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = """standard start end d u_a u_b u_srep steer
A-CsF1 61000 61030 -0.2 0.1 0.2 0 Y
A-CsF1 61030 61060 -0.1 0.1 0.2 0 Y
B-CsF1 61010 61040 0.1 0.2 0.1 0 Y
C-Sr1 61000 61060 3.0 0.01 0.02 0.2 N
"""


@pytest.fixture
def columns(tmp_path: Path) -> Path:
    path = tmp_path / "standards.txt"
    path.write_text(COLUMNS)
    return path


def document(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    assert run(["psfs", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_circular_with_its_standards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cirt.txt"
    path.write_text(circular_t(rest="\n" + SECTION_3))
    assert run(["psfs", str(path)]) == 0
    text = capsys.readouterr().out
    assert re.match(r"d = -0\.1\d\d ± 0\.\d\d\d \(1e-15, k = 1\) over MJD 61009 to 61019, from 2 reports of 2", text)
    assert "the scale's frequency is high by 1" in text  # d < 0: TAI's second too short
    assert "The BIPM says -0.380 ± 0.100." in text
    assert "SYRTE-FORb" not in text  # marked N
    assert "the reports agree within their uncertainties" in text
    found = document(capsys, path, "--all")
    assert [each["standard"] for each in found["reports"]] == ["PTB-CS1", "PTB-CSF2", "SYRTE-FORb"]
    assert found["estimates"][0]["bipm_d"] == -3.8e-16
    assert found["estimates"][0]["y"] == -found["estimates"][0]["d"]
    assert {each["y"] for each in found["steering"]} == {6.498e-13, 6.4e-13}
    assert sum(each["weight"] for each in found["reports"]) == pytest.approx(1.0)


def test_the_json_is_the_one_that_the_page_describes(columns: Path, capsys: pytest.CaptureFixture[str]) -> None:
    section = (ROOT / "docs" / "commands.md").read_text("utf-8").split("## timeball psfs\n")[1].split("\n## ")[0]
    sentence = re.search(r"^JSON: (.*?)\.(?:\s|$)", section, re.MULTILINE | re.DOTALL)
    assert sentence is not None
    assert set(re.findall(r"`(\w+)`", sentence[1])) == set(document(capsys, columns))


def test_many_intervals_and_one_standard_off_the_others(columns: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["psfs", str(columns), "--every", "30", "--all"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^61000 to 61030 ", text, re.MULTILINE)
    assert "the reports do not agree within their uncertainties; furthest off is C-Sr1, " in text
    found = document(capsys, columns, "--every", "30")
    assert [(each["start_mjd"], each["end_mjd"]) for each in found["estimates"]] == [(61000, 61030), (61030, 61060)]
    only = document(capsys, columns, "--standards", "B-CsF1")
    assert (only["degrees"], only["reports"][0]["weight"], only["reports"][0]["off"]) == (0, 1.0, None)


def test_the_noise_of_the_scale_decides_how_far_a_report_reaches(
    columns: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--interval", 61150, 61180)
    quiet, noisy = (document(capsys, columns, *asked, "--rwfm", rwfm) for rwfm in (1e-22, 1e-18))
    assert noisy["estimates"][0]["u"] > 10 * quiet["estimates"][0]["u"]
    assert noisy["noise"] == {"wfm": 0.0, "ffm": 0.0, "rwfm": 1e-18}
    assert noisy["estimates"][0]["mean_d"] is None


def test_a_bad_line_is_told_and_the_others_used(columns: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns.write_text(COLUMNS + "D-CsF1 61000 61030 x 1 1 0 Y\n")
    assert run(["psfs", str(columns), "--json"]) == 0
    told = capsys.readouterr()
    assert "standards.txt:6: d 'x': not a number" in told.err
    assert json.loads(told.out)["rejected_lines"] == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--interval", "61030", "61000"], "the first MJD comes before the second"),
        (["--interval", "61000", "61030", "--every", "5"], "give one of them"),
        (["--every", "0"], "the reports span 60 days"),
        (["--every", "1e9"], "the reports span 60 days"),
        (["--standards", "X-1"], "X-1: the files have A-CsF1, B-CsF1, C-Sr1"),
        (["--standards", "C-Sr1"], "--all takes them too"),
        (["--wfm", "-1"], "wfm must be a number of at least 0"),
    ],
)
def test_wrong_usage_ends_with_1_and_a_sentence(
    columns: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert run(["psfs", str(columns), *options]) == 1
    assert words in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_files_that_are_no_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cirt.txt"
    path.write_text(circular_t())
    assert run(["psfs", str(path)]) == 1
    assert "of Circular T it is section 3" in capsys.readouterr().err
    assert run(["psfs", str(tmp_path / "absent")]) == 1
    assert "cannot be read" in capsys.readouterr().err
    early = tmp_path / "early.txt"
    early.write_text(COLUMNS.replace("61000", "60000"))
    assert run(["psfs", str(path), str(early)]) == 1
    assert "no steering correction is known at MJD 60000" in capsys.readouterr().err
    assert run(["psfs", str(path), str(early), "--free"]) == 0


def test_the_plot_is_written(columns: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "rate.svg"
    assert run(["psfs", str(columns), "--all", "--every", "30", "--plot", str(path)]) == 0
    assert b"A-CsF1" in path.read_bytes() or path.stat().st_size > 10_000
    assert run(["psfs", str(columns), "--plot", str(tmp_path / "rate.nonsense")]) == 1
    assert "cannot write the plot" in capsys.readouterr().err
