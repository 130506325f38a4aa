"""`timeball plot`: curves as the records are, gaps open, axes in units that people read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from timeball.cli import record_plot, root
from timeball.cli.measured import Choices, measured_records
from timeball.cli.record_report import views_of

drawing = pytest.importorskip("matplotlib.figure")

Run = Callable[..., tuple[int, str, str]]
PHASE = [5e-9 * k + 1e-10 * (-1) ** k for k in range(400)]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = root.run(["plot", *map(str, arguments)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


@pytest.fixture
def phase(tmp_path: Path) -> Path:
    """400 places, one every 600 s from MJD 61000, of which 100 to 149 and 200 are missing."""
    path = tmp_path / "phase.txt"
    kept = [k for k in range(400) if not 100 <= k < 150 and k != 200]
    path.write_text("# kind: phase\n" + "".join(f"{61000 + k / 144:.9f} {PHASE[k]!r}\n" for k in kept))
    return path


@pytest.fixture
def frequency(tmp_path: Path) -> Path:
    path = tmp_path / "frequency.txt"
    path.write_text("# kind: frequency\n" + "\n".join("nan" if k == 30 else "2e-12" for k in range(60)) + "\n")
    return path


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[drawing.Figure]:
    """The figures that would be saved, as they were drawn."""
    figures = []
    monkeypatch.setattr(drawing.Figure, "savefig", lambda figure, *_args, **_options: figures.append(figure))
    return figures


def test_the_curves_are_the_record_and_gaps_stay_open(
    run: Run, phase: Path, tmp_path: Path, drawn: list[drawing.Figure]
) -> None:
    code, out, err = run(phase, "-o", tmp_path / "p.svg")
    assert code == 0
    assert f"plot written to {tmp_path / 'p.svg'}" in err
    assert "349 values every 600 s; 51 places of the grid without a value" in out
    above, below = drawn[0].axes
    x, y = above.lines[0].get_data()
    there = np.isfinite(y)
    assert np.flatnonzero(~there).tolist() == [*range(100, 150), 200]
    np.testing.assert_allclose(y[there], np.array(PHASE)[there] * 1e6, rtol=1e-9)
    assert above.get_ylabel() == "phase (µs)"
    np.testing.assert_allclose(x, np.arange(400) / 6, atol=1e-4)
    rate = below.lines[0].get_ydata()
    assert np.flatnonzero(np.isnan(rate)).tolist() == [*range(99, 150), 199, 200]
    assert rate[0] == pytest.approx((PHASE[1] - PHASE[0]) / 600 * 1e12, rel=1e-6)
    assert below.get_ylabel() == "fractional frequency over 600 s (10⁻¹²)"
    assert below.get_xlabel() == "hours since 2025-11-21 00:00:00 TAI"


def test_a_line_comes_off_on_request_and_is_told(
    run: Run, phase: Path, tmp_path: Path, drawn: list[drawing.Figure]
) -> None:
    code, out, _ = run(phase, "--recipe", "rate", "--show", "phase", "-o", tmp_path / "p.png")
    assert code == 0
    assert "(8.333e-12 was taken off)" in out
    (axes,) = drawn[0].axes
    assert axes.get_ylabel() == "phase (ps)"
    assert np.nanmax(np.abs(axes.lines[0].get_ydata())) == pytest.approx(100.0, rel=0.02)


def test_records_lie_over_each_other_by_date_or_from_their_start(
    run: Run, phase: Path, tmp_path: Path, drawn: list[drawing.Figure]
) -> None:
    later = tmp_path / "later.txt"
    later.write_text("# kind: phase\n" + "".join(f"{61010 + k} {k * 1e-9!r}\n" for k in range(9)))
    for more in ((), ("--from-start",)):
        assert run(phase, later, "--show", "phase", "-o", tmp_path / "p.png", *more)[0] == 0
    dated, from_start = (figure.axes[0] for figure in drawn)
    assert dated.get_xlabel() == "MJD (TAI)"
    assert [line.get_xdata()[0] for line in dated.lines[:2]] == pytest.approx([61000.0, 61010.0])
    assert from_start.get_xlabel() == "days since the first value"
    assert [line.get_xdata()[0] for line in from_start.lines[:2]] == [0.0, 0.0]
    (legend,) = drawn[0].legends
    assert [text.get_text() for text in legend.get_texts()] == [
        f"clock − reference ({name})" for name in ("phase.txt", "later.txt")
    ]


def test_dates_and_counts_from_nowhere_share_no_dates(phase: Path, frequency: Path) -> None:
    choices = Choices(None, None, None, None, (), None)
    views = [views_of(each, "name", "both", None) for each in measured_records([phase, frequency], choices)]
    axis, since_s = record_plot._places(views, False)
    assert (axis.label, since_s) == ("hours since the first value", [0.0, 0.0])


def test_frequency_over_a_time(run: Run, phase: Path, tmp_path: Path, drawn: list[drawing.Figure]) -> None:
    code, out, _ = run(phase, "--show", "frequency", "--average", "6000", "--json", "-o", tmp_path / "p.pdf")
    document = json.loads(out)
    assert code == 0
    assert (document["samples"], document["missing"], document["average_s"]) == (349, 51, pytest.approx(6000.0))
    assert document["phase_range_s"] is None
    assert document["mean_frequency"] == pytest.approx((PHASE[399] - PHASE[0]) / (399 * 600), rel=1e-6)
    (axes,) = drawn[0].axes
    assert axes.lines[0].get_ydata().size == 39
    code, _, err = run(phase, "--average", "900", "-o", tmp_path / "p.png")
    assert code == 1
    assert "900 s is not a multiple of the interval, 600 s" in err
    code, _, err = run(phase, "--average", "600000", "-o", tmp_path / "p.png")
    assert code == 1
    assert f"{phase}: frequency over 1000 intervals of a record of 399" in err


def test_a_record_of_which_nothing_is_left(run: Run, phase: Path, tmp_path: Path) -> None:
    code, out, _ = run(phase, "--recipe", "exclude:0:1e9", "-o", tmp_path / "p.svg")
    assert code == 0
    assert "0 values every 600 s" in out
    assert "mean frequency ?, phase within ?." in out


def test_the_phase_across_missing_frequencies_is_not_made_up(run: Run, frequency: Path, tmp_path: Path) -> None:
    code, out, _ = run(frequency, "-o", tmp_path / "p.svg")
    assert code == 0
    assert "its phase is not known across missing frequencies and not drawn" in out
    assert b"<svg" in (tmp_path / "p.svg").read_bytes()
    code, _, err = run(frequency, "--show", "phase", "-o", tmp_path / "q.svg")
    assert code == 1
    assert str(frequency) in err
    assert "--show frequency" in err
    assert not (tmp_path / "q.svg").exists()


def test_a_value_alone_is_a_dot(run: Run, tmp_path: Path, drawn: list[drawing.Figure]) -> None:
    path = tmp_path / "sparse.txt"
    path.write_text(
        "# kind: phase\n" + "".join(f"{61000 + k} {k % 7}e-9\n" for k in (*range(200), 300, *range(400, 405)))
    )
    assert run(path, "--show", "phase", "-o", tmp_path / "p.png")[0] == 0
    line, dots, *_ = drawn[0].axes[0].lines
    assert line.get_marker() == "None"
    assert dots.get_xdata().tolist() == pytest.approx([61300.0])
