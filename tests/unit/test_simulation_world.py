"""The world: one answer whatever the order of the questions, and events that do what they say."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from timeball.simulation.events import ClockEvent
from timeball.simulation.models import MODELS, ClockModel
from timeball.simulation.world import BLOCK_STEPS, BeforeGenesis, SimulatedClock, World

GENESIS = 1_700_000_000 * 10**9
MINUTE = 60 * 10**9
QUIET = ClockModel("quiet")
MASER = MODELS["active-maser"]


def world_of(*clocks: SimulatedClock, seed: int = 3, step_s: float = 60.0) -> World:
    return World(seed, GENESIS, step_s, clocks)


def epochs_of(days: float, step: int = MINUTE) -> np.ndarray:
    return GENESIS + np.arange(0, int(days * 86_400 * 10**9), step, dtype=np.int64)


def test_phase_offset_rate_and_drift_are_what_they_say():
    clock = SimulatedClock("A", QUIET, phase_offset_s=1e-6, rate_offset=2e-13, drift=3e-18)
    x = world_of(clock).phases("A", np.array([GENESIS, GENESIS + 10**14]))
    assert x == pytest.approx([1e-6, 1e-6 + 2e-13 * 1e5 + 0.5 * 3e-18 * 1e10], rel=1e-12)


def test_drift_of_the_model_holds_unless_another_is_given():
    drifting = ClockModel("drifting", drift=1e-17)
    world = world_of(SimulatedClock("A", drifting), SimulatedClock("B", drifting, drift=0.0))
    at = np.array([GENESIS + 10**15])
    assert world.phases("A", at)[0] == pytest.approx(0.5e-17 * 1e12)
    assert world.phases("B", at)[0] == 0.0


def test_events_step_phase_and_rate_from_their_epoch_on():
    event = ClockEvent(GENESIS + 1000 * 10**9, phase_step_s=5e-9, rate_step=1e-12)
    world = world_of(SimulatedClock("A", QUIET, events=(event,)))
    at = GENESIS + np.array([999, 1000, 3000], dtype=np.int64) * 10**9
    assert world.phases("A", at) == pytest.approx([0.0, 5e-9, 5e-9 + 2000e-12], rel=1e-12)


def test_the_order_of_questions_does_not_matter():
    at = epochs_of(4)
    whole = world_of(SimulatedClock("A", MASER)).phases("A", at)
    other = world_of(SimulatedClock("A", MASER))
    shuffled = np.random.default_rng(5).permutation(at.size)
    piecewise = np.empty(at.size)
    for part in np.array_split(shuffled, 37):
        piecewise[part] = other.phases("A", at[part])
    assert np.array_equal(whole, piecewise)


def test_a_restart_in_the_middle_of_a_block_changes_nothing():
    at = epochs_of(3)
    whole = world_of(SimulatedClock("A", MASER)).phases("A", at)
    for first in (0, 1, BLOCK_STEPS - 1, BLOCK_STEPS, BLOCK_STEPS + 1, 2 * BLOCK_STEPS + 700):
        again = world_of(SimulatedClock("A", MASER)).phases("A", at[first:])
        assert np.array_equal(whole[first:], again), first


def test_another_process_sees_the_same_world():
    code = (
        "import numpy as np\n"
        "from timeball.simulation.models import MODELS\n"
        "from timeball.simulation.world import SimulatedClock, World\n"
        f"world = World(3, {GENESIS}, 60.0, [SimulatedClock('A', MODELS['active-maser'])])\n"
        f"print(world.phases('A', np.array([{GENESIS} + 3 * 86_400 * 10**9 + 123_456_789])).tobytes().hex())\n"
    )
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    here = world_of(SimulatedClock("A", MASER)).phases("A", np.array([GENESIS + 3 * 86_400 * 10**9 + 123_456_789]))
    assert seen == here.tobytes().hex()


def test_other_clocks_do_not_change_this_one():
    at = epochs_of(1)
    alone = world_of(SimulatedClock("A", MASER)).phases("A", at)
    among = world_of(SimulatedClock("Z", MODELS["5071A"]), SimulatedClock("A", MASER), SimulatedClock("B", MASER))
    among.phases("Z", at)
    assert np.array_equal(alone, among.phases("A", at))


def test_clocks_and_seeds_have_noises_of_their_own():
    at = epochs_of(20)
    world = world_of(SimulatedClock("A", MODELS["5071A"]), SimulatedClock("B", MODELS["5071A"]))
    other = world_of(SimulatedClock("A", MODELS["5071A"]), seed=4)
    rates = [np.diff(x) for x in (world.phases("A", at), world.phases("B", at), other.phases("A", at))]
    correlation = np.corrcoef(rates)
    assert np.all(np.abs(correlation[np.triu_indices(3, 1)]) < 5.0 / np.sqrt(at.size))


def test_blocks_do_not_repeat_each_other():
    at = epochs_of(20)
    rate = np.diff(world_of(SimulatedClock("A", MODELS["5071A"])).phases("A", at))
    blocks = rate[: 19 * BLOCK_STEPS].reshape(19, BLOCK_STEPS)
    correlation = np.corrcoef(blocks)[np.triu_indices(19, 1)]
    assert np.max(np.abs(correlation)) < 5.0 / np.sqrt(BLOCK_STEPS)


def test_between_grid_points_a_straight_line():
    world = world_of(SimulatedClock("A", MASER))
    at = GENESIS + np.array([0, 15, 30, 60], dtype=np.int64) * 10**9
    x = world.phases("A", at)
    assert x[1] == pytest.approx(0.75 * x[0] + 0.25 * x[3], rel=1e-9)
    assert x[2] == pytest.approx(0.5 * (x[0] + x[3]), rel=1e-9)


def test_before_genesis_there_is_nothing():
    with pytest.raises(BeforeGenesis, match="before genesis"):
        world_of(SimulatedClock("A", MASER)).phases("A", np.array([GENESIS - 1]))


def test_no_epochs_no_phases():
    assert world_of(SimulatedClock("A", MASER)).phases("A", np.empty(0, dtype=np.int64)).shape == (0,)


def test_two_clocks_of_one_name_and_a_step_of_nothing_are_refused():
    with pytest.raises(ValueError, match="'A'"):
        world_of(SimulatedClock("A", MASER), SimulatedClock("A", QUIET))
    with pytest.raises(ValueError, match="positive"):
        world_of(SimulatedClock("A", MASER), step_s=0.0)


def test_several_readers_at_once_see_the_same_clock():
    """A collector's instruments ask in threads of their own."""
    at = epochs_of(4)
    alone = world_of(SimulatedClock("A", MASER)).phases("A", at)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            world = world_of(SimulatedClock("A", MASER))
            parts = list(pool.map(lambda part, world=world: world.phases("A", part), np.array_split(at, 8)))
            np.testing.assert_array_equal(np.concatenate(parts), alone)
