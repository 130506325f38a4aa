"""Random walks of clocks without drift, found anew against a scale that has one."""

from __future__ import annotations

import numpy as np
import pytest

from timeball.ensemble.fitting.walks import SHORTEST_S, refined_walks
from timeball.ensemble.noise import ClockNoise
from timeball.simulation.models import ClockModel
from timeball.simulation.noise import noise_of

STEP_S, EPOCHS = 21_600.0, 1461  # a year
WFM = 8e-12
DRIFT = 5e-21  # of the scale: all clocks seem to have it, and at 30 days it is as great as the greatest walk
NOISE = ClockNoise(wpm=1e-12, wfm=WFM, ffm=3e-15, rwfm=6e-18)


def _clocks(seed: int, walks: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Epochs, and phases of clocks with these random walks against a drifting scale, one reading in ten missing."""
    rng = np.random.default_rng(seed)
    t_s = np.arange(EPOCHS) * STEP_S
    x = np.empty((EPOCHS, len(walks)))
    for column, rwfm in enumerate(walks):
        noise = noise_of(ClockModel("clock", wfm=WFM, ffm=3e-15, rwfm=rwfm), STEP_S)
        x[:, column], _ = noise.run(noise.start(rng), EPOCHS, rng)
    x += 0.5 * DRIFT * t_s[:, None] ** 2 + 1e-13 * t_s[:, None]
    x[rng.random(x.shape) < 0.1] = np.nan
    return np.rint(t_s * 1e9).astype(np.int64), x


def test_great_and_small_walks_are_told_apart_in_spite_of_the_drift_they_share() -> None:
    walks = [0.0, 3e-17] * 4
    names = [f"C{k}" for k in range(8)]
    small, great = [], []
    for seed in range(3):
        epochs, x = _clocks(seed, walks)
        found = refined_walks(dict.fromkeys(names, NOISE), epochs, names, x)
        small += [found[name].rwfm for name in names[::2]]
        great += [found[name].rwfm for name in names[1::2]]
    print(sorted(small), sorted(great))
    assert np.median(small) < 2e-18
    assert np.median(great) == pytest.approx(3e-17, rel=0.5)
    assert max(small) < np.median(great)


def test_rate_and_drift_of_the_scale_do_not_matter() -> None:
    names = ["A", "B", "C"]
    epochs, x = _clocks(7, [3e-18, 1e-17, 0.0])
    t_s = ((epochs - epochs[0]) / 1e9)[:, None]
    before = refined_walks(dict.fromkeys(names, NOISE), epochs, names, x)
    after = refined_walks(dict.fromkeys(names, NOISE), epochs, names, x + 1e-6 + 2e-13 * t_s - 2e-21 * t_s**2)
    for name in names:
        assert after[name].rwfm == pytest.approx(before[name].rwfm, rel=1e-6)
        assert after[name].ffm == pytest.approx(before[name].ffm, rel=1e-6)
    assert len({each.rwfm for each in before.values()}) > 1


def test_what_drifts_or_was_hardly_read_stays_as_it_was() -> None:
    names = ["A", "B", "C", "D"]
    epochs, x = _clocks(3, [3e-18, 1e-17, 0.0, 0.0])
    x[10:, 3] = np.nan
    noise = dict.fromkeys(names, NOISE) | {"B": ClockNoise(wfm=1e-13, drifts=True)}
    found = refined_walks(noise, epochs, names, x)
    assert list(found) == names
    assert (found["B"], found["D"]) == (noise["B"], NOISE)
    assert found["A"] != NOISE
    assert all((each.wpm, each.wfm) == (noise[name].wpm, noise[name].wfm) for name, each in found.items())


def test_a_clock_that_stepped_is_left_alone_and_moves_no_other() -> None:
    names = ["A", "B", "C", "D"]
    epochs, x = _clocks(4, [3e-18, 1e-17, 0.0, 0.0])
    without = refined_walks(dict.fromkeys("ABC", NOISE), epochs, names, x)
    x[700:, 3] += 2e-7
    found = refined_walks(dict.fromkeys(names, NOISE), epochs, names, x)
    assert found == without | {"D": NOISE}
    assert found["A"] != NOISE


def test_months_say_nothing_of_a_walk() -> None:
    names = ["A", "B", "C"]
    epochs, x = _clocks(7, [3e-18, 1e-17, 0.0])
    noise = dict.fromkeys(names, NOISE)
    few = round(SHORTEST_S / STEP_S)
    assert refined_walks(noise, epochs[:few], names, x[:few]) == noise
    assert refined_walks(noise, epochs[: few + 1], names, x[: few + 1]) != noise


def test_one_clock_alone_says_nothing() -> None:
    epochs, x = _clocks(3, [3e-18, 1e-17])
    noise = {"A": NOISE, "B": ClockNoise(wfm=1e-13, drifts=True)}
    assert refined_walks(noise, epochs, ["A", "B"], x) == noise
    assert refined_walks({"A": NOISE, "Z": NOISE}, epochs, ["A", "B"], x) == {"A": NOISE, "Z": NOISE}
