"""What the observer makes of its own measurements: nothing found, found, cannot judge."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from ledgers import BRISK, GENESIS, HOUR, Fold, of_type

from timeball.station.configuration.settings import Config
from timeball.station.observing.judging import (
    CANNOT_JUDGE,
    FOUND,
    NOTHING_FOUND,
    Scale,
    gravest,
    judge,
    judge_answer,
    scale_of,
)
from timeball.station.observing.replies import Answer

NOW = GENESIS + 3 * HOUR
S = 10**9


@pytest.fixture(scope="module")
def fold() -> Fold:
    fold = Fold(Config(steering=BRISK))
    fold.live(3)
    return fold


@pytest.fixture(scope="module")
def scale(fold: Fold) -> Scale:
    return scale_of(of_type(fold.decisions, "scale")[-1])


def compared(fold: Fold, at: int, moved_s: float = 0.0) -> dict[str, float]:
    """x_OUT − x_i of every clock, as an ideal counter of the observer's own shows them."""
    import numpy as np

    epoch = np.array([at], np.int64)
    world = fold.laboratory.world
    output = fold.laboratory.output_phase(epoch, fold.record)[0] + moved_s
    return {name: float(output - world.phases(name, epoch)[0]) for name in world.names}


def test_an_output_where_it_should_be(fold: Fold, scale: Scale) -> None:
    for seconds in (1, 30, 59):
        verdict, words, residual_s = judge(NOW + seconds * S, compared(fold, NOW + seconds * S), scale, fold.config)
        assert (verdict, words) == (NOTHING_FOUND, "")
        assert abs(residual_s) < 0.5e-9


@pytest.mark.parametrize("moved_s", [20e-9, -20e-9, 6e-9])
def test_an_output_that_was_moved_is_found(fold: Fold, scale: Scale, moved_s: float) -> None:
    verdict, words, residual_s = judge(NOW + S, compared(fold, NOW + S, moved_s), scale, fold.config)
    assert verdict == FOUND
    assert "ns from TA(k) + steers, more than the limit of 5.00 ns" in words
    assert residual_s == pytest.approx(moved_s, abs=0.5e-9)


@pytest.mark.parametrize("seen", [["H1"], ["Cs1", "H3"], ["Cs5"]])
def test_any_clock_that_is_seen_will_do(fold: Fold, scale: Scale, seen: list[str]) -> None:
    moved = compared(fold, NOW + S, 20e-9)
    assert judge(NOW + S, {name: moved[name] for name in seen}, scale, fold.config)[0] == FOUND


def test_without_a_scale_or_a_clock_there_is_no_verdict(fold: Fold, scale: Scale) -> None:
    moved = compared(fold, NOW + S, 20e-9)
    verdict, words, residual_s = judge(NOW + S, moved, None, fold.config)
    assert (verdict, words) == (CANNOT_JUDGE, "no scale is recorded yet")
    assert math.isnan(residual_s)
    unborn = Scale(scale.epoch, scale.clocks, None)
    assert judge(NOW + S, moved, unborn, fold.config)[0] == CANNOT_JUDGE
    verdict, words, _ = judge(NOW + S, {}, scale, fold.config)
    assert (verdict, words) == (CANNOT_JUDGE, "no clock of the scale was read against the output")
    assert judge(NOW + S, {"UTC": 0.0, "OUT": 0.0}, scale, fold.config)[0] == CANNOT_JUDGE, "signals are no clocks"


@pytest.mark.parametrize(("age_s", "verdict"), [(599, NOTHING_FOUND), (601, CANNOT_JUDGE), (-601, CANNOT_JUDGE)])
def test_an_old_scale_is_none(fold: Fold, scale: Scale, age_s: int, verdict: int) -> None:
    """Moved or not: what is ten minutes old proves nothing. A short while of the output's rate does no harm."""
    at = scale.epoch + age_s * S
    got, words, _ = judge(at, compared(fold, at), scale, fold.config)
    assert got == verdict
    if verdict == CANNOT_JUDGE:
        assert words == f"the newest recorded scale is {age_s} s old"


def test_a_reading_that_is_no_number_is_found(fold: Fold, scale: Scale) -> None:
    assert judge(NOW + S, {"H1": math.nan}, scale, fold.config)[0] == FOUND


def test_the_scale_is_the_entrys_last_epoch(fold: Fold) -> None:
    payload: dict[str, Any] = of_type(fold.decisions, "scale")[-1]
    scale = scale_of(payload)
    assert scale.epoch == int(payload["epochs"][-1])
    for name, point in scale.clocks.items():
        place = payload["clocks"].index(name)
        assert point.x_s == int(payload["x_fs"][-1][place]) / 1e15
        assert point.weight == float(payload["weights"][-1][place])
    assert scale.paper == fold.keeper.memory.paper
    gap = {**payload, "x_fs": [*payload["x_fs"][:-1], [None, *payload["x_fs"][-1][1:]]]}
    assert payload["clocks"][0] not in scale_of(gap).clocks


LIMIT_S = 1e-3


@pytest.mark.parametrize(
    ("offset_s", "delay_s", "in_sync", "found"),
    [
        (0.0, 0.0, True, False),
        (1e-3, 0.0, True, False),
        (1.1e-3, 0.0, True, True),
        (-1.1e-3, 0.0, True, True),
        (1.4e-3, 1e-3, True, False),
        (1.6e-3, 1e-3, True, True),
        (1.0, 0.0, False, False),
    ],
)
def test_an_answer_may_be_off_by_its_limit_and_half_its_way(
    offset_s: float, delay_s: float, in_sync: bool, found: bool
) -> None:
    words = judge_answer(Answer("127.0.0.1:123", in_sync, offset_s, delay_s), LIMIT_S)
    assert bool(words) == found
    if found:
        assert words.startswith(f"127.0.0.1:123 answered {offset_s:+.3e} s from the output")


def test_what_is_found_outweighs_what_cannot_be_judged() -> None:
    assert gravest(CANNOT_JUDGE, FOUND) == gravest(FOUND, CANNOT_JUDGE) == FOUND
    assert gravest(CANNOT_JUDGE, NOTHING_FOUND) == CANNOT_JUDGE
    assert gravest(NOTHING_FOUND, NOTHING_FOUND) == NOTHING_FOUND


def test_the_limit_is_the_observers_own(fold: Fold, scale: Scale) -> None:
    loose = msgspec.structs.replace(
        fold.config, observer=msgspec.structs.replace(fold.config.observer, residual_limit_s=1e-6)
    )
    assert judge(NOW + S, compared(fold, NOW + S, 20e-9), scale, loose)[0] == NOTHING_FOUND
