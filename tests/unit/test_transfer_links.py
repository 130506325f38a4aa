"""Common view and all in view on tracks made up here: signs, codes, outliers, ephemerides, ionosphere, reasons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from timeball.readings import Readings
from timeball.transfer import (
    Limits,
    NoLinkError,
    Options,
    StationTracks,
    TransferError,
    all_in_view,
    by_reason,
    common_view,
    join_tracks,
)

DAY = 1_700_000_000 * 10**9
STEP = 960 * 10**9


def station(
    name: str,
    offset_s: float = 0.0,
    *,
    epochs: int = 20,
    satellites: Sequence[str] = ("G01", "G02", "G03", "G04"),
    noise: np.random.Generator | None = None,
    **columns: Any,
) -> StationTracks:
    """Tracks of a clock that is ``offset_s`` from system time, satellites in turn at 20°, 40°, 60°, 80°."""
    n = epochs * len(satellites)
    epoch = np.repeat(DAY + STEP * np.arange(epochs), len(satellites))
    value = np.full(n, offset_s) + (0.0 if noise is None else noise.normal(0.0, 1e-9, n))
    elevation = np.tile([20.0 * (1 + i % 4) for i in range(len(satellites))], epochs)
    made: dict[str, Any] = {
        "source": np.zeros(n, dtype=np.int64), "line": np.arange(20, 20 + n), "epoch": epoch,
        "satellite": np.tile(np.array(satellites, dtype="U3"), epochs), "track_s": np.full(n, 780.0),
        "elevation_deg": elevation, "azimuth_deg": np.full(n, 90.0), "refsv_s": value + 1e-4, "refsys_s": value,
        "srsys": np.zeros(n), "dsg_s": np.full(n, 2e-9), "ioe": np.full(n, 7), "mdio_s": np.full(n, 10e-9),
        "msio_s": np.full(n, 10e-9), "frc": np.full(n, "L1C", dtype="U3"),
    }  # fmt: skip
    return StationTracks(name, (f"{name}.cctf",), **(made | columns))


def test_a_link_is_clock_a_minus_clock_b_at_the_middle_of_the_tracks() -> None:
    for method in (common_view, all_in_view):
        link = method(station("A", 5e-9), station("B", -2e-9))
        assert link.mean_s == pytest.approx(7e-9, abs=1e-20)
        assert link.x_s == pytest.approx(7e-9, abs=1e-20)
        assert link.epoch[0] == DAY + 390 * 10**9
        assert not link.rejected
        readings = link.readings()
        assert (readings.clocks, len(readings)) == (("A", "B"), 20)
        assert readings.x == pytest.approx(7e-9, abs=1e-20)


def test_a_reading_of_a_link_turns_a_clock_of_one_side_into_one_of_the_other() -> None:
    from timeball.readings import phase_table

    link = common_view(station("A", 5e-9), station("B", -2e-9)).readings()
    rows = [(int(epoch), "X", "A", 1e-9, math.nan) for epoch in link.epoch]
    table = phase_table(Readings.concat([link, Readings.from_rows(rows)]), "B")
    assert table.x[:, table.clocks.index("X")] == pytest.approx(8e-9, abs=1e-20)


def test_uncertainty_of_an_epoch_is_that_of_a_mean() -> None:
    rng = np.random.default_rng(5)
    a, b = (station(name, noise=rng, epochs=400) for name in ("A", "B"))
    link = common_view(a, b, Options(weights="equal", sigmas=0.0))
    assert link.u_s == pytest.approx(np.sqrt(2.0 / 4.0) * 1e-9, rel=0.06)
    assert link.u_a_s == pytest.approx(link.u_s[0] / math.sqrt(400), rel=0.6)
    assert abs(link.mean_s) < 4 * link.u_a_s
    apart = all_in_view(a, b, Options(weights="equal", sigmas=0.0))
    assert apart.u_s == pytest.approx(link.u_s, rel=0.06)


def test_an_outlier_is_left_out_at_both_ends_and_a_step_is_not() -> None:
    rng = np.random.default_rng(6)
    a, b = (station(name, noise=rng, epochs=100) for name in ("A", "B"))
    jump = a.refsys_s.copy()
    jump[200:] += 300e-9  # the clock makes a step: no track of it is an outlier
    jump[37] += 40e-9
    link = common_view(a.replaced(refsys_s=jump), b)
    assert [(each.file, each.line) for each in link.rejected] == [("A.cctf", 57), ("B.cctf", 57)]
    assert link.rejected[0].reason == "more than 5 σ from the others"
    assert float(link.rejected[0].value.split()[0]) == pytest.approx(40, abs=6)
    assert not common_view(a.replaced(refsys_s=jump), b, Options(sigmas=0.0)).rejected


def test_every_limit_has_its_reason() -> None:
    a, b = station("A"), station("B")
    for column, row, value, reason in (
        ("elevation_deg", 1, 9.9, "below 10° of elevation"),
        ("track_s", 2, 700.0, "shorter than 750 s"),
        ("dsg_s", 3, 21e-9, "with DSG above 20 ns"),
        ("srsys", 4, -2e-9, "with a slope above 1000 ps/s"),
        ("refsys_s", 5, math.nan, "without REFSYS"),
        ("elevation_deg", 6, math.nan, "below 10° of elevation"),
    ):
        changed = getattr(a, column).copy()
        changed[row] = value
        link = common_view(a.replaced(**{column: changed}), b)
        assert by_reason(link.rejected) == {reason: 1, "not observed by A": 1}
        assert link.rejected[0].line == 20 + row
    alone = common_view(station("A", satellites=("G01", "E02")), b, Options(limits=Limits(systems=("G",))))
    assert by_reason(alone.rejected)["of a system not asked for"] == 20


def test_an_unknown_dsg_is_no_reason() -> None:
    a = station("A").replaced(dsg_s=np.full(80, math.nan))
    assert common_view(a, station("B")).n == 80
    with pytest.raises(TransferError, match="no track has a DSG"):
        common_view(a, station("B"), Options(weights="dsg"))


def test_codes_are_not_mixed_and_one_without_ionosphere_is_preferred() -> None:
    many = [
        station("A", 1e-9 * i).replaced(frc=np.full(80, code, dtype="U3"), line=np.arange(80) + 100 * i)
        for i, code in enumerate(("L1C", "L3P", "L2P"))
    ]
    three = join_tracks(many, "A")
    link = all_in_view(three, station("B").replaced(frc=np.full(80, "L3P", dtype="U3")))
    assert (link.codes, link.mean_s) == ({"G": "L3P"}, pytest.approx(1e-9, abs=1e-20))
    assert by_reason(link.rejected) == {"of another code than the one compared": 160}
    # common view takes the code that both have; a file that does not say its code is taken for any
    assert common_view(three, station("B")).codes == {"G": "L1C"}
    old = station("B").replaced(frc=np.full(80, "", dtype="U3"))
    assert common_view(three, old).codes == {"G": "L3P"}
    asked = common_view(three, old, Options(limits=Limits(codes=("L2P",))))
    assert asked.mean_s == pytest.approx(2e-9, abs=1e-20)
    with pytest.raises(NoLinkError, match="A and B have no track in common"):
        common_view(three, station("B").replaced(frc=np.full(80, "L5C", dtype="U3")))


def test_a_track_twice_counts_once() -> None:
    twice = join_tracks([station("A", 1e-9), station("A", 9e-9)], "A")
    link = common_view(twice, station("B"))
    assert (link.n, link.mean_s) == (80, pytest.approx(1e-9, abs=1e-20))
    assert by_reason(link.rejected) == {"repeated": 80}
    assert {each.file for each in link.rejected} == {"A.cctf"}


def test_a_receiver_with_files_of_two_versions_counts_once() -> None:
    plain = station("A", 1e-9).replaced(frc=np.full(80, "", dtype="U3"))  # version 1 does not say the code
    both = join_tracks([station("A", 1e-9), plain], "A")
    for method, n in ((common_view, 80), (all_in_view, 160)):
        link = method(both, station("B"))
        assert link.n == n
        assert by_reason(link.rejected) == {"repeated": 80}
        assert link.count.tolist() == [n // 20] * 20


def test_a_system_that_one_side_lacks_is_told_also_when_it_was_asked_for() -> None:
    a = station("A", satellites=("G01", "G02", "E01", "R01"))
    link = all_in_view(a, station("B"), Options(limits=Limits(systems=("G", "E", "R"))))
    assert by_reason(link.rejected) == {
        "of Galileo, of which B has no track": 20, "of GLONASS, of which B has no track": 20,
    }  # fmt: skip
    assert link.n + len(link.rejected) == 80 + 80


def test_same_ephemeris_and_refsv() -> None:
    other = station("B").replaced(ioe=np.where(np.arange(80) < 8, 9, 7))
    link = common_view(station("A"), other, Options(same_ephemeris=True))
    assert link.n == 72
    assert by_reason(link.rejected) == {"with another ephemeris than the other station": 16}
    assert link.rejected[0].value == "IOE 7 and 9"
    moved = station("B").replaced(refsv_s=station("B").refsv_s - 3e-9)
    assert common_view(station("A"), moved, Options(value="refsv")).mean_s == pytest.approx(3e-9, abs=1e-18)
    with pytest.raises(TransferError, match="REFSYS"):
        all_in_view(station("A"), moved, Options(value="refsv"))


def test_the_measured_ionosphere_takes_the_place_of_the_model() -> None:
    a = station("A").replaced(msio_s=np.full(80, 14e-9))  # the file took 10 ns out, it was 14 ns
    assert common_view(a, station("B"), Options(ionosphere="measured")).mean_s == pytest.approx(-4e-9, abs=1e-20)
    free = a.replaced(frc=np.full(80, "L3P", dtype="U3"))  # two frequencies: no model was taken out
    other = station("B").replaced(frc=free.frc)
    assert common_view(free, other, Options(ionosphere="measured")).mean_s == pytest.approx(0.0, abs=1e-20)
    none = station("A").replaced(msio_s=np.full(80, math.nan))
    with pytest.raises(NoLinkError, match="80 without REFSYS"):
        common_view(none, station("B"), Options(ionosphere="measured"))


def test_systems_are_shifted_onto_the_first_and_the_shift_is_told() -> None:
    both = ("G01", "G02", "G03", "E01")
    a = station("A", satellites=both)
    a = a.replaced(refsys_s=np.where(a.system == "E", 30e-9, 0.0))  # a receiver with another delay for Galileo
    a = a.take(~((a.system == "E") & (np.arange(80) % 8 == 3)))  # and half of it missing
    link = all_in_view(a, station("B", satellites=both))
    assert link.systems_s == {"GPS": 0.0, "Galileo": pytest.approx(30e-9, abs=1e-18)}
    assert link.x_s == pytest.approx(0.0, abs=1e-18)
    assert by_reason(link.rejected) == {"at a time at which A has none of its system": 10}
    assert link.n == 70 + 70


def test_options_that_make_no_sense_are_errors() -> None:
    for options in (Options(value="phase"), Options(ionosphere="none"), Options(weights="random")):
        with pytest.raises(TransferError):
            common_view(station("A"), station("B"), options)
    with pytest.raises(TransferError, match="one length"):
        station("A", line=np.arange(3))
    with pytest.raises(TransferError, match="no file"):
        join_tracks([])


def test_a_low_satellite_is_no_outlier_where_low_ones_scatter_more() -> None:
    rng = np.random.default_rng(12)
    a, b = station("A", epochs=200), station("B", epochs=200)
    low = a.elevation_deg == 20.0
    noise = rng.normal(0.0, 1e-9, len(a)) * np.where(low, 6.0, 1.0)
    a = a.replaced(refsys_s=noise, elevation_deg=np.where(low, 11.0, 80.0))
    alike = common_view(a, b, Options(weights="equal"))
    expected = common_view(a, b, Options(weights="elevation"))
    assert by_reason(alike.rejected)["more than 5 σ from the others"] > 40
    assert by_reason(expected.rejected) == {}
    assert np.median(expected.u_s) < np.median(alike.u_s)
