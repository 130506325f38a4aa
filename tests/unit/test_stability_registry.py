"""Every deviation by its key, its factors, its threads; what a frequency offset is to those that show it."""

from __future__ import annotations

import numpy as np
import pytest

from timeball import stability
from timeball.stability import DEVIATIONS, kernels, kernels_interval, kernels_total
from timeball.stability.theo import _ratio_steps


def walk(points: int, *, gaps: bool) -> np.ndarray:
    x = np.cumsum(np.random.default_rng(21).standard_normal(points))
    if gaps:
        x[[points // 5, points // 2, points // 2 + 1]] = np.nan
    return x


def test_every_key_names_a_function_of_the_room() -> None:
    assert list(DEVIATIONS) == [
        *("adev", "oadev", "mdev", "tdev", "hdev", "ohdev", "totdev", "mtotdev", "ttotdev", "htotdev"),
        *("theo1", "theobr", "theoh", "pdev", "tierms", "mtie"),
    ]
    for key, deviation in DEVIATIONS.items():
        assert deviation.key == key
        assert deviation.function is getattr(stability, key)
        assert key in stability.__all__
    assert [key for key, deviation in DEVIATIONS.items() if deviation.unit == "s"] == [
        *("tdev", "ttotdev", "tierms", "mtie")
    ]


@pytest.mark.parametrize("key", DEVIATIONS)
def test_the_span_is_the_shortest_record_that_has_a_term(key: str) -> None:
    deviation = DEVIATIONS[key]
    m = 12 if key.startswith("theo") else 5
    # these two compare with the Allan deviation over averages of nine points
    needed = max(deviation.span(m), 19 if key in ("theobr", "theoh") else 0)
    x = walk(needed, gaps=False)
    assert deviation.function(x, 1.0, [m]).n[0] >= 1
    with pytest.raises(stability.TooShortError, match=f"needs {needed}"):
        deviation.function(x[1:], 1.0, [m])


@pytest.mark.parametrize("key", DEVIATIONS)
@pytest.mark.parametrize("gaps", [False, True])
def test_threads_change_no_bit(key: str, gaps: bool) -> None:
    x = walk(700, gaps=gaps)
    function = DEVIATIONS[key].function
    for kind in ("phase", "frequency"):
        one = function(x, 1.0, "decade", kind=kind)
        for threads in (2, 3, 50):
            many = function(x, 1.0, "decade", kind=kind, threads=threads)
            assert many.sigma.tobytes() == one.sigma.tobytes()
            assert many.n.tolist() == one.n.tolist()


@pytest.mark.parametrize("key", DEVIATIONS)
def test_the_record_given_is_left_as_it_was(key: str) -> None:
    for gaps in (False, True):
        x = walk(200, gaps=gaps)
        before = x.copy()
        DEVIATIONS[key].function(x, 1.0)
        DEVIATIONS[key].function(x, 1.0, kind="frequency")
        assert np.array_equal(x, before, equal_nan=True)


def test_factors_may_come_in_any_order() -> None:
    x = walk(300, gaps=True)
    for key, deviation in DEVIATIONS.items():
        given = [16, 64, 12, 40, 24] if key.startswith("theo") else [16, 64, 3, 6, 40, 4]
        found = deviation.function(x, 1.0, given)
        assert found.m.tolist() == given
        for k, m in enumerate(given):
            alone = deviation.function(x, 1.0, [m])
            np.testing.assert_array_equal(found.sigma[k : k + 1], alone.sigma)
            assert found.n[k] == alone.n[0]


def test_theo1_takes_even_factors_from_ten() -> None:
    x = walk(100, gaps=False)
    assert stability.theo1(x, 1.0, "all").m.tolist() == list(range(10, 100, 2))
    assert stability.theo1(x, 1.0).m.tolist() == [16, 32, 64]
    for bad in ([8], [11], [10, 13]):
        with pytest.raises(stability.FactorError, match="even averaging factors of at least 10"):
            stability.theo1(x, 1.0, bad)
    with pytest.raises(stability.TooShortError):
        stability.theo1(x[:10], 1.0)


def test_the_ratios_of_theobr_are_all_taken_until_there_are_too_many() -> None:
    assert _ratio_steps(18).tolist() == [0]
    assert _ratio_steps(1001).tolist() == list(range(164))
    assert _ratio_steps(4000).size == 664
    many = _ratio_steps(100_000)
    assert many.size == 16
    assert (many[0], many[-1]) == (0, 100_000 // 6 - 3)
    assert np.ptp(np.diff(many)) <= 1


def test_a_constant_frequency_is_an_error_of_time() -> None:
    y = np.full(50, 2e-9)
    y[20] = np.nan
    assert stability.tierms(y, 10.0, [1, 5], kind="frequency").sigma == pytest.approx([2e-8, 1e-7], rel=1e-12)
    assert stability.mtie(y, 10.0, [1, 5], kind="frequency").sigma == pytest.approx([2e-8, 1e-7], rel=1e-12)
    assert stability.oadev(y, 10.0, [1, 5], kind="frequency").sigma == pytest.approx([0.0, 0.0], abs=1e-22)


def test_mtie_takes_what_a_gap_leaves_of_a_window() -> None:
    x = np.array([0.0, np.nan, 3.0, np.nan, np.nan, 1.0])
    found = stability.mtie(x, 1.0, [1, 2, 3, 5])
    assert found.n.tolist() == [0, 1, 2, 1]
    assert found.sigma[1:].tolist() == [3.0, 3.0, 3.0]
    assert np.isnan(found.sigma[0])


@pytest.mark.parametrize("extra", [-1, 0, 1, 130])
def test_mtie_is_right_at_the_seams_of_its_blocks(extra: int) -> None:
    points = 2 * kernels_interval.BLOCK + extra
    x = np.random.default_rng(points).standard_normal(points)
    x[kernels_interval.BLOCK - 1 : kernels_interval.BLOCK + 1] = [9.0, -9.0]
    for m in (1, 6, 127):
        windows = np.lib.stride_tricks.sliding_window_view(x, m + 1)
        widest = (windows.max(axis=1) - windows.min(axis=1)).max()
        assert stability.mtie(x, 1.0, [m]).sigma.tolist() == [widest]


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_differences_are_right_at_the_seams_of_their_blocks(extra: int) -> None:
    points = kernels.BLOCK + extra
    x = np.random.default_rng(points).integers(-1000, 1001, points).astype(np.float64)
    for m in (1, 2000, kernels.BLOCK // 2 - 1):
        second = x[2 * m :] - 2 * x[m:-m] + x[: -2 * m]
        found = stability.oadev(x, 1.0, [m])
        assert found.n.tolist() == [second.size]
        assert found.sigma[0] == pytest.approx(np.sqrt(np.mean(second**2) / 2) / m, rel=1e-14)


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_stretches_are_right_at_the_seams_of_their_lanes(extra: int) -> None:
    """One stretch more or fewer than the lanes hold: each must count once, as those of the two halves do."""
    m = 4
    segments = kernels_total.LANES + extra
    x = np.cumsum(np.random.default_rng(segments).standard_normal(segments + 3 * m - 1))
    whole, first, rest = (stability.mtotdev(part, 1.0, [m]) for part in (x, x[: 50 + 3 * m - 1], x[50:]))
    assert (whole.n[0], first.n[0], rest.n[0]) == (segments, 50, segments - 50)
    mean = (50 * first.sigma[0] ** 2 + (segments - 50) * rest.sigma[0] ** 2) / segments
    assert whole.sigma[0] ** 2 == pytest.approx(mean, rel=1e-12)
