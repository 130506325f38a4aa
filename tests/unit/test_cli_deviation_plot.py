"""Plots of deviations: bars end at the limits, slopes that all curves share, masks and what breaks them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from timeball.cli import root
from timeball.cli.deviation_plot import SLOPES
from timeball.cli.plotting import sentences_below

drawing = pytest.importorskip("matplotlib.figure")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[drawing.Figure]:
    figures = []
    monkeypatch.setattr(drawing.Figure, "savefig", lambda figure, *_args, **_options: figures.append(figure))
    return figures


@pytest.fixture
def record(tmp_path: Path) -> Path:
    rng = np.random.default_rng(11)
    x = np.cumsum(rng.standard_normal(600)) * 2e-9
    path = tmp_path / "record.txt"
    path.write_text("# kind: phase\n" + "\n".join(repr(float(each)) for each in x) + "\n")
    return path


def dashed(axes: object) -> list[float]:
    """Slopes of the grey lines, in the logarithms that are drawn."""
    lines = [line for line in axes.lines if line.get_color() == "0.7"]
    return [
        round(float(np.diff(np.log(line.get_ydata()))[0] / np.diff(np.log(line.get_xdata()))[0]), 9) for line in lines
    ]


def test_bars_end_at_the_limits(
    record: Path, tmp_path: Path, drawn: list[drawing.Figure], capsys: pytest.CaptureFixture[str]
) -> None:
    assert root.run(["stability", str(record), "--ci", "0.9", "--json", "--plot", str(tmp_path / "p.png")]) == 0
    points = json.loads(capsys.readouterr().out)["points"]
    (axes,) = drawn[0].axes
    (curve,) = axes.containers
    np.testing.assert_allclose(curve.lines[0].get_ydata(), [point["sigma"] for point in points])
    ends = np.array([segment[:, 1] for segment in curve.lines[2][0].get_segments()])
    np.testing.assert_allclose(ends, [[point["low"], point["high"]] for point in points], rtol=1e-9)
    assert axes.get_legend().get_title().get_text() == "bars: 90 % confidence"
    assert dashed(axes) == list(SLOPES["allan"])


def test_curves_of_two_families_have_only_the_slopes_of_both(
    record: Path, tmp_path: Path, drawn: list[drawing.Figure]
) -> None:
    assert root.run(["stability", str(record), "--type", "adev,mdev", "--plot", str(tmp_path / "p.png")]) == 0
    (axes,) = drawn[0].axes
    assert dashed(axes) == [-1.0, -0.5, 0.0, 0.5]
    title = axes.get_title()
    assert r"$\tau^{-1/2}$ white FM" in title
    # white and flicker PM to one, flicker PM alone to the other
    assert "PM" not in title


def test_limits_of_two_deviations_are_told_apart_and_what_breaks_one_is_ringed(
    record: Path, tmp_path: Path, drawn: list[drawing.Figure], capsys: pytest.CaptureFixture[str]
) -> None:
    assert root.run(["stability", str(record), "--type", "tdev,mtie", "--mask", "prtc-b", "--plot", "p.png"]) == 0
    labels = {line.get_label(): line.get_linestyle() for line in drawn[0].axes[0].lines}
    assert (labels["prtc-b, limit of TDEV"], labels["prtc-b, limit of MTIE"]) == ("-", "--")
    capsys.readouterr()
    assert root.run(["mask", str(record), "--mask", "prtc-b", "--json", "--plot", str(tmp_path / "m.png")]) == 3
    limits = json.loads(capsys.readouterr().out)["limits"]
    for axes, limit in zip(drawn[1].axes, limits, strict=True):
        (rings,) = [line for line in axes.lines if line.get_markersize() == 8]
        broken = [each["tau_s"] for each in limit["points"] if each["value_s"] > each["limit_s"]]
        assert rings.get_xdata().tolist() == broken
    assert any(each["value_s"] > each["limit_s"] for limit in limits for each in limit["points"])


def test_sentences_fit_and_the_rest_is_counted() -> None:
    figure = drawing.Figure(figsize=(4, 2))
    sentences_below(figure, ["a word " * 20] * 8)
    lines = figure.get_supxlabel().splitlines()
    assert max(map(len, lines)) <= 56
    assert lines[-1] == "and 2 more"
