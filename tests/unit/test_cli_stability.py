"""`timeball stability`: files in, table, JSON and plot out; bad lines told and counted."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from timeball import stability
from timeball.cli import root

NBS14 = "892\n809\n823\n798\n671\n644\n883\n903\n677\n"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = root.run(["stability", *map(str, arguments)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


@pytest.fixture
def nbs14(tmp_path: Path) -> Path:
    path = tmp_path / "nbs14.txt"
    path.write_text("# kind: frequency\n" + NBS14)
    return path


def sigmas(out: str) -> list[float]:
    return [point["sigma"] for point in json.loads(out)["points"]]


def test_the_json_of_a_frequency_file(run: Run, nbs14: Path) -> None:
    code, out, err = run(nbs14, "--json", "--tau", "1,2")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert {key: document[key] for key in ("file", "type", "tau0_s", "rejected_lines")} == {
        "file": str(nbs14),
        "type": "oadev",
        "tau0_s": 1.0,
        "rejected_lines": 0,
    }
    assert document["clock"]
    assert [(point["tau_s"], point["n"]) for point in document["points"]] == [(1.0, 8), (2.0, 6)]
    assert [f"{sigma:.7g}" for sigma in sigmas(out)] == ["91.22945", "85.95287"]


@pytest.mark.parametrize(
    ("name", "value"), [("adev", 115.8082), ("oadev", 85.95287), ("mdev", 74.78849), ("tdev", 86.35831)]
)
def test_every_type(run: Run, nbs14: Path, name: str, value: float) -> None:
    code, out, _ = run(nbs14, "--type", name, "--tau", "2", "--json")
    assert code == 0
    assert sigmas(out)[0] == pytest.approx(value, rel=1e-6)


def test_the_table_has_units_and_a_sentence(run: Run, nbs14: Path) -> None:
    _, out, _ = run(nbs14, "--kind", "frequency", "--tau0", "10")
    lines = out.splitlines()
    assert lines[0].startswith("OADEV of ")
    assert lines[1] == "9 values every 10 s"
    assert lines[3].split() == ["tau", "(s)", "sigma", "(1)", "n"]
    assert lines[4].split() == ["10", "9.1229e+01", "8"]
    assert lines[-1].endswith("OADEV is 9.1229e+01 at 10 s and 2.7635e+01 at 40 s.")
    _, timed, _ = run(nbs14, "--type", "tdev", "--tau0", "1e-9")
    assert "52.67 ns" in timed


def test_gaps_of_frequency_stay_gaps(run: Run, tmp_path: Path) -> None:
    """The parser bridges gaps when it sums to phase; a deviation must not feed on what was made up."""
    y = np.random.default_rng(7).standard_normal(400) * 1e-12
    kept = np.ones(400, dtype=bool)
    kept[[100, 250, 251, 252, 399 - 1]] = False
    path = tmp_path / "gaps.txt"
    tagged = [f"{60 * k} {float(y[k])!r}" for k in range(400) if kept[k]]
    path.write_text("# kind = frequency\n# time = seconds\n" + "\n".join(tagged) + "\n")
    _, out, _ = run(path, "--json", "--tau", "60,480")
    expected = stability.oadev(np.where(kept, y, np.nan), 60.0, [1, 8], kind="frequency")
    assert sigmas(out) == expected.sigma.tolist()
    assert [point["n"] for point in json.loads(out)["points"]] == expected.n.tolist()
    assert json.loads(out)["missing"] == 5


def test_hertz_and_nanoseconds(run: Run, tmp_path: Path) -> None:
    y = np.random.default_rng(9).standard_normal(200) * 1e-11
    hertz = tmp_path / "counter.txt"
    hertz.write_text("\n".join(f"{1e7 * (1 + v):.9f}" for v in y) + "\n")
    _, out, _ = run(hertz, "--nominal", "1e7", "--tau", "1,4", "--json")
    np.testing.assert_allclose(sigmas(out), stability.oadev(y, 1.0, [1, 4], kind="frequency").sigma, rtol=1e-4)
    phase = tmp_path / "phase.txt"
    phase.write_text("\n".join(repr(float(v)) for v in y) + "\n")
    _, seconds, _ = run(phase, "--json")
    _, nano, _ = run(phase, "--unit", "ns", "--json")
    np.testing.assert_allclose(sigmas(nano), np.array(sigmas(seconds)) * 1e-9, rtol=1e-12)


def test_a_bad_line_is_told_counted_and_costs_only_itself(run: Run, tmp_path: Path) -> None:
    x = np.random.default_rng(1).standard_normal(100)
    lines = [f"{10 * k} {float(v)!r}" for k, v in enumerate(x)]
    lines[40] = "400 o.5"
    path = tmp_path / "typo.txt"
    path.write_text("# time = seconds\n" + "\n".join(lines) + "\n")
    code, out, err = run(path, "--json")
    assert code == 0
    assert f"{path}:42" in err
    assert "o.5" in err
    document = json.loads(out)
    assert (document["rejected_lines"], document["missing"]) == (1, 1)
    x[40] = np.nan
    assert sigmas(out) == stability.oadev(x, 10.0).sigma.tolist()


def test_many_bad_lines_are_not_all_listed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_text("# time = seconds\n" + "".join(f"{k} {k * k}\n" if k % 2 else f"{k} bad\n" for k in range(100)))
    _, out, err = run(path, "--json")
    assert json.loads(out)["rejected_lines"] == 50
    assert len(err.splitlines()) == 11
    assert "40 more lines" in err


def test_several_files_give_a_list(run: Run, nbs14: Path, tmp_path: Path) -> None:
    packed = tmp_path / "again.txt.gz"
    packed.write_bytes(gzip.compress(nbs14.read_bytes()))
    _, out, _ = run(nbs14, packed, "--json")
    first, second = json.loads(out)
    assert first["points"] == second["points"]
    assert second["file"] == str(packed)
    _, text, _ = run(nbs14, packed)
    assert text.count("OADEV of ") == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--tau", "fortnight"], "neither a spacing nor a time"),
        (["--tau", "1.5"], "not a multiple of the interval"),
        (["--tau", "0"], "not a multiple of the interval"),
        (["--tau", "nan"], "not a multiple of the interval"),
        (["--tau", "64"], "needs 129 phase points"),
        (["--type", "oadev,sdev"], "no deviation 'sdev'"),
        (["--clock", "ZZZ"], "no clock 'ZZZ'"),
        (["--tau0", "-1"], "tau0"),
        (["--nominal", "0"], "must be above 0"),
        (["--kind", "phase", "--nominal", "1e7"], "--nominal is for frequency"),
        (["--plot", "/nowhere/at/all.png"], "cannot write the plot"),
        (["--tau", "1e300"], "longer than any record"),
        (["--plot", "picture.nonsense"], "cannot write the plot"),
    ],
)
def test_what_cannot_be_done_is_said_with_exit_1(run: Run, nbs14: Path, arguments: list[str], told: str) -> None:
    code, _, err = run(nbs14, *arguments)
    assert code == 1
    assert told in err


def test_files_that_are_none(run: Run, tmp_path: Path) -> None:
    assert run(tmp_path / "absent")[0] == 1
    assert "cannot be read" in run(tmp_path)[2]
    prose = tmp_path / "prose.txt"
    prose.write_text("Once upon a time\nthere was a clock.\n")
    code, _, err = run(prose)
    assert code == 1
    assert "prose.txt" in err
    short = tmp_path / "short.txt"
    short.write_text("1\n2\n")
    assert "needs 3 phase points" in run(short)[2]


def test_without_matplotlib_it_says_what_to_install(run: Run, nbs14: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    code, out, err = run(nbs14, "--plot", "x.png")
    assert (code, out) == (1, "")
    assert "pip install 'timeball[reports]'" in err


@pytest.mark.data
def test_real_masers(run: Run, shared: Callable[[str], Path]) -> None:
    """Against the file's own reference the maser shows that reference: 2.0e-13 at 300 s and 5.2e-14 at 2400 s."""
    path = shared("rtklib-clk/esa15253.clk.gz")
    code, out, _ = run(path, "--clock", "AMC2", "--tau", "300,2400", "--json")
    assert code == 0
    assert [f"{sigma:.1e}" for sigma in sigmas(out)] == ["2.0e-13", "5.2e-14"]
    code, _, err = run(path)
    assert code == 1
    assert "choose one of them" in err
    _, out, _ = run(path, "--clock", "AMC2", "--clock", "WTZR", "--json")
    assert [document["clock"] for document in json.loads(out)] == ["AMC2", "WTZR"]


