"""The plot of a link: values with bars, residuals by satellite system, and tracks where they stood in the sky."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from timeball.cli.transfer_plot import draw_link
from timeball.transfer.link import Link, Shown
from timeball.transfer.rejected import Rejections

drawing = pytest.importorskip("matplotlib.figure")

START_NS = (1_763_726_400 + 37) * 10**9  # 2025-11-21 12:00:00 UTC
EPOCHS = START_NS + np.arange(4, dtype=np.int64) * 1800 * 10**9
SEEN = (("G05", 30.0, 90.0), ("G05", 60.0, 180.0), ("E11", 90.0, 0.0), ("R03", 10.0, 270.0))


def link(method: str = "common-view") -> Link:
    satellites, elevation, azimuth = (np.array(column) for column in zip(*SEEN, strict=True))
    if method == "two-way":
        satellites, elevation, azimuth = np.full(4, ""), np.full(4, np.nan), np.full(4, np.nan)
    x = np.array([10.0, 12.0, 11.0, 13.0]) * 1e-9
    residual = np.array([1.0, -2.0, 0.5, 3.0]) * 1e-9
    shown = Shown(EPOCHS, satellites, x, residual, elevation, azimuth)
    u, count = np.array([1e-9, 2e-9, np.nan, 1e-9]), np.ones(4, dtype=np.int64)
    return Link(
        "A", "B", method, EPOCHS, x, u, count, 11.5e-9, 1e-9, 4, 1e-9, float("nan"), Rejections(), shown
    )  # fmt: skip


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[drawing.Figure]:
    figures = []
    monkeypatch.setattr(drawing.Figure, "savefig", lambda figure, *_args, **_options: figures.append(figure))
    return figures


def test_values_and_residuals_stand_at_their_time(drawn: list[drawing.Figure], tmp_path: Path) -> None:
    made = link()
    draw_link(made, made, tmp_path / "link.png")
    top, below = drawn[0].axes[:2]
    (bars,) = top.containers
    np.testing.assert_allclose(bars.lines[0].get_xdata(), [0.0, 30.0, 60.0, 90.0])
    np.testing.assert_allclose(bars.lines[0].get_ydata(), [10.0, 12.0, 11.0, 13.0])
    ends = [segment[:, 1].tolist() for segment in bars.lines[2][0].get_segments()]
    np.testing.assert_allclose(ends, [[9.0, 11.0], [10.0, 14.0], [11.0, 11.0], [12.0, 14.0]])
    assert below.get_xlabel() == "minutes since 2025-11-21 12:00:00 UTC"
    assert top.get_ylabel() == "A − B (ns)"
    rows = {line.get_label(): line.get_ydata().tolist() for line in below.lines if line.get_marker() == "."}
    assert {name: np.round(y, 9).tolist() for name, y in rows.items()} == {
        "GPS": [1.0, -2.0],
        "Galileo": [0.5],
        "GLONASS": [3.0],
    }
    assert [text.get_text() for text in below.get_legend().get_texts()] == ["Galileo", "GPS", "GLONASS"]


def test_tracks_stand_where_they_were_in_the_sky(drawn: list[drawing.Figure], tmp_path: Path) -> None:
    made = link()
    draw_link(made, made, tmp_path / "link.png")
    (sky,) = [axes for axes in drawn[0].axes if axes.name == "polar"]
    (dots,) = sky.collections
    np.testing.assert_allclose(np.degrees(dots.get_offsets()[:, 0]), [90.0, 180.0, 0.0, 270.0])
    np.testing.assert_allclose(dots.get_offsets()[:, 1], [60.0, 30.0, 0.0, 80.0])
    np.testing.assert_allclose(dots.get_array(), [1.0, -2.0, 0.5, 3.0])
    # north is up and east to the right, as on a map of the sky laid on the ground
    assert (sky.get_theta_offset(), sky.get_theta_direction()) == (np.pi / 2, -1)
    assert sky.get_ylim() == (0.0, 90.0)


def test_two_way_has_no_sky_and_a_smoothed_link_a_band(drawn: list[drawing.Figure], tmp_path: Path) -> None:
    made = link("two-way")
    smoothed = made.with_series(EPOCHS, made.x_s, np.full(4, 1e-9), "smoothed")
    draw_link(made, smoothed, tmp_path / "link.svg")
    top, below = drawn[0].axes
    assert [text.get_text() for text in top.get_legend().get_texts()] == [
        "smoothed, band: 1 σ", "measured, bars: 1 σ of scatter"
    ]  # fmt: skip
    assert below.get_legend() is None
    assert below.get_ylabel() == "session − mean (ns)"
