"""The laboratory: what it reads, with which noise, and that a reading belongs to its instant."""

import numpy as np
import pytest

from timeball.simulation.comparator import Comparator
from timeball.simulation.defaults import DEFAULT_CLOCKS, default_laboratory, placed_clock
from timeball.simulation.keyed import keyed_normals
from timeball.simulation.laboratory import Laboratory
from timeball.simulation.models import MODELS, ClockModel
from timeball.simulation.world import SimulatedClock, World
from timeball.steering.stepper import StepperCommand

GENESIS = 1_700_006_400 * 10**9  # a whole hour of TAI
MINUTE = 60 * 10**9
QUIET = ClockModel("quiet")


def epochs_of(n: int, step: int = MINUTE) -> np.ndarray:
    return GENESIS + np.arange(n, dtype=np.int64) * step


def quiet_laboratory(**options) -> Laboratory:
    clocks = [SimulatedClock("A", QUIET, 1e-9, 1e-13), SimulatedClock("B", QUIET, -2e-9), SimulatedClock("C", QUIET)]
    settings = {"source": "A", "utc_noise_s": 0.0, "utc_every_s": 120.0} | options
    return Laboratory(World(1, GENESIS, 60.0, clocks), "B", Comparator(0.0), **settings)


def column(readings, name: str) -> np.ndarray:
    return readings.x[readings.a == readings.clocks.index(name)]


def test_every_clock_the_output_and_utc_are_read_against_the_reference():
    readings = quiet_laboratory().readings(epochs_of(4), [])
    assert readings.clocks == ("A", "B", "C", "OUT", "UTC")
    assert {readings.clocks[b] for b in readings.b} == {"B"}
    names = [readings.clocks[a] for a in readings.a]
    assert names == ["A", "C", "OUT", "UTC", "A", "C", "OUT", "A", "C", "OUT", "UTC", "A", "C", "OUT"]
    assert np.all(np.diff(readings.epoch) >= 0)
    assert column(readings, "A") == pytest.approx(3e-9 + 1e-13 * 60.0 * np.arange(4), abs=1e-15)
    assert column(readings, "UTC") == pytest.approx([2e-9, 2e-9], abs=1e-15)


def test_the_output_is_its_source_and_what_the_stepper_was_told():
    record = [StepperCommand(1, GENESIS + MINUTE, 1e-12), StepperCommand(2, GENESIS + 2 * MINUTE, 0.0, 20e-9)]
    laboratory = quiet_laboratory()
    at = epochs_of(4)
    moved = np.array([0.0, 0.0, 60e-12 + 20e-9, 60e-12 + 20e-9])
    readings = laboratory.readings(at, record)
    assert column(readings, "OUT") - column(readings, "A") == pytest.approx(moved, abs=1e-15)
    assert laboratory.output_phase(at, record) == pytest.approx(laboratory.world.phases("A", at) + moved, abs=1e-20)


def test_a_reading_does_not_depend_on_its_batch():
    at = epochs_of(300)
    record = [StepperCommand(1, GENESIS + 100 * MINUTE, 3e-13)]
    whole = default_laboratory(9, GENESIS).readings(at, record)
    other = default_laboratory(9, GENESIS)
    last, first, middle = (other.readings(at[part], record) for part in (slice(200, 300), slice(0, 7), slice(7, 200)))
    x = np.concatenate([part.x for part in (first, middle, last)])
    assert np.array_equal(whole.x, x)


def test_readings_are_whole_femtoseconds():
    x = default_laboratory(9, GENESIS).readings(epochs_of(500), []).x
    in_fs = x * 1e15
    assert np.max(np.abs(in_fs - np.rint(in_fs))) < 1e-6
    assert np.array_equal(np.rint(in_fs) / 1e15, x)


def test_stated_uncertainties_are_the_noise_that_is_there():
    at = epochs_of(4000)
    clocks = [SimulatedClock("A", QUIET), SimulatedClock("B", QUIET)]
    laboratory = Laboratory(
        World(1, GENESIS, 60.0, clocks), "B", Comparator(5e-12), source="A", utc_noise_s=1e-9, utc_every_s=60.0
    )
    readings = laboratory.readings(at, [])
    for name, u_s in (("A", 5e-12), ("OUT", 5e-12), ("UTC", 1e-9)):
        assert np.all(readings.u[readings.a == readings.clocks.index(name)] == u_s)
        assert np.std(column(readings, name)) == pytest.approx(u_s, rel=5.0 / np.sqrt(2 * at.size))
    assert abs(np.corrcoef(column(readings, "A"), column(readings, "OUT"))[0, 1]) < 5.0 / np.sqrt(at.size)
    assert np.std(laboratory.host_noise(at)) == pytest.approx(20e-9, rel=5.0 / np.sqrt(2 * at.size))


