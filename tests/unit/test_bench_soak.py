"""What a soak is judged by: leaks and drifts of known size are found, noise and warm-up are not taken for them."""

from __future__ import annotations

import math
import random

import pytest
from bench.soak_judging import MEMORY_BYTES, OFFSET_S, answered, descriptors, flat, memory, none_of, served, still_there

POINTS = 400


def noise(scale: float, seed: int = 7) -> list[float]:
    numbers = random.Random(seed)
    return [numbers.gauss(0.0, scale) for _ in range(POINTS)]


def warming_up(level: float, rise: float) -> list[float]:
    """Rises to its level within the first tenth, as a process does that fills its caches."""
    return [level + rise * min(1.0, 10 * place / POINTS) for place in range(POINTS)]


def test_flat_memory_is_flat_whatever_it_did_at_first() -> None:
    values = [a + b for a, b in zip(warming_up(1e8, 5e7), noise(2e5), strict=True)]
    assert memory("server", values).ok


@pytest.mark.parametrize("level", [1e8, 2e9])
def test_a_leak_is_found(level: float) -> None:
    allowed = MEMORY_BYTES + 0.02 * level
    grown = [level + 2.5 * allowed * place / POINTS + shake for place, shake in enumerate(noise(1e5))]
    line = memory("server", grown)
    assert not line.ok
    assert line.sentence == "it grows"
    assert line.last - line.first > line.allowed


def test_memory_given_back_is_no_leak() -> None:
    assert memory("server", [2e8 - 1e8 * place / POINTS for place in range(POINTS)]).ok


def test_one_descriptor_an_hour_is_found() -> None:
    assert descriptors("server", [12.0] * POINTS).ok
    assert not descriptors("server", [12.0 + 24 * place / POINTS for place in range(POINTS)]).ok


@pytest.mark.parametrize("sign", [1, -1])
def test_a_drift_of_served_time_is_found_in_both_directions(sign: int) -> None:
    bias = -5e-6
    assert served([bias + shake for shake in noise(3e-6)]).ok
    drifting = [bias + sign * 3 * OFFSET_S * place / POINTS for place in range(POINTS)]
    assert not served(drifting).ok


def test_gaps_are_left_out_and_too_little_is_not_judged() -> None:
    values = [math.nan if place % 3 else 5.0 for place in range(POINTS)]
    assert flat("x", values, 0.1, "").ok
    few = flat("x", [5.0] * 11, 0.1, "")
    assert not few.ok
    assert "too few" in few.sentence


def test_a_process_that_was_gone_for_a_while_is_found() -> None:
    assert still_there("server", [1.0] * 5).ok
    for values in ([1.0, math.nan, 1.0], [1.0, 1.0, math.nan], [math.nan, 1.0]):
        assert not still_there("server", values).ok


def test_answers_and_counts() -> None:
    assert answered("NTP", 10_000, 9_999, 0.999).ok
    assert not answered("NTP", 10_000, 9_900, 0.999).ok
    assert not answered("NTP", 0, 0, 0.999).ok
    assert none_of("restarts", 0).ok
    assert not none_of("restarts", 1).ok
