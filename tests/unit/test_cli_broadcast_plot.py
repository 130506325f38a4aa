"""The plot of UTC against the UTC that is broadcast: days, open where nothing is known, bars on what u is of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from timeball.cli.broadcast_plot import draw_broadcast
from timeball.cli.output import CommandError
from timeball.transfer.broadcast import DayOfUTC

drawing = pytest.importorskip("matplotlib.figure")
NAN = float("nan")


def day(mjd: int, lab_ns: float, utc_ns: float, u_ns: float) -> DayOfUTC:
    return DayOfUTC(mjd, 0, NAN, NAN, 9, NAN, NAN, NAN, lab_ns * 1e-9, utc_ns * 1e-9, u_ns * 1e-9, "no message")


def test_days_bars_and_gaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = []
    monkeypatch.setattr(drawing.Figure, "savefig", lambda figure, *_args, **_options: figures.append(figure))
    days = [day(61000, 5.0, 3.0, 0.5), day(61001, NAN, NAN, NAN), day(61002, 6.0, NAN, 0.25)]
    draw_broadcast(days, tmp_path / "days.png", "three days.")
    (axes,) = figures[0].axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("MJD, at 0h UTC", "difference (ns)")
    lab, utc = axes.containers
    assert [each.get_label() for each in (lab, utc)] == ["UTC(k) − broadcast UTC", "UTC − broadcast UTC"]
    np.testing.assert_allclose(lab.lines[0].get_xdata(), [61000, 61001, 61002])
    np.testing.assert_allclose(lab.lines[0].get_ydata(), [5.0, NAN, 6.0])
    np.testing.assert_allclose(utc.lines[0].get_ydata(), [3.0, NAN, NAN])
    bars = [[segment[:, 1] for segment in each.lines[2][0].get_segments() if segment.size] for each in (lab, utc)]
    assert [max(np.ptp(bar) / 2 for bar in each) for each in bars] == pytest.approx([0.25, 0.5])
    assert bars[0][0].tolist() == pytest.approx([5.0, 5.0]), "u is of the last difference, here UTC − broadcast UTC"


def test_days_without_a_value_are_no_plot(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nothing to draw: no message"):
        draw_broadcast([day(61000, NAN, NAN, NAN)], tmp_path / "days.png", "one day.")
    assert not (tmp_path / "days.png").exists()
