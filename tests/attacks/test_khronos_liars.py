"""Servers of the watchdog's pool that lie, together and with patience; each test is one attack. RFC 9523 section 4."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeball.protocols.khronos import Look, Outcome, Parameters, trim

POOL = tuple(f"s{number}.example:123" for number in range(200))
RULES = Parameters()
HONEST_S = 0.004
"""How far off an honest server may be."""


def honest(rng: np.random.Generator) -> dict[str, float]:
    return dict(zip(POOL, rng.uniform(-HONEST_S, HONEST_S, len(POOL)).tolist(), strict=True))


def run(offsets: dict[str, float], rng: np.random.Generator, last_s: float = 0.0) -> Outcome:
    look = Look(POOL, RULES, rng, last_s)
    while look.outcome is None:
        look.answered({name: offsets[name] for name in look.asking if name in offsets})
    return look.outcome


@settings(max_examples=200)
@given(
    st.lists(st.floats(-HONEST_S, HONEST_S), min_size=10, max_size=15),
    st.lists(st.floats(-1e6, 1e6), max_size=5),
    st.integers(0, 5),
)
def test_a_third_of_a_sample_moves_nothing_whatever_it_says(
    truths: list[float], lies: list[float], silenced: int
) -> None:
    """And silencing honest servers does not help it: a third of those asked is left out, not of those who answer."""
    told = {f"h{number}": value for number, value in enumerate(truths[:10])} | {
        f"l{number}": value for number, value in enumerate(lies)
    }
    for number in range(silenced):
        told.pop(f"h{number}")
    trimmed = trim(15, told)
    if trimmed is not None:
        assert min(truths[:10]) <= trimmed.mean_s <= max(truths[:10])


@pytest.mark.parametrize("shift_s", [0.04, 0.1, 5.0, 3600.0])
@pytest.mark.parametrize("share", [0.1, 0.2, 0.33])
def test_a_minority_that_lies_alike_never_raises_the_alarm(share: float, shift_s: float) -> None:
    rng = np.random.default_rng(7)
    for _ in range(80):
        offsets = honest(rng)
        for name in rng.choice(POOL, int(share * len(POOL)), replace=False):
            offsets[str(name)] = shift_s
        outcome = run(offsets, rng)
        assert outcome.offset_s is not None
        assert not outcome.beyond(RULES.limit_s)


def test_a_minority_cannot_hide_that_our_own_time_was_moved() -> None:
    """Served time was moved by 0.1 s: honest servers are off by that, liars swear that all is well."""
    rng = np.random.default_rng(8)
    for _ in range(80):
        offsets = {name: value - 0.1 for name, value in honest(rng).items()}
        for name in rng.choice(POOL, int(0.33 * len(POOL)), replace=False):
            offsets[str(name)] = 0.0
        assert run(offsets, rng).beyond(RULES.limit_s)


def test_a_minority_that_walks_away_slowly_carries_nobody_along() -> None:
    """Each look it lies by a little more than was believed at the last, always within the window."""
    rng, last_s = np.random.default_rng(9), 0.0
    for _ in range(120):
        offsets = honest(rng)
        for name in rng.choice(POOL, int(0.25 * len(POOL)), replace=False):
            offsets[str(name)] = last_s + RULES.window_s
        outcome = run(offsets, rng, last_s)
        assert outcome.offset_s is not None
        last_s = outcome.offset_s
        assert abs(last_s) <= RULES.limit_s
    assert abs(last_s) <= 2 * HONEST_S


def test_whoever_silences_the_honest_silences_the_watchdog_and_does_not_lead_it() -> None:
    rng = np.random.default_rng(10)
    liars = {str(name) for name in rng.choice(POOL, 60, replace=False)}
    for heard in (0, 20, 70, 100, 140):
        offsets = dict.fromkeys(liars, 0.5)
        honest_heard = [name for name in POOL if name not in liars][:heard]
        offsets |= dict.fromkeys(honest_heard, 0.001)
        outcome = run(offsets, rng)
        assert outcome.offset_s is None or outcome.offset_s == pytest.approx(0.001)


def test_a_majority_of_liars_is_what_nobody_can_stand() -> None:
    """The tests above do not pass because nothing ever moves it."""
    rng = np.random.default_rng(11)
    offsets = honest(rng) | dict.fromkeys(POOL[:150], 0.5)
    assert run(offsets, rng).beyond(RULES.limit_s)


def test_who_is_asked_cannot_be_foreseen_from_who_was_asked() -> None:
    seen = [Look(POOL, RULES, np.random.default_rng(), 0.0).asking for _ in range(4)]
    assert len(set(seen)) == 4
