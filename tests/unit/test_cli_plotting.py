"""What every --plot shares: the file is judged before the computing, and the same report gives the same bytes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from timeball.cli.output import CommandError
from timeball.cli.plotting import PLOT, new_plot, plain_frame, plot_title, save_plot


@pytest.mark.parametrize("name", ["plot.png", "plot.SVG", "plot.pdf"])
def test_a_name_that_can_be_a_plot(name: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert PLOT.convert(str(tmp_path / name), None, None) == tmp_path / name


@pytest.mark.parametrize(
    ("name", "told"), [("plot.gif", "must end in"), ("plot", "must end in"), ("no/plot.png", "no folder")]
)
def test_a_name_that_cannot(name: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=told):
        PLOT.convert(str(tmp_path / name), None, None)


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(CommandError, match=r"timeball\[reports\]"):
        PLOT.convert(str(tmp_path / "plot.png"), None, None)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_same_picture_is_the_same_file(suffix: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    paths = [tmp_path / f"{k}{suffix}" for k in range(2)]
    for path in paths:
        with new_plot(path, 2.0, 1.5) as figure:
            axes = figure.subplots()
            axes.plot([1, 2], [3, 5])
            plain_frame(axes)
            plot_title(axes, "what", "how")
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].stat().st_size > 500


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(CommandError, match="cannot write the plot"), new_plot(tmp_path / "gone" / "a.png", 1.0, 1.0):
        pass


def fail_half_way(path: Path) -> None:
    with new_plot(path, 1.0, 1.0) as figure:
        save_plot(figure, path.with_name("whole.png"))
        raise RuntimeError("on the way")


def test_a_figure_that_failed_is_not_saved(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "half.png"
    with pytest.raises(RuntimeError, match="on the way"):
        fail_half_way(path)
    assert not path.exists()
    assert (tmp_path / "whole.png").exists()
