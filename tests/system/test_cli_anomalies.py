"""`timeball anomalies`: observatory masers over years, links and reference from plain files, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from timeball.cli.anomalies import command
from timeball.cli.output import exit_code_of
from timeball.instants import DAY_NS, MJD_OF_1970

MASERS = ("ao2gps", "gbt2gps", "effix2gps", "vla2gps", "pks2gps")
# What their keepers did, as the daily files show it: the clock, MJD of the first grid epoch after, size (s; 1).
STEPS = [
    ("UTC(VLA)", "phase step", 57349, 3.6e-6),
    ("UTC(VLA)", "phase step", 57449, 2.2e-6),
    ("UTC(VLA)", "phase step", 57564, -3.24e-6),
    ("UTC(GBT)", "phase step", 57934, 2.9e-6),
    ("UTC(VLA)", "phase step", 57934, -1.2e-6),
    ("UTC(VLA)", "phase step", 58194, 6.3e-6),
    ("UTC(GBT)", "phase step", 58204, 0.69e-6),
    ("UTC(AO)", "phase step", 58484, -0.28e-6),
    ("UTC(VLA)", "phase step", 59014, -4.4e-6),
]


def call(*arguments: object) -> Any:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.mark.data
def test_five_masers_over_five_years_their_steps_found_and_named(shared: Callable[[str], Path], tmp_path: Path) -> None:
    files = [shared(f"ipta-pulsar-clock-corrections/{name}.clk") for name in (*MASERS, "gps2utc")]
    plot = tmp_path / "masers.svg"
    since = ("--reference", "UTC(USNO)", "--grid", 5, "--since", 57060, "--until", 59080)
    done = call(*files, *since, "--plot", plot, "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["clocks"] == ["UTC(AO)", "UTC(GBT)", "UTC(EFFIX)", "UTC(VLA)", "UTC(PKS)"]
    assert int(document["last_tai_ns"]) - int(document["first_tai_ns"]) > 5 * 365 * DAY_NS
    found = document["anomalies"]
    for clock, kind, mjd, size in STEPS:
        near = [
            each
            for each in found
            if each["clocks"] == [clock]
            and each["kind"] == kind
            and int(each["tai_ns"]) == (mjd - MJD_OF_1970) * DAY_NS
        ]
        assert near, (clock, kind, mjd)
        assert sum(each["size"] for each in near) == pytest.approx(size, rel=0.05)
    # quiet masers stay quiet, and GPS and UTC are not blamed for what the observatories did
    assert len([each for each in found if each["clocks"] == ["UTC(EFFIX)"]]) <= 3
    assert len([each for each in found if each["origin"] == "reference"]) <= 1
    assert len(found) < 60
    assert plot.read_text().startswith("<?xml")


def write_laboratory(folder: Path, moved: dict[str, float]) -> list[Path]:
    """Six clocks against C0, a file each, hourly; some of them stepped (s) at epoch 600."""
    rng = np.random.default_rng(3)
    phases = np.cumsum(rng.normal(scale=1e-9, size=(900, 7)), axis=0)
    paths = []
    for j in range(1, 7):
        name = f"C{j}"
        x = phases[:, j] - phases[:, 0] + np.where(np.arange(900) >= 600, moved.get(name, 0.0), 0.0)
        head = (
            f"# kind = phase\n# unit = s\n# time = seconds\n# clock = {name}\n# reference = C0\n# start_ns = {10**18}\n"
        )
        paths.append(folder / f"{name}.txt")
        paths[-1].write_text(head + "".join(f"{3600 * k} {value!r}\n" for k, value in enumerate(x.tolist())))
    return paths


@pytest.mark.parametrize(
    ("moved", "origin", "who"),
    [
        ({"C2": 12e-9}, "clock", ["C2"]),
        ({"C4": 12e-9, "C5": 12e-9, "C6": 12e-9}, "link", ["C4", "C5", "C6"]),
        ({f"C{j}": 12e-9 for j in range(1, 7)}, "reference", ["C0"]),
    ],
)
def test_clock_link_and_reference(tmp_path: Path, moved: dict[str, float], origin: str, who: list[str]) -> None:
    paths = write_laboratory(tmp_path, moved)
    done = call(*paths, "--reference", "C0", "--link", "far=C4,C5,C6", "--json")
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)["anomalies"]
    assert (found["kind"], found["origin"], found["clocks"]) == ("phase step", origin, who)
    assert found["tai_ns"] == str(10**18 + 600 * 3600 * 10**9)
    assert abs(found["size"]) == pytest.approx(12e-9, abs=5e-9)
    told = call(*paths, "--reference", "C0", "--link", "far=C4,C5,C6")
    assert "7 clocks, 900 epochs" in told.stdout
    assert "1 phase step." in told.stdout
    assert f"{origin} {'far' if origin == 'link' else who[0]}" in told.stdout


def test_nothing_happened_and_what_makes_no_sense(tmp_path: Path) -> None:
    paths = write_laboratory(tmp_path, {})
    assert "nothing out of the ordinary" in call(*paths).stdout
    assert call(*paths, "--link", "far").exit_code == 2  # click's own; the root command makes it 1
    assert "not in the files" in call(*paths, "--link", "far=C9").output
    assert call(*paths, "--clocks", "C1,C9").exit_code == 1
    short = call(*paths, "--until", 52160)
    assert exit_code_of(short.exception) == 1 or short.exit_code == 1


@pytest.mark.data
def test_one_clock_is_judged_against_what_it_is_compared_with(shared: Callable[[str], Path]) -> None:
    """Green Bank in 2004: four days of 81 µs, seen at one epoch of the grid, and half a µs that stayed."""
    done = call(
        shared("ipta-pulsar-clock-corrections/gbt2gps.clk"), "--grid", 5, "--since", 52900, "--until", 53250, "--json"
    )
    document = json.loads(done.stdout)
    assert (document["clocks"], document["reference"]) == (["UTC(GBT)"], "UTC(GPS)")
    assert [each["tai_ns"] for each in document["lone"]] == [str((53109 - MJD_OF_1970) * DAY_NS)]
    first, second = document["anomalies"]
    assert [each["kind"] for each in (first, second)] == ["phase step", "phase step"]
    assert first["tai_ns"] == str((53114 - MJD_OF_1970) * DAY_NS)
    assert [each["size"] for each in (first, second)] == pytest.approx([-515e-9, 575e-9], rel=0.05)
