"""Masks: their figures against allantools' tables, and the three verdicts."""

from __future__ import annotations

import math
from itertools import pairwise

import allantools.mask as theirs
import numpy as np
import pytest

from timeball.stability import Deviations
from timeball.stability.masks import MASKS, MaskError, find_mask, judge, judge_time_error, mask_factors

PAIRS = [
    ("g811", "mtie", theirs.prc_mtie),
    ("g811", "tdev", theirs.prc_tdev),
    ("prtc-a", "mtie", theirs.prtcA_mtie),
    ("prtc-a", "tdev", theirs.prtcA_tdev),
    ("prtc-b", "mtie", theirs.prtcB_mtie),
    ("prtc-b", "tdev", theirs.prtcB_tdev),
    ("eprtc", "mtie", theirs.eprtc_mtie),
    ("eprtc", "tdev", theirs.eprtc_tdev),
]


def of(tau_s: list[float], sigma: list[float]) -> Deviations:
    n = len(tau_s)
    return Deviations(np.array(tau_s), np.arange(1, n + 1), np.array(sigma), np.full(n, 100))


@pytest.mark.parametrize(("name", "deviation", "function"), PAIRS)
def test_the_limits_are_those_of_allantools(name: str, deviation: str, function: object) -> None:
    tau_s = np.array(
        [0.11, 0.5, 1.5, 30.0, 99.0, 150.0, 272.0, 300.0, 600.0, 1500.0, 9e3, 5e4, 9e4, 2.5e5, 3.9e5, 9e5, 3e6]
    )
    limit = MASKS[name].limit(deviation, tau_s)
    last = MASKS[name].stretches(deviation)[-1].to_s
    assert np.array_equal(np.isnan(limit), tau_s > last)
    inside = tau_s <= last
    np.testing.assert_allclose(limit[inside], [function(tau) for tau in tau_s[inside]], rtol=1e-12)  # type: ignore[operator]


def test_the_stretches_of_every_mask_join() -> None:
    for mask in MASKS.values():
        for deviation in ("mtie", "tdev"):
            stretches = mask.stretches(deviation)
            assert stretches[0].from_s == 0.1
            assert all(a.to_s == b.from_s for a, b in pairwise(stretches))
            assert mask.needed_s(deviation) < math.inf
    assert [mask.key for mask in MASKS.values() if not mask.verified] == ["eprc"]


def test_pass_fail_and_too_short() -> None:
    mask = find_mask("PRTC-B")
    kept = of([1.0, 100.0, 1e5], [0.5e-9, 0.8e-9, 4e-9])
    found = judge(mask, "tdev", kept, 12e5)
    assert (found.verdict, found.worst_tau_s) == ("PASS", 1e5 if 5 / 4 < 1 / 0.8 else 100.0)
    assert found.margin == pytest.approx(0.25)
    assert judge(mask, "tdev", kept, 11e5).verdict == "too short"
    broken = judge(mask, "tdev", of([1.0, 100.0], [1.1e-9, 0.8e-9]), 1e4)
    assert (broken.verdict, broken.worst_tau_s) == ("FAIL", 1.0)
    assert broken.margin == pytest.approx(1 / 1.1 - 1)
    # one below the mask's beginning, one beyond its end, one without a term: nothing is left
    nothing = Deviations(np.array([0.1, 2e5, 50.0]), np.arange(3), np.array([1.0, 1.0, np.nan]), np.array([9, 9, 0]))
    empty = judge(mask, "tdev", nothing, 1e9)
    assert (empty.verdict, empty.tau_s.size) == ("too short", 0)
    assert math.isnan(empty.margin)
    assert math.isnan(empty.from_s)


def test_a_limit_without_an_end_is_asked_for_as_far_as_tdev() -> None:
    mask = find_mask("prtc-a")
    assert judge(mask, "mtie", of([1.0, 9999.0], [2e-8, 9e-8]), 1e6).verdict == "too short"
    assert judge(mask, "mtie", of([1.0, 1e4], [2e-8, 9e-8]), 1e6).verdict == "PASS"
    assert judge(mask, "mtie", of([1.0, 1e4], [0.0, 0.0]), 1e6).margin == math.inf


def test_the_factors_reach_the_corners_and_the_ends() -> None:
    factors = mask_factors(find_mask("prtc-a"), "mtie", 1.0, 20_001)
    assert {1, 273, 10_000, 20_000} - {10_000} <= set(factors)
    assert factors == sorted(set(factors))
    assert {1, 100, 1000, 1666} <= set(mask_factors(find_mask("prtc-a"), "tdev", 1.0, 20_001))
    assert max(mask_factors(find_mask("prtc-a"), "tdev", 1.0, 20_001)) == 1666
    assert mask_factors(find_mask("eprtc"), "tdev", 1.0, 2) == [1]


def test_the_time_error_is_averaged_over_a_hundred_samples() -> None:
    mask = find_mask("prtc-b")
    x = np.full(500, 30e-9)
    x[200] = 1e-6
    assert judge_time_error(mask, x) == ("PASS", pytest.approx(30e-9 + 0.97e-6 / 100))
    x[200:] = -41e-9
    assert judge_time_error(mask, x)[0] == "FAIL"
    assert judge_time_error(mask, x[:99])[0] == "too short"
    x[::50] = np.nan
    assert judge_time_error(mask, x)[0] == "too short"
    with pytest.raises(MaskError, match="no limit of the time error"):
        judge_time_error(find_mask("g811"), x)


def test_other_names_and_deviations_are_refused() -> None:
    with pytest.raises(MaskError, match="there are: g811"):
        find_mask("g812")
    with pytest.raises(MaskError, match="MTIE and TDEV"):
        find_mask("g811").limit("adev", np.array([1.0]))
