"""Three clocks told apart, and windows that move: against allantools, direct sums, and clocks whose noise is known."""

from __future__ import annotations

import allantools
import numpy as np
import pytest

from timeball.stability import FactorError, RecordError, TooShortError, oadev
from timeball.stability.hat import HatError, three_clocks
from timeball.stability.moving import dynamic

LEVELS = (1e-12, 3e-12, 1e-11)


def three(n: int = 20_000, seed: int = 20090401) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.cumsum(level * rng.standard_normal(n)) for level in LEVELS]


def test_the_levels_come_out_within_their_uncertainty() -> None:
    a, b, c = three()
    found = three_clocks(a - b, b - c, c - a, 1.0, [1, 4])
    for i, level in enumerate(LEVELS):
        for k, m in enumerate((1, 4)):
            assert abs(found.variance[i, k] - level**2 / m) < 4 * found.u_variance[i, k]
    assert np.all(found.closure < 1e-20)
    # with one counter the two methods are one
    classical = three_clocks(a - b, b - c, c - a, 1.0, [1, 4], method="hat")
    np.testing.assert_allclose(classical.variance, found.variance, rtol=1e-9)


def test_the_scatter_is_the_stated_uncertainty() -> None:
    """Of 60 small records the scatter of the variance of the quietest clock is u within 35 %."""
    found = []
    for seed in range(60):
        a, b, c = three(200, seed)
        found.append(three_clocks(a - b, b - c, c - a, 1.0, [4]))
    scatter = np.std([each.variance[0, 0] for each in found])
    assert scatter == pytest.approx(np.mean([each.u_variance[0, 0] for each in found]), rel=0.35)


def test_allantools_gives_the_same_covariance() -> None:
    a, b, c = three(4000)
    _, theirs, _, _ = allantools.gcodev(a - b, c - a, rate=1.0, data_type="phase", taus=[1, 2, 4, 8])
    np.testing.assert_allclose(three_clocks(a - b, b - c, c - a, 1.0, [1, 2, 4, 8]).sigma[0], theirs, rtol=1e-12)


def test_noise_of_the_comparators_stays_out_of_the_covariance_and_shows_in_the_closure() -> None:
    a, b, c = three()
    noise = np.random.default_rng(5).standard_normal((3, a.size)) * 2e-12
    records = (a - b + noise[0], b - c + noise[1], c - a + noise[2])
    free = three_clocks(*records, 1.0, [1])
    classical = three_clocks(*records, 1.0, [1], method="hat")
    assert abs(free.variance[0, 0] - 1e-24) < 4 * free.u_variance[0, 0]
    # white PM of s adds 3 s² to AVAR(τ₀): half of the three together to each clock of the hat
    assert classical.variance[0, 0] == pytest.approx(1e-24 + 0.5 * 3 * 4e-24, rel=0.25)
    assert free.closure[0] == pytest.approx(np.sqrt(3 * 3) * 2e-12, rel=0.05)


@pytest.mark.parametrize("key", ["oadev", "mdev", "ohdev"])
def test_gaps_leave_out_the_terms_that_touch_them(key: str) -> None:
    a, b, c = (x[:80] for x in three(80))
    ab, bc, ca = a - b, b - c, c - a
    ab[13], bc[40], ca[[60, 61]] = np.nan, np.nan, np.nan
    order, m = (3 if key == "ohdev" else 2), 3
    products = []
    for i in range(80 - order * m - (m - 1 if key == "mdev" else 0)):
        width = range(m) if key == "mdev" else range(1)
        terms = [
            np.mean([np.diff([x[i + j + k * m] for k in range(order + 1)], n=order)[0] for j in width])
            for x in (ab, bc, ca)
        ]
        if all(np.isfinite(terms)) and (key != "mdev" or np.isfinite([ab, bc, ca])[:, i : i + 3 * m].all()):
            products.append(-terms[0] * terms[2])
    found = three_clocks(ab, bc, ca, 1.0, [m], key=key)
    assert found.n.tolist() == [len(products)]
    assert found.variance[0, 0] == pytest.approx(np.mean(products) / (6 if order == 3 else 2) / m**2, rel=1e-9)


def test_frequencies_give_what_their_phases_give() -> None:
    a, b, c = three(2000)
    ab, bc, ca = a - b, b - c, c - a
    of_phase = three_clocks(ab, bc, ca, 1.0, [1, 16])
    of_frequency = three_clocks(np.diff(ab), np.diff(bc), np.diff(ca), 1.0, [1, 16], kind="frequency")
    np.testing.assert_allclose(of_frequency.variance, of_phase.variance, rtol=1e-9)
    timed = three_clocks(ab, bc, ca, 1.0, [16], key="tdev")
    modified = three_clocks(ab, bc, ca, 1.0, [16], key="mdev")
    np.testing.assert_allclose(timed.sigma, 16 / np.sqrt(3) * modified.sigma, rtol=1e-12)


def test_what_is_no_hat_is_refused() -> None:
    x = np.zeros(20)
    for arguments, error in (
        ({"key": "adev"}, HatError),
        ({"method": "magic"}, HatError),
        ({"kind": "colour"}, RecordError),
        ({"m": [10]}, TooShortError),
        ({"m": [0]}, FactorError),
    ):
        with pytest.raises(error):
            three_clocks(x, x, x, 1.0, **arguments)  # type: ignore[arg-type]
    with pytest.raises(HatError, match="length"):
        three_clocks(x, x, x[1:], 1.0)
    empty = three_clocks(np.full(20, np.nan), x, x, 1.0, [1])
    assert empty.n.tolist() == [0]
    assert np.isnan(empty.variance).all()


def test_a_window_shows_when_the_noise_rose() -> None:
    rng = np.random.default_rng(3)
    x = np.cumsum(rng.standard_normal(4000) * np.where(np.arange(4000) < 2500, 1.0, 5.0))
    found = dynamic(x, 2.0, 400, 100, [1, 10])
    assert found.sigma.shape == (37, 2)
    assert found.centre_s(2.0)[:2].tolist() == [399.0, 599.0]
    row = 12
    start = int(found.first[row])
    assert found.sigma[row].tolist() == oadev(x[start : start + 400], 2.0, [1, 10]).sigma.tolist()
    calm = found.first + 400 <= 2500
    assert found.sigma[calm, 0].max() < 0.5 * found.sigma[found.first >= 2500, 0].min()


def test_windows_that_cannot_be_are_refused() -> None:
    with pytest.raises(TooShortError):
        dynamic(np.zeros(50), 1.0, 51)
    with pytest.raises(FactorError, match="at least one point"):
        dynamic(np.zeros(50), 1.0, 20, 0)
    gap = dynamic(np.where(np.arange(60) < 30, np.nan, 1.0), 1.0, 20, 20, [1])
    assert gap.n[:, 0].tolist() == [0, 8, 18]
    assert np.isnan(gap.sigma[0, 0])
