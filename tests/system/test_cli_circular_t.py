"""`timeball circular-t`: all laboratories, one of them with our own scale beside it, and where it will be."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from bulletins import SECTION_5, Row, circular_t

from timeball.cli.root import run

ROOT = Path(__file__).resolve().parents[2]
SEED = 456


@pytest.fixture
def months(tmp_path: Path) -> list[str]:
    """Three circulars: OP wanders, INPL is stepped, CAO is silent."""
    rng = np.random.default_rng(SEED)
    print("seed", SEED)
    op = np.cumsum(rng.normal(0.0, 0.4, 19))
    inpl = np.cumsum(rng.normal(0.0, 3.0, 19)) - 270.0
    paths = []
    for month in range(3):
        mjd = [61009 + 5 * k for k in range(6 * month, 6 * month + 7)]
        place = slice(6 * month, 6 * month + 7)
        stepped = [value + (300.0 if day > 61018 else 0.0) for value, day in zip(inpl[place], mjd, strict=True)]
        rows: dict[str, Row] = {
            "OP": ("Paris", [f"{value:.1f}" for value in op[place]], "0.2   1.1   1.1"),
            "INPL": ("Jerusalem", [f"{value:.1f}" for value in stepped], "0.2   7.7   7.7 (1)"),
            "CAO": ("Cagliari", ["-"] * 7, ""),
        }
        note = {} if month == 0 else {"note": ""}
        path = tmp_path / f"cirt.{456 + month}.txt"
        path.write_text(circular_t(rows, mjd, 456 + month, **note))
        paths.append(str(path))
    return paths


def document(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    assert run(["circular-t", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_all_laboratories(months: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["circular-t", *months]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Circular T 456, 457, 458: 2 laboratories with values.")
    assert re.search(r"^OP +Paris +19 ", text, re.MULTILINE)
    assert "UTC(INPL) was stepped by -300.0 ns on 2025-12-09." in text
    assert "Without a value: CAO." in text
    found = document(capsys, *reversed(months))
    assert [(each["lab"], len(each["points"])) for each in found["labs"]] == [("INPL", 19), ("OP", 19)]
    assert (found["silent"], found["circulars"]) == (["CAO"], [456, 457, 458])
    assert abs(found["labs"][0]["rate"]) < 3e-15  # with the step it would be 1e-13


def test_the_link_of_a_laboratory_stands_in_section_5(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cirt.456"
    path.write_text(circular_t(rest="\n" + SECTION_5))
    assert run(["circular-t", str(path), "--lab", "OP"]) == 0
    text = capsys.readouterr().out
    assert "Linked to PTB by TWGPPP: uStb 0.2 ns, uCal 1.0 ns; calibrations 1001-2020." in text
    link = document(capsys, path, "--lab", "APL")["link"]
    assert link == {"pivot": "PTB", "technique": "GPSPPP", "u_stb_s": 2e-10, "u_cal_s": None, "calibrations": []}
    assert document(capsys, path, "--lab", "INPL")["link"] is None


def test_one_laboratory_and_where_it_will_be(months: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["circular-t", *months, "--lab", "OP"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("UTC − UTC(OP): 19 values from 2025-11-30 to 2026-02-28; last ")
    assert "OADEV of UTC(OP) against UTC:" in text
    found = re.search(
        r"Next Circular T, about 2026-04-11: UTC − UTC\(OP\) on MJD 61129 is expected at (\S+) ns, "
        r"with 95 % between (\S+) and (\S+) ns",
        text,
    )
    assert found is not None
    value, low, high = map(float, found.groups())
    assert low < value < high
    outlook = document(capsys, *months, "--lab", "OP")["outlook"]
    assert [point["mjd"] for point in outlook["points"]] == [61104, 61109, 61114, 61119, 61124, 61129]
    widths = [point["high_s"] - point["low_s"] for point in outlook["points"]]
    assert widths == sorted(widths)
    assert outlook["points"][-1]["value_s"] * 1e9 == pytest.approx(value, abs=0.051)
    wider = document(capsys, *months, "--lab", "OP", "--confidence", 0.99)["outlook"]["points"]
    drifting = document(capsys, *months, "--lab", "OP", "--drift")["outlook"]["points"]
    for other in (wider, drifting):
        assert other[-1]["high_s"] - other[-1]["low_s"] > widths[-1]


def test_a_named_step_does_not_reach_the_prediction(months: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, *months, "--lab", "INPL")
    last = found["points"][-1]["value_s"]
    assert abs(found["outlook"]["points"][0]["value_s"] - last) < 2e-8
    assert found["outlook"]["points"][0]["u_s"] < 2e-8
    assert [step["step_s"] for step in found["steps"]] == [-3e-7]
    Path(months[0]).write_text(Path(months[0]).read_text().replace("Time step", "Something"))
    blind = document(capsys, *months, "--lab", "INPL")
    assert blind["outlook"]["points"][0]["u_s"] > 5e-8


def test_the_json_is_the_one_that_the_page_describes(months: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    section = (ROOT / "docs" / "commands.md").read_text("utf-8").split("## timeball circular-t\n")[1].split("\n## ")[0]
    with_lab, without = (
        set(re.findall(r"`(\w+)`", found[1])) for found in re.finditer(r"`--lab`:\s(.*?)\.(?:\s|$)", section, re.DOTALL)
    )
    assert with_lab == set(document(capsys, *months, "--lab", "OP"))
    assert without == set(document(capsys, *months))


def test_our_own_scale_beside_it(months: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    days = np.arange(61009.0, 61100.0, 0.25)
    own = tmp_path / "ta.txt"
    lines = [f"{day:.2f} {1e-9 * (day - 61009):.6e}" for day in days]
    own.write_text("# clock = TA(OP)\n# reference = UTC(OP)\n# time = mjd\n" + "\n".join(lines) + "\n")
    found = document(capsys, *months, "--lab", "OP", "--beside", own)
    (beside,) = found["beside"]
    assert (beside["name"], len(beside["points"])) == ("TA(OP)", 19)
    for mine, published in zip(beside["points"], found["points"], strict=True):
        # UTC − TA = (UTC − UTC(OP)) − (TA − UTC(OP)); epochs in the file are of TAI, 37 s earlier: 0.4 ps
        ahead_s = 1e-9 * (mine["mjd"] - 61009)
        assert mine["value_s"] == pytest.approx(published["value_s"] - ahead_s, abs=1e-12)
    assert beside["rate"] == pytest.approx(1e-9 / 86_400 + found["rate"], abs=1e-17)
    assert run(["circular-t", *months, "--lab", "OP", "--beside", str(own)]) == 0
    assert "UTC − TA(OP)/ns" in capsys.readouterr().out
    assert run(["circular-t", *months, "--lab", "INPL", "--beside", str(own)]) == 0  # the only pair stands for it
    other = tmp_path / "other.txt"
    other.write_text(own.read_text().replace("# time", "# made of two:\n# time").replace("610", "500"))
    capsys.readouterr()
    assert run(["circular-t", *months, "--lab", "OP", "--beside", str(other)]) == 1
    assert "nothing in it is compared with UTC(OP)" in capsys.readouterr().err


def test_a_series_of_one_laboratory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "utc_ptb.txt"
    path.write_text("".join(f"{61014 + 5 * k} {0.1 * k:.1f} 0.2 1.1\n" for k in range(8)))
    found = document(capsys, path, "--lab", "PTB")
    assert (len(found["points"]), found["points"][0]["u_s"]) == (8, 1.1e-9)
    path.write_text("61014 0.1\n61019 0.2\n")
    assert run(["circular-t", str(path), "--lab", "PTB"]) == 0
    assert "What comes next cannot be said" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--lab", "XX"], "no value of UTC(XX) in these files; they name CAO, INPL, OP"),
        (["--lab", "CAO"], "no value of UTC(CAO)"),
        (["--plot", "x.png"], "name it with --lab"),
        (["--lab", "OP", "--confidence", "1"], "lies between 0 and 1"),
        (["absent.txt"], "cannot be read"),
    ],
)
def test_wrong_usage_ends_with_1_and_a_sentence(
    months: list[str], capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert run(["circular-t", *months, *options]) == 1
    assert words in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_file_of_another_kind_and_a_bad_row(
    months: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "leap"
    other.write_text("Leap 1972 Jun 30 23:59:60 + S\n")
    assert run(["circular-t", str(other)]) == 1
    assert "neither Circular T" in capsys.readouterr().err
    path = Path(months[1])
    path.write_text(path.read_text().replace("0.2   1.1   1.1", "0.2   1.1"))
    assert run(["circular-t", *months, "--lab", "OP", "--json"]) == 0
    told = capsys.readouterr()
    assert f"{path}:12: uncertainty" in told.err
    assert (json.loads(told.out)["rejected_lines"], len(json.loads(told.out)["points"])) == (1, 14)


def test_the_plot_is_written(months: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "inpl.png"
    assert run(["circular-t", *months, "--lab", "INPL", "--plot", str(path)]) == 0
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert path.stat().st_size > 10_000