def test_without_utc_none_is_read():
    readings = quiet_laboratory(utc=None).readings(epochs_of(4), [])
    assert readings.clocks == ("A", "B", "C", "OUT")
    assert len(readings) == 12


def test_names_that_clash_or_are_unknown_are_refused():
    for options, word in (
        ({"source": "X"}, "source 'X'"),
        ({"output": "A"}, "'A'"),
        ({"utc": "C"}, "'C'"),
        ({"utc": "OUT"}, "'OUT'"),
    ):
        with pytest.raises(ValueError, match=word):
            quiet_laboratory(**options)


def test_default_laboratory_is_five_caesiums_and_three_masers():
    laboratory = default_laboratory(1, GENESIS)
    kinds = [laboratory.world.clocks[name].model.name for name in laboratory.world.names]
    assert laboratory.world.names == ("Cs1", "Cs2", "Cs3", "Cs4", "Cs5", "H1", "H2", "H3")
    assert kinds == ["5071A-high-performance"] * 3 + ["5071A"] * 2 + ["active-maser"] * 3
    assert (laboratory.reference, laboratory.source, laboratory.output, laboratory.utc) == ("H2", "H1", "OUT", "UTC")


@pytest.mark.parametrize("seed", range(20))
def test_default_clocks_are_placed_within_their_limits(seed):
    for name, kind in DEFAULT_CLOCKS:
        clock = placed_clock(name, kind, seed)
        assert abs(clock.rate_offset) <= (4e-14 if name.startswith("H") else 1e-13)
        assert abs(clock.phase_offset_s) <= 100e-9
        assert abs(clock.drift) <= 2 * MODELS[kind].drift
    assert default_laboratory(seed, GENESIS).world.clocks["H1"].phase_offset_s == 0.0


def test_placed_clocks_differ_by_name_and_seed():
    rates = {placed_clock(name, "active-maser", seed).rate_offset for name in ("H1", "H2", "H3") for seed in (1, 2)}
    assert len(rates) == 6


def test_comparator_rounds_to_its_resolution_and_says_so_in_its_uncertainty():
    comparator = Comparator(noise_s=0.0, resolution_s=1e-9)
    read = comparator.compare(np.array([1.4e-9, 7.6e-9]), np.array([0.0, 1e-9]), np.random.default_rng(1))
    assert read == pytest.approx([1e-9, 7e-9], abs=1e-20)
    assert comparator.u_s == pytest.approx(1e-9 / np.sqrt(12.0))


def test_comparator_noise_is_white_and_of_the_size_stated():
    read = Comparator(2e-12).compare(np.zeros(20_000), np.zeros(20_000), np.random.default_rng(6))
    assert np.std(read) == pytest.approx(2e-12, rel=0.03)
    assert abs(np.corrcoef(read[1:], read[:-1])[0, 1]) < 5.0 / np.sqrt(read.size)


@pytest.mark.parametrize(
    "bad", [{"noise_s": -1e-12}, {"noise_s": float("nan")}, {"noise_s": 0.0, "resolution_s": -1.0}]
)
def test_comparator_refuses_what_is_no_size(bad):
    with pytest.raises(ValueError, match="comparator"):
        Comparator(**bad)


def test_keyed_normals_have_mean_variance_and_shape_of_a_normal():
    drawn = keyed_normals(1, "A", epochs_of(100_000))
    error = 1.0 / np.sqrt(drawn.size)
    assert abs(drawn.mean()) < 5.0 * error
    assert drawn.var() == pytest.approx(1.0, abs=5.0 * np.sqrt(2.0) * error)
    assert np.mean(drawn**4) == pytest.approx(2.9, abs=0.1)
    assert np.mean(np.abs(drawn) < 1.0) == pytest.approx(0.6827, abs=0.01)
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 5.0 * error


def test_keyed_normals_are_these_figures_on_any_machine():
    """Frozen: a change here would change every reading that a simulated laboratory ever gave."""
    assert keyed_normals(1, "A", np.array([0, 1, 10**18], dtype=np.int64)).tolist() == [
        0.2961045920383185,
        0.2741612533573061,
        -0.09952269354835153,
    ]