def test_several_types_each_with_its_limits(run: Run, nbs14: Path) -> None:
    code, out, _ = run(nbs14, "--type", "oadev,TDEV,mtot", "--tau", "1,2", "--noise", "wfm", "--ci", "0.95", "--json")
    assert code == 0
    plain, timed, total = json.loads(out)
    assert [each["type"] for each in (plain, timed, total)] == ["oadev", "tdev", "mtotdev"]
    assert [each["unit"] for each in (plain, timed, total)] == ["1", "s", "1"]
    point = plain["points"][1]
    assert (point["alpha"], point["noise"], point["noise_from"]) == (0, "white FM", "given")
    assert point["low"] < point["sigma"] < point["high"]
    assert plain["confidence"] == 0.95
    # SP 1065 prints the values without the bias
    assert [each["sigma"] for each in total["points"]] == pytest.approx([75.50203, 75.83606], rel=1e-6, abs=0.0)
    assert total["points"][0]["bias"] == 0.73
    _, raw, _ = run(nbs14, "--type", "mtot", "--tau", "1", "--noise", "wfm", "--raw", "--ci=0.95", "--json")
    assert json.loads(raw)["points"][0]["sigma"] == pytest.approx(75.50203 * 0.73**0.5, rel=1e-6)
    assert json.loads(raw)["points"][0]["low"] == pytest.approx(total["points"][0]["low"] * 0.73**0.5, rel=1e-9)


