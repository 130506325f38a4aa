"""What may be left to Python: a share of the time, in turns so short that nobody else loses his place in the queue."""

from __future__ import annotations

import numpy as np
import pytest

from timeball.station.serving.loop import (
    HAND,
    HAND_LOADED,
    HAND_RESTING,
    LOADED,
    OWED_NS,
    REST,
    STATE_WORDS,
    room_for_hands,
    tire_hands,
)

START_NS, S = 10**15, 10**9
COST_NS, LOOP_NS, QUEUE = 200_000, 20_000, 90
"""What one answer by hand and one round of the loop take; so many long datagrams fit the default queue of a socket."""


def flooded(rate: int, seconds: float, *, hot: bool = False) -> tuple[float, int]:
    """A flood of what is answered by hand: (the share of the time that it got, the most that waited at once).

    `hot`: of its second half alone.
    """
    state = np.zeros(STATE_WORDS, np.int64)
    now, waiting, spent, most = START_NS, 0.0, 0, 0
    while now < START_NS + seconds * S:
        received = min(int(waiting), 64)
        if not hot or now > START_NS + seconds * S / 2:
            most = max(most, int(waiting))
        waiting -= received
        left = min(received, room_for_hands(state, received, now))
        began, now = now + LOOP_NS, now + LOOP_NS + left * COST_NS
        if left:
            tire_hands(state, began, now)
            spent += now - began
        waiting += rate * (LOOP_NS + left * COST_NS) / S
    return spent / (seconds * S), most


@pytest.mark.parametrize("rate", [1_000_000, 400_000, 200_000, 100_000])
def test_a_flood_that_fills_batches_gets_a_quarter_of_the_time(rate: int) -> None:
    share, _ = flooded(rate, 0.4)
    # what may be owed is free, and so is what it takes to find out that batches are full
    assert 0.1 < share <= 1 / (1 + REST) + 0.03


@pytest.mark.parametrize("rate", [20_000, 40_000, 50_000, 100_000, 200_000])
def test_a_flood_by_hand_does_not_fill_the_queue_of_those_whom_the_loop_answers(rate: int) -> None:
    # the first turn is of as many as there are; those after it are short
    assert flooded(rate, 0.4)[1] <= max(QUEUE, rate * HAND * COST_NS // S + 5)
    assert flooded(rate, 0.4, hot=True)[1] <= QUEUE


def test_what_the_loop_has_time_for_is_answered() -> None:
    share, _ = flooded(3_000, 1.0)
    assert share == pytest.approx(3_000 * COST_NS / S, rel=0.05)


def test_a_few_at_once_are_answered_and_a_flood_is_soon_forgotten() -> None:
    state = np.zeros(STATE_WORDS, np.int64)
    assert room_for_hands(state, LOADED - 1, START_NS) == HAND
    tire_hands(state, START_NS, START_NS + 2 * COST_NS)
    assert room_for_hands(state, 4, START_NS + 2 * COST_NS) == HAND
    assert room_for_hands(state, LOADED, START_NS + 2 * COST_NS) == HAND_LOADED
    for _ in range(100):
        tire_hands(state, START_NS, START_NS + S)
    now = START_NS + S
    assert room_for_hands(state, LOADED - 1, now) == HAND_RESTING
    assert room_for_hands(state, LOADED, now) == 0
    assert room_for_hands(state, LOADED - 1, now + 1) == 0, "full a moment ago"
    assert room_for_hands(state, LOADED - 1, now + OWED_NS) == HAND
