"""`timeball mask` and `timeball hat`: verdicts, exit codes, JSON and plots, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from timeball.cli import root
from timeball.stability.hat import three_clocks

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = root.run([str(each) for each in arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def write(path: Path, x: np.ndarray, start: int = 0, tau0: int = 10) -> Path:
    rows = [f"{start + tau0 * k} {float(v)!r}" for k, v in enumerate(x) if np.isfinite(v)]
    path.write_text("# time = seconds\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def pps(tmp_path: Path) -> Path:
    """A day and a half of a calm 1 PPS, one value every 100 s: white phase of 1 ns."""
    return write(tmp_path / "pps.txt", 1e-9 * np.random.default_rng(1).standard_normal(1_300), tau0=100)


def test_a_calm_signal_passes(run: Run, pps: Path) -> None:
    code, out, _ = run("mask", pps, "--mask", "prtc-a", "--time-error", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["verdict"] == "PASS"
    assert document["time_error"]["verdict"] == "PASS"
    assert document["time_error"]["largest_s"] < 1e-9
    mtie, tdev = document["limits"]
    assert (mtie["deviation"], tdev["deviation"]) == ("mtie", "tdev")
    assert (tdev["from_s"], tdev["to_s"], tdev["needed_s"]) == (100.0, 10_000.0, 10_000.0)
    assert min(p["limit_s"] / p["value_s"] - 1 for p in tdev["points"]) == pytest.approx(tdev["margin"])


def test_a_broken_limit_is_exit_3_and_named(run: Run, pps: Path, tmp_path: Path) -> None:
    x = 1e-9 * np.random.default_rng(1).standard_normal(1_300)
    x[700:] += 150e-9
    code, out, _ = run("mask", write(tmp_path / "jump.txt", x), "--mask", "prtc-a", "--mask", "g811")
    assert code == 3
    assert out.startswith("clock against reference, prtc-a: FAIL; MTIE is ")
    assert "clock against reference, g811: FAIL" in out
    assert "over the limit at 10 s" in out
    code, out, _ = run("mask", pps, "--mask", "eprc")
    assert code == 3
    assert "take care" in out


def test_a_short_record_is_neither(run: Run, tmp_path: Path) -> None:
    short = write(tmp_path / "short.txt", 1e-10 * np.random.default_rng(1).standard_normal(400))
    code, out, _ = run("mask", short, "--mask", "prtc-b")
    assert code == 0
    assert "prtc-b: too short" in out.splitlines()[0]
    _, out, _ = run("mask", short, "--mask", "prtc-b", "--json")
    assert [each["verdict"] for each in json.loads(out)["limits"]] == ["too short", "too short"]


def test_frequency_is_judged_without_a_time_error(run: Run, tmp_path: Path) -> None:
    y = tmp_path / "y.txt"
    values = 1e-12 * np.random.default_rng(2).standard_normal(500)
    y.write_text("# kind = frequency\n" + "\n".join(repr(float(v)) for v in values) + "\n")
    assert run("mask", y, "--mask", "g811", "--tau0", "10")[0] == 0
    code, _, err = run("mask", y, "--mask", "prtc-a", "--time-error")
    assert code == 1
    assert "of phase" in err
    code, _, err = run("mask", y, "--mask", "nonsense")
    assert code == 1
    assert "there are: g811" in err


def test_a_time_error_that_fails_is_what_the_sentence_names(run: Run, tmp_path: Path) -> None:
    x = 1e-6 + 1e-10 * np.random.default_rng(1).standard_normal(200)
    code, out, _ = run("mask", write(tmp_path / "far.txt", x), "--mask", "prtc-a", "--time-error")
    assert code == 3
    assert out.splitlines()[0] == "clock against reference, prtc-a: FAIL; the time error reaches 1 µs."


def test_the_masks_are_drawn_over_all_that_either_judges(
    run: Run, pps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = pytest.importorskip("matplotlib.figure")
    drawn = []
    monkeypatch.setattr(figure.Figure, "savefig", lambda each, *_, **__: drawn.append(each))
    code, out, _ = run("mask", pps, "--mask", "prtc-a", "--mask", "prtc-b", "--plot", tmp_path / "mask.png", "--json")
    assert code == 3  # 1 ns of white phase is no PRTC-B
    (curve,) = (line for line in drawn[0].axes[1].lines if line.get_label() == "clock − reference")
    taus = [{point["tau_s"] for point in each["limits"][1]["points"]} for each in json.loads(out)]
    assert curve.get_xdata().tolist() == sorted(taus[0] | taus[1])
    assert taus[0] != taus[1]


@pytest.fixture
def corners(tmp_path: Path) -> tuple[list[Path], list[np.ndarray]]:
    rng = np.random.default_rng(3)
    a, b, c = (np.cumsum(level * rng.standard_normal(600)) for level in (1e-9, 2e-9, 4e-9))
    differences = [a - b, b - c, c - a]
    names = ("ab.txt", "bc.txt", "ca.txt")
    return [write(tmp_path / name, x) for name, x in zip(names, differences, strict=True)], differences


def test_three_files_are_three_clocks(run: Run, corners: tuple[list[Path], list[np.ndarray]]) -> None:
    files, differences = corners
    code, out, _ = run("hat", *files, "--tau", "10,80", "--names", "H1,H2,Cs", "--json")
    document = json.loads(out)
    expected = three_clocks(*differences, 10.0, [1, 8])
    assert code == 0
    assert [each["clock"] for each in document["clocks"]] == ["H1", "H2", "Cs"]
    for row, each in enumerate(document["clocks"]):
        np.testing.assert_allclose(each["variance"], expected.variance[row], rtol=1e-9)
    assert document["tau_s"] == [10.0, 80.0]
    _, table, _ = run("hat", *files, "--tau", "10,80", "--method", "hat")
    assert table.splitlines()[0] == "OADEV of three clocks, three-cornered hat"
    assert table.splitlines()[2].split() == ["tau", "(s)", "A", "B", "C", "closure", "n"]
    assert table.splitlines()[-1].startswith("Quietest is A at 10 s")


def test_records_that_begin_apart_are_put_on_common_epochs(
    run: Run, corners: tuple[list[Path], list[np.ndarray]], tmp_path: Path
) -> None:
    files, differences = corners
    late = write(tmp_path / "late.txt", differences[1][50:], start=500)
    _, out, _ = run("hat", files[0], late, files[2], "--tau", "10", "--json")
    expected = three_clocks(*(each[50:] for each in differences), 10.0, [1])
    assert json.loads(out)["clocks"][0]["variance"] == pytest.approx(expected.variance[0].tolist(), rel=1e-9)
    off = write(tmp_path / "off.txt", differences[1], start=4)
    assert "not of the same epochs" in run("hat", files[0], off, files[2])[2]
    never = write(tmp_path / "never.txt", differences[1], start=10**6)
    assert "no time in common" in run("hat", files[0], never, files[2])[2]
    other = write(tmp_path / "other.txt", differences[1], tau0=20)
    assert "one interval" in run("hat", files[0], other, files[2])[2]


def test_what_is_no_hat_is_refused(run: Run, corners: tuple[list[Path], list[np.ndarray]]) -> None:
    files, _ = corners
    assert "three corners: 2 records" in run("hat", *files[:2])[2]
    code, _, err = run("hat", *files, "--names", "A,B")
    assert code == 1
    assert "three names" in err


def test_the_hat_is_drawn(run: Run, corners: tuple[list[Path], list[np.ndarray]], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "hat.svg"
    assert run("hat", *corners[0], "--type", "tdev", "--tau", "10,40", "--plot", picture)[0] == 0
    assert b"<svg" in picture.read_bytes()


def test_a_hat_without_any_point_is_not_drawn(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    still = write(tmp_path / "still.txt", np.full(50, 1e-9))
    code, out, err = run("hat", still, still, still, "--plot", tmp_path / "hat.png")
    assert code == 1
    assert out.splitlines()[-1] == "At no averaging time can all three be told apart."
    assert "nothing to draw" in err
    assert not (tmp_path / "hat.png").exists()


@pytest.mark.data
def test_three_masers_of_one_file(run: Run, shared: Callable[[str], Path]) -> None:
    """AMC2, WTZR and NRC1 are hydrogen masers seen through GPS: some 1e-14 at 1200 s, and alike."""
    path = shared("rtklib-clk/esa15253.clk.gz")
    clocks = [word for name in ("AMC2", "WTZR", "NRC1") for word in ("--clock", name)]
    code, out, _ = run("hat", path, *clocks, "--tau", "1200", "--json")
    document = json.loads(out)
    assert code == 0
    assert [each["clock"] for each in document["clocks"]] == ["AMC2", "WTZR", "NRC1"]
    assert [f"{each['sigma'][0]:.1e}" for each in document["clocks"]] == ["1.2e-14", "1.5e-14", "1.6e-14"]
    assert max(document["closure"]) < 1e-20