def test_ci_stands_alone_before_a_file_or_an_option(run: Run, nbs14: Path) -> None:
    for arguments in (("--ci", nbs14, "--json"), (nbs14, "--json", "--ci"), (nbs14, "--ci", "--json")):
        code, out, _ = run(*arguments)
        assert code == 0
        assert json.loads(out)["confidence"] == 0.683
    code, _, err = run(nbs14, "--ci", "95")
    assert code == 1
    assert "95" in err
    _, table, _ = run(nbs14, "--ci", "--type", "mtie")
    assert table.splitlines()[4].split() == ["tau", "(s)", "sigma", "n", "low", "high", "edf", "noise"]
    assert table.splitlines()[5].split()[-5:] == ["?", "?", "?", "white", "FM"]


def test_a_recipe_is_applied_told_stored_and_done_again(run: Run, tmp_path: Path) -> None:
    x = np.cumsum(np.random.default_rng(4).standard_normal(300)) * 1e-12
    dirty = x.copy()
    dirty[77] += 1e-8
    path = tmp_path / "phase.txt"
    path.write_text("\n".join(repr(float(v)) for v in dirty) + "\n")
    _, out, _ = run(path, "--recipe", "outliers:6,drift", "--json")
    document = json.loads(out)
    assert document["recipe"]["steps"][0]["places"] == [77]
    assert (document["samples"], document["missing"]) == (299, 0)
    x[77] = np.nan
    t = np.arange(300.0)
    known = ~np.isnan(x)
    flat = x - np.polyval(np.polyfit(t[known], x[known], 2), t)
    np.testing.assert_allclose(sigmas(out), stability.oadev(flat, 1.0).sigma, rtol=1e-9)
    stored = tmp_path / "result.json"
    stored.write_text(out)
    _, again, _ = run(path, "--recipe", stored, "--json")
    assert json.loads(again) == document
    _, table, _ = run(path, "--recipe", "outliers:6,drift")
    assert "1 values removed by the recipe; recipe: outliers, drift" in table
    for wrong, told in (("polish", "no step"), (tmp_path / "no.json", "cannot be read"), (path, "no step")):
        code, _, err = run(path, "--recipe", wrong)
        assert code == 1
        assert told in err
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    assert "is not JSON" in run(path, "--recipe", broken)[2]


def test_windows_that_move(run: Run, tmp_path: Path) -> None:
    x = np.cumsum(np.random.default_rng(4).standard_normal(400))
    path = tmp_path / "phase.txt"
    path.write_text("\n".join(repr(float(v)) for v in x) + "\n")
    code, out, _ = run(path, "--dynamic", "100", "--tau", "1,8", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["window_points"] == 100
    assert document["centre_s"][:2] == [49.5, 74.5]
    assert document["sigma"][1] == stability.oadev(x[25:125], 1.0, [1, 8]).sigma.tolist()
    _, table, _ = run(path, "--dynamic", "100", "--tau", "1,8")
    assert "13 windows of 100 values" in table
    assert "changes by a factor" in table
    assert "3 or more" in run(path, "--dynamic", "2")[2]
    assert "one --type" in run(path, "--dynamic", "50", "--type", "adev,mdev")[2]
    picture = tmp_path / "moving.svg"
    assert run(path, "--dynamic", "100", "--tau", "1,8", "--plot", picture)[0] == 0
    assert b"<svg" in picture.read_bytes()


def test_the_plot_of_several_records_with_a_mask(run: Run, nbs14: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    other = tmp_path / "other.txt"
    other.write_text("# kind: frequency\n" + NBS14)
    picture = tmp_path / "both.svg"
    code, _, err = run(nbs14, other, "--type", "tdev", "--mask", "prtc-a", "--plot", picture)
    assert code == 0
    assert str(picture) in err
    assert b"<svg" in picture.read_bytes()
    assert "no mask is called" in run(nbs14, "--mask", "prtc-z", "--plot", picture)[2]
