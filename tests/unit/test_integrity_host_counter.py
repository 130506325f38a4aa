"""The host counter's line against an exact least-squares oracle, its outliers, its carry, and when it says nothing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.integrity.host_counter import FS_PER_NS, CounterLine, CounterUnknown, fit_counter

S = 10**9
EPOCH = 1_800_000_000 * S
ANCHOR = 1_799_000_000 * S + 123_456_789


def exact_line(epochs: np.ndarray, x: np.ndarray) -> tuple[Fraction, Fraction]:
    """Offset at the last epoch and slope by least squares in rational numbers: nothing is rounded."""
    t = [Fraction(int(epoch) - int(epochs[-1]), S) for epoch in epochs]
    values = [Fraction(float(value)) for value in x]
    n = len(t)
    mean_t, mean_x = sum(t) / n, sum(values) / n
    slope = sum((a - mean_t) * (b - mean_x) for a, b in zip(t, values, strict=True)) / sum((a - mean_t) ** 2 for a in t)
    return mean_x - slope * mean_t, slope


def exact_tai_at(line: CounterLine, raw_ns: int) -> Fraction:
    """Output time (s since EPOCH) that a line gives for a reading of RAW."""
    reference = Fraction(line.tai_ns - EPOCH, S) + Fraction(line.tai_frac_fs, 10**15)
    return reference + Fraction(raw_ns - line.raw_ns, S) * (1 + Fraction(line.rate))


def readings(seconds: np.ndarray, offset_s: float, y: float) -> tuple[np.ndarray, np.ndarray]:
    return EPOCH + (seconds * S).astype(np.int64), offset_s + y * seconds


@given(
    st.integers(0, 2**32 - 1), st.integers(3, 120), st.floats(-1e-4, 1e-4), st.floats(-100, 100), st.floats(0.0, 1e-6)
)
def test_the_line_is_that_of_exact_least_squares(seed: int, n: int, y: float, offset_s: float, noise_s: float) -> None:
    rng = np.random.default_rng(seed)
    epochs, x = readings(np.arange(n, dtype=float), offset_s, y)
    # uniform noise has no outliers, so every reading counts
    x = x + noise_s * rng.uniform(-1, 1, n)
    line = fit_counter(epochs, x, ANCHOR, 1e-9)
    if line.used != n:
        return
    at_last, slope = exact_line(epochs, x)
    assert line.rate == pytest.approx(float(1 / (1 + slope) - 1), abs=2e-15)
    # x = RAW + anchor − output time: at the last epoch RAW is epoch − anchor + x, and the line must say that epoch
    raw = Fraction(int(epochs[-1]) - ANCHOR) + at_last * S
    expected = Fraction(int(epochs[-1]) - EPOCH, S)
    said = exact_tai_at(line, 0) + raw / S * (1 + Fraction(line.rate))
    assert abs(said - expected) < Fraction(1, 10**12), f"seed {seed}"


@given(st.floats(-5, 5), st.floats(-1e-4, 1e-4))
def test_nanoseconds_are_carried_and_the_fraction_stays_one(offset_s: float, y: float) -> None:
    line = fit_counter(*readings(np.arange(10.0), offset_s, y), ANCHOR)
    assert 0 <= line.tai_frac_fs < FS_PER_NS
    # the reference is at most a nanosecond before the last epoch, and RAW is whole
    assert -1 <= line.tai_ns - (EPOCH + 9 * S) <= 0
    at_last, _ = exact_line(*readings(np.arange(10.0), offset_s, y))
    assert (
        abs(exact_tai_at(line, line.raw_ns) - 9 - Fraction(line.raw_ns - (EPOCH + 9 * S - ANCHOR), S) + at_last) < 2e-9
    )


@pytest.mark.parametrize("wild", [[], [0], [59], [30], [0, 1, 2, 58, 59], list(range(5, 60, 4))])
def test_wild_readings_are_left_out(wild: list[int]) -> None:
    """Up to a fifth of the readings off by 1 µs to 10 s, wherever they stand and however unequal."""
    rng = np.random.default_rng(7)
    epochs, clean = readings(np.arange(60.0), 0.25, 3e-6)
    clean = clean + 5e-9 * rng.standard_normal(60)
    x = clean.copy()
    for number, place in enumerate(wild):
        x[place] += (-1) ** number * 10.0 ** (-6 + number % 8)
    kept = [place for place in range(60) if place not in wild]
    line, among_the_good = fit_counter(epochs, x, ANCHOR), fit_counter(epochs[kept], clean[kept], ANCHOR)
    assert line.used == 60 - len(wild)
    if 59 not in wild:
        assert line == among_the_good
    assert line.rate == pytest.approx(-3e-6, abs=1e-9)
    assert line.u_s < 5e-9


def test_the_uncertainty_is_that_of_the_textbook() -> None:
    """Standard error of a straight line at its end, ν = n − 2, over many draws: the spread is what is said."""
    rng = np.random.default_rng(11)
    offsets, said = [], []
    for _ in range(400):
        epochs, x = readings(np.arange(40.0), 0.0, 0.0)
        line = fit_counter(epochs, x + 1e-7 * rng.standard_normal(40), ANCHOR)
        offsets.append(float(exact_tai_at(line, int(epochs[-1]) - ANCHOR)) - 39)
        said.append(line.u_s)
    assert np.std(offsets) == pytest.approx(np.mean(said), rel=0.15)


def test_a_few_lucky_readings_promise_no_more_than_the_floor() -> None:
    epochs, x = readings(np.arange(5.0), 0.1, 1e-6)
    line = fit_counter(epochs, x, ANCHOR, 1e-8)
    assert line.u_s > 0.7e-8
    assert line.u_rate > 0.3e-8


@pytest.mark.parametrize("n", [0, 1, 2])
def test_two_readings_say_nothing(n: int) -> None:
    with pytest.raises(CounterUnknown, match=f"{n} readings"):
        fit_counter(*readings(np.arange(float(n)), 0.0, 0.0), ANCHOR)


@pytest.mark.parametrize("jump_s", [1e-3, -3600.0])
def test_a_counter_that_jumped_is_not_served_by_its_old_line(jump_s: float) -> None:
    """After a suspension, or a step of the reference, nobody knows until the newest readings are the line."""
    epochs, x = readings(np.arange(60.0), 0.25, 3e-6)
    x = x + 1e-8 * np.random.default_rng(3).standard_normal(60)
    for late in (3, 4, 10):
        jumped = x.copy()
        jumped[-late:] += jump_s
        with pytest.raises(CounterUnknown, match="the last 3 readings"):
            fit_counter(epochs, jumped, ANCHOR)
    jumped = x.copy()
    jumped[-50:] += jump_s
    line = fit_counter(epochs, jumped, ANCHOR)
    assert line.used == 50
    assert line.raw_ns == pytest.approx(int(epochs[-1]) - ANCHOR + jumped[-1] * S, abs=100)
