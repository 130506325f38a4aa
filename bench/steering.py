"""Steering: whether the stated band holds the outcome, LQG beside pole placement at equal effort, and a real series."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench import Figure, Skip
from timeball.ensemble.noise import ClockNoise
from timeball.simulation.equal_effort import at_equal_effort, ratio_with_error
from timeball.simulation.forecast import forecast
from timeball.simulation.models import MODELS, ClockModel
from timeball.simulation.steered import Practice, free_scales, loop_of
from timeball.steering.bulletins import PublicationCalendar, day_start, mjd_at
from timeball.steering.envelope import Envelope
from timeball.steering.laws import Law, MonthlyOnCircularT, OnEstimate, WeeklyOnUTCr
from timeball.steering.lqg import LQG
from timeball.steering.pole_placement import PolePlacement
from timeball.steering.prediction import predict_band

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
FIRST_MJD, DAYS, RUNS, AT_ONCE = 60676, 400, 1000, 50
# An ensemble of masers, and one of a few caesium clocks; coefficients are ADEVs at 1 s.
SCALES = {
    "masers": ClockModel("masers", wfm=1e-13, ffm=5e-16, rwfm=3e-19),
    "caesium": ClockModel("caesium", wfm=4e-12, ffm=3e-15, rwfm=1e-18),
}
# three standard errors of 1000 runs, and the band may be one percent off in itself
SLACK = 0.031
SERIES = Path(__file__).resolve().parents[2] / "shared" / "data" / "groundstate-utck-tools" / "utcraus.txt"


def figures() -> Iterator[Figure | Skip]:
    """Give coverage by scale and law, the time of 1000 loops, rms ratios, and how the band fares on UTC(AUS)."""
    for scale, model in SCALES.items():
        for name, law in laws(model).items():
            start = time.perf_counter()
            covered, half_s = coverage(model, law, RUNS, seed=4571)
            taken = time.perf_counter() - start
            title = f"95 % band holds UTC(k) at the next Circular T, {scale}, {name}, ±{half_s * 1e9:.1f} ns"
            target = f"0.95 ± {SLACK}"
            yield Figure(title, "steering", covered, "of 1000", None, None, target, abs(covered - 0.95) <= SLACK)
            if name == "weekly":
                yield Figure(f"1000 loops of 13 months with their bands, {scale}", "steering", taken, "s")
    for name, law in (("weekly", WeeklyOnUTCr()), ("monthly", MonthlyOnCircularT())):
        covered, half_s = coverage(MODELS["active-maser"], law, RUNS, seed=4574)
        title = f"95 % band holds UTC(k) at the next Circular T, a maser that drifts, {name}, ±{half_s * 1e9:.1f} ns"
        target = f"0.95 ± {SLACK}"
        yield Figure(title, "steering", covered, "of 1000", None, None, target, abs(covered - 0.95) <= SLACK)
    yield from _equal_effort()
    yield from _real()


def laws(model: ClockModel) -> dict[str, Law]:
    """The four laws, as a laboratory with such a scale would have them."""
    noise = noise_of(model)
    return {
        "weekly": WeeklyOnUTCr(),
        "monthly": MonthlyOnCircularT(),
        "pole placement": OnEstimate(gains=PolePlacement(WEEK_S, 20 * DAY_S), noise=noise),
        "LQG": OnEstimate(gains=LQG(WEEK_S, 1e-9, 1e-15), noise=noise),
    }


def noise_of(model: ClockModel) -> ClockNoise:
    """The coefficients that the filter of a law needs."""
    return ClockNoise(wfm=model.wfm, ffm=model.ffm, rwfm=model.rwfm)


def coverage(model: ClockModel, law: Law, runs: int, seed: int) -> tuple[float, float]:
    """Share of runs whose last value in the next Circular T lies in its 95 % band, and the median half width (s)."""
    calendar = PublicationCalendar()
    now = mjd_at(calendar.next_circular_t(day_start(FIRST_MJD + DAYS))[0]) + 1 - FIRST_MJD
    last = calendar.next_circular_t(day_start(FIRST_MJD + now) - 1)[1][-1] - FIRST_MJD
    rng = np.random.default_rng(seed)
    held, halves = 0, []
    for first in range(0, runs, AT_ONCE):
        part = min(AT_ONCE, runs - first)
        free = free_scales(model, last + 2, part, rng, x_s=5e-9, y=5e-15)
        loop = loop_of(Practice(law, Envelope(2e-14, 1e-12, 100e-9)), FIRST_MJD, free, rng)
        loop.run(0, now)
        _, low, high = forecast(loop, now, rng, drifts=model.drift != 0.0).band(0.95)
        loop.run(now, last + 1)
        published = loop.circular_t[last] + loop.steered[last]
        held += int(np.sum((published >= low[-1]) & (published <= high[-1])))
        halves.append((high[-1] - low[-1]) / 2.0)
    return held / runs, float(np.median(np.concatenate(halves)))


def _equal_effort() -> Iterator[Figure]:
    for scale, model in SCALES.items():
        free = free_scales(model, 730, RUNS, np.random.default_rng(4572), x_s=5e-9, y=2e-15)
        for days in (10, 20, 40):
            theirs, ours = at_equal_effort(PolePlacement(WEEK_S, days * DAY_S), noise_of(model), free, FIRST_MJD, 4573)
            ratio, error = ratio_with_error(theirs, ours)
            title = f"LQG rms over pole placement's at equal effort, {scale}, T = {days} d (± {error:.4f})"
            peer = f"pole placement {theirs.rms_s * 1e9:.3g} ns at {theirs.effort:.2e}"
            yield Figure(title, "steering", ratio, "1", peer, 1.0 / ratio, "<= 1", ratio <= 1.0)


def _real() -> Iterator[Figure | Skip]:
    if not SERIES.exists():
        yield Skip("the band on UTC(AUS)", f"real data not here: {SERIES.name}")
        return
    mjds, values = np.loadtxt(SERIES, unpack=True)
    epochs, x = np.array([day_start(int(mjd)) for mjd in mjds]), -values * 1e-9
    held, looks = 0, range(400, x.size - 35, 35)
    for end in looks:
        past = [row for row in range(end - 365, end) if row >= end - 30 or (end - 1 - row) % 5 == 0]
        band = predict_band(epochs[past], x[past], epochs[end + 34 : end + 35])
        held += int(band.low_s[0] <= x[end + 34] <= band.high_s[0])
    share, error = held / len(looks), (0.95 * 0.05 / len(looks)) ** 0.5
    title = f"95 % band 35 days ahead holds UTC(AUS), {len(looks)} looks over six years"
    target = f"0.95 ± {3 * error:.3f}"
    yield Figure(title, "steering", share, "1", None, None, target, abs(share - 0.95) <= 3 * error)
