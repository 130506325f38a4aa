"""The walk from two stations' CGGTTS files to one scale: its files are written, its commands are run, in its order."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from guides import Walk, walk

PAGE = "guide/links.md"


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Walk:
    """The folder after the walk, and what each command printed."""
    text = (root / "docs" / PAGE).read_text(encoding="utf-8")
    return walk(text, tmp_path_factory.mktemp("links"), after=stations)


def stations(line: str) -> None:
    """Run the guide's own script, once the clocks that it looks at are simulated."""
    if line.startswith("simulate"):
        runpy.run_path("stations.py")


def truth(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Epochs and HA − HB as they were simulated."""
    from timeball.formats import parse

    readings = parse((folder / "truth.clk").read_bytes(), "truth").readings
    a, b = (readings.clocks.index(name) for name in ("HA", "HB"))
    return readings.epoch[readings.a == a], readings.x[readings.a == a] - readings.x[readings.a == b]


def test_every_command_ran(walked: Walk) -> None:
    folder, printed = walked
    assert [line.split()[0] for line in printed] == ["simulate", *["transfer"] * 5, "stability", "scale"]
    assert (folder / "link.png").stat().st_size > 10_000


def test_the_link_is_off_by_the_delay_until_it_is_calibrated(walked: Walk) -> None:
    folder, printed = walked
    mean_ns = truth(folder)[1].mean() * 1e9
    before, across, after = (
        re.match(r"HA − HB = ([+−]\d+\.\d\d) ns ± (\d\.\d\d) ns", printed[line]) for line in printed if is_plain(line)
    )
    assert before is not None
    assert across is not None
    assert after is not None
    for found, off_ns in ((before, -7.0), (across, -7.0), (after, 0.0)):
        assert float(found[1].replace("−", "-")) == pytest.approx(mean_ns + off_ns, abs=0.5)
    assert float(before[2]) < 0.3
    # uB of the table: 1.2 ns and 1.5 ns, aged by 343 and 43 days at 0.5 ns a year
    u_b = (1.2**2 + (0.5 * 343 / 365.25) ** 2 + 1.5**2 + (0.5 * 43 / 365.25) ** 2) ** 0.5
    assert float(after[2]) == pytest.approx(u_b, abs=0.02)
    assert any("1016-2025 of MJD 61000, 43 days old" in text for text in printed.values())


def is_plain(line: str) -> bool:
    return line.startswith("transfer") and "--json" not in line and "--at" not in line


def test_every_rejected_track_is_in_its_file(walked: Walk) -> None:
    folder, printed = walked
    document = json.loads(next(text for line, text in printed.items() if line.endswith("--json")))
    assert document["n"] > 1000
    below = [each for each in document["rejected"] if each["reason"] == "below 10° of elevation"]
    for each in below[:20]:
        words = (folder / each["file"]).read_text().splitlines()[each["line"] - 1].split()
        assert words[0] == each["satellite"]
        assert int(words[5]) < 100


def test_the_smoothed_link_stands_on_the_clocks_epochs_near_the_truth(walked: Walk) -> None:
    from timeball.formats import parse

    folder, _ = walked
    link = parse((folder / "link.txt").read_bytes(), "link").readings
    epoch, x = truth(folder)
    assert (link.clocks, set(link.epoch.tolist()) <= set(epoch.tolist())) == (("HA", "HB"), True)
    assert len(link) >= 70
    error = link.x - np.interp(link.epoch, epoch, x)
    assert np.sqrt(np.mean(error**2)) < 0.5e-9
    assert np.sqrt(np.mean((error / link.u) ** 2)) < 3


def test_the_scale_holds_the_clocks_of_both(walked: Walk) -> None:
    folder, printed = walked
    table = printed[next(line for line in printed if line.startswith("scale"))]
    assert "scale of 6 clocks" in table
    from timeball.cli.scale import read_table

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        apart, _ = read_table([Path("alpha.clk"), Path("beta.clk")], None, None)
    assert np.isfinite(apart.x).sum(axis=1).max() == 3
