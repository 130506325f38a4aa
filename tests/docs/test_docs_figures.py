"""The figures of the README are what its own commands give on the real file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from timeball.cli.root import root as timeball

pytestmark = pytest.mark.data
ROWS = re.compile(r"^\| ([A-Z0-9]{4}) \| (0\.\d{3}) \| (\S+) \| (\S+) \|", re.MULTILINE)


def run(arguments: list[str]) -> dict[str, object]:
    done = CliRunner().invoke(timeball, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    document: dict[str, object] = json.loads(done.stdout)
    return document


def test_the_table_of_real_clocks(page: Callable[[str], str], shared: Callable[[str], Path]) -> None:
    text = page("README.md")
    names = re.search(r"--clocks ([A-Z0-9,]+)", text)
    assert names is not None
    report = run(["scale", str(shared("rtklib-clk/esa15253.clk.gz")), "--clocks", names[1]])
    clocks = {clock["name"]: clock for clock in report["clocks"]}  # type: ignore[attr-defined]
    rows = ROWS.findall(text)
    assert len(rows) == 5
    for name, weight, at_300_s, at_2400_s in rows:
        sigma = {point["tau_s"]: f"{point['sigma']:.2e}" for point in clocks[name]["oadev"]}
        assert (weight, at_300_s, at_2400_s) == (f"{clocks[name]['weight']:.3f}", sigma[300.0], sigma[2400.0]), name
    least = sorted(clocks, key=lambda name: clocks[name]["weight"])[:3]
    assert "YELL" in least
    assert rows[-1][0] == least[0]
    assert rows[0][0] == max(clocks, key=lambda name: clocks[name]["weight"])


def test_the_figures_as_the_file_gives_them(page: Callable[[str], str], shared: Callable[[str], Path]) -> None:
    document = run(["stability", str(shared("rtklib-clk/esa15253.clk.gz")), "--clock", "AMC2"])
    sigma = {point["tau_s"]: point["sigma"] for point in document["points"]}  # type: ignore[attr-defined]
    words = " ".join(page("README.md").split())
    assert f"{sigma[300.0]:.2e} at 300 s and {sigma[2400.0]:.2e} at 2400 s (`timeball stability" in words
