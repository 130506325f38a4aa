"""The watchdog's algorithm: who is asked, who is left out, when it is sure, when it panics (RFC 9523)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.protocols.khronos import Look, Outcome, Parameters, draw, trim

POOL = tuple(f"s{number}.example:123" for number in range(60))
RULES = Parameters(sample=15, window_s=0.025, error_s=0.005, tries=3, limit_s=0.030)


def run(look: Look, offsets: dict[str, float]) -> tuple[Outcome, list[tuple[str, ...]]]:
    """A look to its end, with who was asked each time."""
    asked = []
    while look.outcome is None:
        asked.append(look.asking)
        look.answered({name: offsets[name] for name in look.asking if name in offsets})
    return look.outcome, asked


def look(last_s: float = 0.0, seed: int = 1) -> Look:
    return Look(POOL, RULES, np.random.default_rng(seed), last_s)


def test_a_sample_is_random_without_repeats_and_the_whole_pool_when_small() -> None:
    rng = np.random.default_rng(1)
    first, second = draw(POOL, 15, rng), draw(POOL, 15, rng)
    assert len(set(first)) == 15
    assert set(first) <= set(POOL)
    assert first != second
    assert draw(POOL[:4], 15, rng) == POOL[:4]


def test_a_third_is_left_out_at_each_end() -> None:
    trimmed = trim(15, {f"s{number}": float(number) for number in range(15)})
    assert trimmed is not None
    assert trimmed.survivors == ("s5", "s6", "s7", "s8", "s9")
    assert (trimmed.mean_s, trimmed.spread_s) == (7.0, 4.0)


def test_the_silent_shorten_the_middle_and_not_the_ends() -> None:
    told = {f"s{number}": float(number) for number in range(11)}
    trimmed = trim(15, told)
    assert trimmed is not None
    assert trimmed.survivors == ("s5",)
    del told["s0"]
    assert trim(15, told) is None
    assert trim(15, {"a": 1.0}) is None
    assert trim(15, {}) is None


def test_a_pool_that_agrees_is_asked_once() -> None:
    outcome, asked = run(look(), dict.fromkeys(POOL, 0.001))
    assert len(asked) == 1
    assert len(asked[0]) == 15
    assert outcome.offset_s == pytest.approx(0.001, abs=1e-18)
    assert not outcome.panic
    assert not outcome.beyond(RULES.limit_s)
    assert len(outcome.survivors) == 5


def test_survivors_further_apart_than_2w_are_not_believed() -> None:
    offsets = {name: 0.012 * (number % 10) for number, name in enumerate(POOL)}  # 0 … 108 ms
    outcome, asked = run(look(), {name: 3 * value for name, value in offsets.items()})
    assert [len(servers) for servers in asked] == [15, 15, 15, 60]
    assert outcome.panic
    assert outcome.samples == 4
    middle = sorted(3 * value for value in offsets.values())[20:40]
    assert outcome.offset_s == pytest.approx(sum(middle) / 20)


def test_a_jump_beyond_err_plus_2w_is_believed_only_of_all() -> None:
    outcome, asked = run(look(), dict.fromkeys(POOL, 0.056))
    assert len(asked) == 4
    assert outcome.panic
    assert outcome.beyond(RULES.limit_s)
    assert [len(servers) for servers in run(look(), dict.fromkeys(POOL, 0.0549))[1]] == [15, 60]


def test_an_alarm_is_told_only_after_all_were_asked() -> None:
    outcome, asked = run(look(last_s=0.056), dict.fromkeys(POOL, 0.056))
    assert [len(servers) for servers in asked] == [15, 60]
    assert outcome.beyond(RULES.limit_s)
    assert len(run(look(), dict.fromkeys(POOL, 0.0299))[1]) == 1


def test_too_few_answers_even_in_panic_judge_nothing() -> None:
    outcome, _ = run(look(), {POOL[0]: 0.0})
    assert outcome.offset_s is None
    assert not outcome.beyond(RULES.limit_s)
    assert (outcome.panic, outcome.asked, outcome.answered) == (True, 60, 1)


def test_answers_of_servers_that_were_not_asked_do_not_count() -> None:
    one = look()
    others = [name for name in POOL if name not in one.asking]
    one.answered({**dict.fromkeys(one.asking, 0.0), **dict.fromkeys(others, 9.0)})
    assert one.outcome is not None
    assert one.outcome.offset_s == 0.0
    assert one.outcome.answered == 15


@given(st.lists(st.floats(-1.0, 1.0), min_size=3, max_size=30), st.data())
def test_the_mean_lies_among_the_survivors(values: list[float], data: st.DataObject) -> None:
    told = {f"s{number}": value for number, value in enumerate(values)}
    asked = data.draw(st.integers(len(values), 3 * len(values)))
    trimmed = trim(asked, told)
    if trimmed is not None:
        kept = [told[name] for name in trimmed.survivors]
        assert min(kept) <= trimmed.mean_s <= max(kept)
        assert trimmed.spread_s == max(kept) - min(kept)
        assert len(kept) == len(values) - 2 * (asked // 3)
