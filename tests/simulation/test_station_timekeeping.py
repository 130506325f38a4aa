"""The fold over six days of the default laboratory: physics and limits declared, and what may not change the scale.

Physics: five caesium clocks and three masers, read each minute through 3 ps; UTC each hour through 1 ns; an output
that begins 30 ns off UTC. A steer each six hours towards UTC with a time constant of a day, an order to the output each
hour.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest
from ledgers import BRISK, GENESIS, HOUR, KEY, MINUTE, STRANGER, Fold, of_type, without_clocks

from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.ledger.errors import BatchError
from timeball.readings import Readings
from timeball.station.configuration.settings import Config, Ensemble, Output, Steering
from timeball.station.fold.batches import comparison_batch
from timeball.station.fold.memory import LEAST_POINTS, MemoryUnknown
from timeball.station.fold.rules import RulesUnknown, config_payload
from timeball.station.fold.running import states_payload
from timeball.station.fold.timekeeping import COLLECTOR, CONFIG, Decision, Timekeeping

DAYS = 6
BEGINS_S = 30e-9
RESIDUAL_LIMIT_S = 0.5e-9
SETTLED_S = 5e-9


@pytest.fixture(scope="module")
def steered() -> Fold:
    fold = Fold(begins_s=BEGINS_S)
    print(f"seed {fold.seed}")
    fold.trace = []
    for _ in range(DAYS * 24):
        fold.live(1)
        fold.trace.append(fold.output_s())
    return fold


@pytest.fixture(scope="module")
def free() -> Fold:
    """The same laboratory and nobody at the wheel."""
    fold = Fold(Config(steering=Steering(enabled=False)), begins_s=BEGINS_S)
    fold.live(DAYS * 24)
    return fold


def state(keeper: Timekeeping) -> tuple[Any, Any]:
    return states_payload(keeper.states).get("at1"), keeper.memory.to_payload()


def phases(fold: Fold) -> dict[tuple[str, str], tuple[str, str, str]]:
    """(epoch, clock): phase, weight and error as recorded, of everything but the output."""
    return {
        (epoch, clock): (x, weight, error)
        for scale in of_type(fold.decisions, "scale")
        for epoch, xs, weights, errors in zip(
            scale["epochs"], scale["x_fs"], scale["weights"], scale["errors_fs"], strict=True
        )
        for clock, x, weight, error in zip(scale["clocks"], xs, weights, errors, strict=True)
        if clock != "OUT"
    }


def test_the_output_comes_home_to_utc(steered: Fold, free: Fold) -> None:
    daily = [max(abs(x) for x in steered.trace[24 * day : 24 * day + 24]) for day in range(DAYS)]
    assert daily[0] > 25e-9
    assert all(later < sooner for sooner, later in itertools.pairwise(daily[1:])), daily
    assert abs(steered.trace[-1]) < SETTLED_S, f"seed {steered.seed}: {steered.trace[-1] * 1e9:.2f} ns"
    assert abs(free.output_s()) > 20e-9, "unsteered it stays away"


def test_what_is_believed_of_utc_is_true(steered: Fold) -> None:
    """UTC(k) − UTC as the fold knows it, against what only the simulation knows, within k = 4 and the residual."""
    x_s, _, u_s = steered.keeper.utck_minus_utc(GENESIS + steered.hour * HOUR)
    assert 0 < u_s < 1e-9
    assert abs(x_s - steered.output_s()) < 4 * u_s + RESIDUAL_LIMIT_S


def test_the_output_follows_utck(steered: Fold) -> None:
    scales = of_type(steered.decisions, "scale")
    residuals = [int(fs) / 1e15 for scale in scales for fs in scale["output"]["residual_fs"]]
    assert len(residuals) == DAYS * 24 * 60
    assert max(map(abs, residuals)) < RESIDUAL_LIMIT_S, f"seed {steered.seed}: {max(map(abs, residuals)):.2e} s"


def test_every_steer_is_inside_the_envelope(steered: Fold) -> None:
    """The first takes off the rate that TA(k) happened to begin with; the envelope counts from there."""
    steers = of_type(steered.decisions, "steer")
    papers = [steer for steer in steers if steer["paper"] is not None]
    assert len(papers) == pytest.approx((DAYS - 1) * 4, abs=1)
    first, *rates = [float(steer["paper"]["rate"]) for steer in papers]
    assert papers[0]["why"].startswith("commissioned: ")
    assert float(papers[0]["estimate"]["y"]) == -first
    assert abs(first) <= BRISK.max_rate
    against_first = np.array([0.0, *rates]) - np.array([0.0] + [first] * len(rates))
    assert np.abs(np.diff(against_first)).max() <= BRISK.max_rate_change * (1 + 1e-9)
    assert np.abs(against_first).max() <= min(BRISK.max_rate, BRISK.max_phase_per_day_s / 86400) * (1 + 1e-9)
    assert all(steer["estimate"]["limited"] == ("limited:" in steer["why"]) for steer in papers)


def test_every_order_takes_effect_at_the_next_epoch_and_makes_no_step(steered: Fold) -> None:
    steers = of_type(steered.decisions, "steer")
    assert len(steers) == DAYS * 24
    assert steered.refused == []
    for number, steer in enumerate(steers, 1):
        command = {key: steer["commands"][0][key] for key in ("id", "epoch", "phase_step_fs")}
        assert command == {"id": number, "epoch": str(int(steer["epoch"]) + MINUTE), "phase_step_fs": "0"}
        assert len(steer["commands"]) == 1


def test_a_steer_that_wants_too_much_is_held_back_and_says_so() -> None:
    tight = Steering(interval_s=21600.0, window_s=172800.0, time_constant_s=86400.0, max_rate_change=5e-15)
    fold = Fold(Config(steering=tight), begins_s=BEGINS_S)
    fold.live(36)
    papers = [steer for steer in of_type(fold.decisions, "steer") if steer["paper"] is not None]
    rates = [float(steer["paper"]["rate"]) for steer in papers]
    assert [steer["estimate"]["limited"] for steer in papers] == [False, True, True]
    assert "limited: " in papers[1]["why"]
    assert np.diff(rates) == pytest.approx([-5e-15, -5e-15])


def test_no_steer_before_a_day_of_utc(steered: Fold) -> None:
    first = next(n for n, steer in enumerate(of_type(steered.decisions, "steer")) if steer["paper"] is not None)
    assert first == LEAST_POINTS - 1


def test_steers_never_enter_the_free_scale(steered: Fold, free: Fold) -> None:
    """Bit for bit the same TA(k) whether UTC(k) is steered or not; and UTC(k) is not the same."""
    assert phases(steered) == phases(free)
    assert len(phases(free)) == DAYS * 24 * 60 * 8
    names = [name for name in free.keeper.scale.clocks if name != "OUT"]
    for name in names:
        mine, theirs = (keeper.scale.clocks.index(name) for keeper in (steered.keeper, free.keeper))
        assert steered.keeper.scale.x[mine] == free.keeper.scale.x[theirs]
        assert steered.keeper.scale.y[mine] == free.keeper.scale.y[theirs]
    now = GENESIS + steered.hour * HOUR
    assert abs(steered.keeper.memory.paper.at(now) - free.keeper.memory.paper.at(now)) > 15e-9
    assert of_type(free.decisions, "steer") == []


def test_decisions_are_numbered_without_a_gap(steered: Fold) -> None:
    assert [decision.seq for decision in steered.decisions] == list(range(1, len(steered.decisions) + 1))


def test_from_any_snapshot_the_fold_continues_bit_for_bit(steered: Fold) -> None:
    snapshots = [decision for decision in steered.decisions if decision.type == "snapshot"]
    assert len(snapshots) == DAYS
    for taken in snapshots:
        payload = canonical.decode(canonical.encode(taken.payload))
        keeper = Timekeeping.from_snapshot(payload, steered.keeper.rules)
        assert state(keeper) == (taken.payload["at1"], taken.payload["memory"])
        again: list[Decision] = []
        for index, by, kind, entry in steered.inputs:
            if index > keeper.memory.through:
                again += keeper.take(index, by, kind, entry)
        assert again == [decision for decision in steered.decisions if decision.seq > taken.seq]
        assert state(keeper) == state(steered.keeper)


@pytest.mark.parametrize("damage", [{"at1": None}, {"memory": None}, {"memory": {"emitted": "many"}}, {"at1": {}}])
def test_what_is_no_snapshot_is_refused(steered: Fold, damage: dict[str, Any]) -> None:
    snapshot = next(decision for decision in steered.decisions if decision.type == "snapshot")
    with pytest.raises(MemoryUnknown):
        Timekeeping.from_snapshot({**snapshot.payload, **damage}, steered.keeper.rules)


@pytest.fixture
def fold() -> Fold:
    """Two hours of the laboratory."""
    young = Fold()
    young.live(2)
    return young


def test_a_batch_that_comes_again_or_late_moves_nothing(fold: Fold) -> None:
    before = state(fold.keeper)[0]
    for _, by, kind, payload in fold.inputs[2:]:
        assert fold.keeper.take(99, by, kind, payload) == []
    assert state(fold.keeper)[0] == before
    assert fold.keeper.memory.emitted == len(fold.decisions)


def test_of_a_batch_that_overlaps_only_the_new_epochs_count(fold: Fold) -> None:
    other = Fold()
    other.live(2)
    fresh = other.readings()
    other.give(COLLECTOR, "readings", sign_batch(comparison_batch(fresh), KEY))
    old = fold.laboratory.readings(GENESIS + np.arange(100, 121, dtype=np.int64) * MINUTE, fold.record)
    both = Readings.concat([old, fold.readings()])
    scale = fold.give(COLLECTOR, "readings", sign_batch(comparison_batch(both), KEY))[0]
    assert scale.payload == other.decisions[-2 if other.decisions[-1].type == "steer" else -1].payload
    assert len(scale.payload["epochs"]) == 60


def refused(fold: Fold, payload: Any, why: str | None = None) -> None:
    before = state(fold.keeper)
    with pytest.raises(BatchError, match=why):
        fold.keeper.take(99, COLLECTOR, "readings", payload)
    assert state(fold.keeper) == before


def test_readings_before_any_key_are_refused() -> None:
    keeper = Timekeeping()
    keeper.take(0, CONFIG, "config", config_payload(Config()))
    before = state(keeper)
    batch = comparison_batch(Fold().readings())
    with pytest.raises(BatchError, match="no key of the collector"):
        keeper.take(1, COLLECTOR, "readings", sign_batch(batch, KEY))
    assert state(keeper) == before


def test_a_stranger_cannot_sign_readings(fold: Fold) -> None:
    batch = comparison_batch(fold.readings())
    refused(fold, sign_batch(batch, STRANGER), "batch claims key")
    forged = {**sign_batch(batch, STRANGER), "key": KEY.verifier.vkey}
    refused(fold, forged, "signature")
    assert fold.give(COLLECTOR, "readings", sign_batch(batch, KEY)), "the same batch with the right signature is taken"


def test_a_signature_holds_for_its_own_figures_alone(fold: Fold) -> None:
    payload = sign_batch(comparison_batch(fold.readings()), KEY)
    changed = canonical.decode(canonical.encode(payload))
    changed["batch"]["x_fs"][0][0] = str(int(changed["batch"]["x_fs"][0][0]) + 1)
    refused(fold, changed, "signature")


@pytest.mark.parametrize("payload", [None, [], "readings", {}, {"batch": 1, "key": "", "signature": ""}])
def test_what_is_no_signed_batch_is_refused(fold: Fold, payload: Any) -> None:
    refused(fold, payload)


def test_a_malformed_batch_with_a_good_signature_is_refused(fold: Fold) -> None:
    batch = comparison_batch(fold.readings())
    refused(fold, sign_batch({**batch, "u_fs": []}, KEY), "malformed")
    refused(fold, sign_batch({"kind": "comparison"}, KEY), "malformed")


def test_only_the_collectors_stream_gives_readings_and_its_key(fold: Fold) -> None:
    before = state(fold.keeper)
    signed = sign_batch(comparison_batch(fold.readings()), KEY)
    assert fold.keeper.take(99, "observer", "readings", signed) == []
    key = {"name": COLLECTOR, "purpose": "readings", "vkey": STRANGER.verifier.vkey}
    assert fold.keeper.take(100, "observer-key", "key", key) == []
    assert fold.keeper.take(101, COLLECTOR, "key", {**key, "name": "observer"}) == []
    assert state(fold.keeper) == before


def test_a_key_that_is_none_is_refused_and_the_old_one_stays(fold: Fold) -> None:
    with pytest.raises(BatchError, match="key of the collector"):
        fold.keeper.take(99, COLLECTOR, "key", {"name": COLLECTOR, "vkey": "made up"})
    assert fold.live(1)


def test_a_new_key_takes_the_place_of_the_old(fold: Fold) -> None:
    fold.give(COLLECTOR, "key", {"name": COLLECTOR, "purpose": "readings", "vkey": STRANGER.verifier.vkey})
    batch = comparison_batch(fold.readings())
    refused(fold, sign_batch(batch, KEY), "batch claims key")
    assert fold.give(COLLECTOR, "readings", sign_batch(batch, STRANGER))


def test_nothing_is_decided_by_rules_that_are_not_known(fold: Fold) -> None:
    tomorrow = config_payload(Config())
    tomorrow["rules"]["version"] = 99
    with pytest.raises(RulesUnknown):
        fold.give(CONFIG, "config", tomorrow)
    assert fold.live(1) == []
    assert fold.keeper.take(99, "stranger", "config", config_payload(Config())) == []
    assert fold.live(1) == []
    fold.give(CONFIG, "config", config_payload(fold.config))
    assert fold.live(1)[0].type == "scale"


def test_an_output_beyond_its_limit_gets_no_order_and_the_words_say_why() -> None:
    fold = Fold()
    fold.live(2)
    ordered = fold.keeper.memory.command

    def moved(readings: Readings) -> Readings:
        x = readings.x + np.where(readings.a == readings.clocks.index("OUT"), 20e-9, 0.0)
        return Readings.from_columns(readings.clocks, readings.epoch, readings.a, readings.b, x, readings.u)

    steer = of_type(fold.live(1, moved), "steer")[0]
    assert steer["commands"] == []
    assert re.search(r"no order: the output is (19|20)\.\d\d ns from .* more than the limit of 5\.00 ns", steer["why"])
    assert fold.keeper.memory.command == ordered
    back = of_type(fold.live(1), "steer")[0]
    assert back["commands"][0]["id"] == ordered.id + 1, "the numbers of the orders have no gap"


@pytest.mark.parametrize("name", ["OUT", "H1"])
def test_without_the_output_or_its_source_there_is_no_order(fold: Fold, name: str) -> None:
    decided = fold.live(1, without_clocks(name))
    scale, steer = of_type(decided, "scale")[0], of_type(decided, "steer")[0]
    assert steer["commands"] == []
    assert steer["why"] == "no order: the output or its source was not measured at this epoch"
    assert (scale["output"]["residual_fs"][-1] is None) == (name == "OUT")
    assert of_type(fold.live(1), "steer")[0]["commands"]


def test_gaps_do_no_harm() -> None:
    """Half a day unread, then clocks missing in turn: the scale stays within 2 ns of the one that saw everything."""
    whole, gappy = Fold(), Fold()
    whole.live(48)
    gappy.live(24)
    gappy.hour += 12
    for missing in itertools.islice(itertools.cycle([("Cs1", "Cs2"), ("H3",), ("UTC",), ("Cs5",)]), 12):
        gappy.live(1, without_clocks(*missing))
    assert gappy.keeper.epoch == whole.keeper.epoch
    places = [gappy.keeper.scale.clocks.index(name) for name in ("Cs3", "Cs4", "H1", "H2")]
    difference = gappy.keeper.scale.x[places] - whole.keeper.scale.x[places]
    assert np.abs(difference).max() < 2e-9
    assert np.ptp(difference) < 1e-14, "the clocks agree on what the scales differ by"


def test_without_utc_the_points_grow_old_and_nothing_more_is_said() -> None:
    config = Config(steering=Steering(window_s=90000.0))
    fold = Fold(config)
    fold.live(26)
    assert not np.isnan(fold.keeper.utck_minus_utc(GENESIS + 26 * HOUR)[0])
    fold.live(3, without_clocks("UTC"))
    x_s, y, u_s = fold.keeper.utck_minus_utc(GENESIS + 29 * HOUR)
    assert np.isnan([x_s, y, u_s]).all()
    assert len(fold.keeper.memory.points) == LEAST_POINTS - 1


def test_a_batch_of_nothing_decides_nothing(fold: Fold) -> None:
    empty = comparison_batch(Readings.empty(("Cs1", "H2")))
    before = state(fold.keeper)[0]
    assert fold.give(COLLECTOR, "readings", sign_batch(empty, KEY)) == []
    nulls = {"kind": "comparison", "epochs": ["9" * 18], "pairs": [["Cs1", "H2"]], "x_fs": [[None]], "u_fs": [None]}
    assert fold.give(COLLECTOR, "readings", sign_batch(nulls, KEY)) == []
    assert state(fold.keeper)[0] == before


def test_new_rules_hold_from_their_entry_on_and_utck_keeps_its_phase() -> None:
    """A finer grid, recorded while a change of rate is still an hour away: the change gives way to a sooner one."""
    fold = Fold(Config(steering=BRISK, ensemble=Ensemble(interval_s=3600.0)))
    fold.live(24)
    pending = fold.keeper.memory.paper
    assert pending.change == GENESIS + 25 * HOUR
    finer = Config(
        steering=Steering(interval_s=60.0, tracking_interval_s=1.0, window_s=172800.0),
        ensemble=Ensemble(interval_s=1.0),
        output=Output(residual_limit_s=1e-9),
    )
    fold.give(CONFIG, "config", config_payload(finer))
    epochs = GENESIS + 24 * HOUR + np.arange(1, 3, dtype=np.int64) * MINUTE
    batch = comparison_batch(fold.laboratory.readings(epochs, fold.record))
    fold.hour += 1  # recorded when its epochs have gone by
    scale, steer = fold.give(COLLECTOR, "readings", sign_batch(batch, KEY))[:2]
    assert steer.payload["paper"]["epoch"] == str(int(epochs[-1]) + 10**9)
    assert "older than command" in fold.refused[0], "the stepper has the later order already, and says so"
    now = fold.keeper.memory.paper
    for epoch in range(int(epochs[0]), int(epochs[-1]) + 10**9 + 1, 10**9):
        assert now.at(epoch) == pending.at(epoch)
    assert max(abs(int(fs)) for fs in scale.payload["output"]["residual_fs"]) < 500_000
