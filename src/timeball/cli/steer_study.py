"""What `timeball steer simulate` computes: closed loops on simulated scales or on a real one, and the band ahead.

Sign: x is UTC(k) − UTC (s).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timeball.cli.output import CommandError
from timeball.cli.steer_options import Choice
from timeball.ensemble.noise import ClockNoise
from timeball.simulation.forecast import Forecast, forecast
from timeball.simulation.models import ClockModel
from timeball.simulation.steered import Loop, Practice, free_scales, loop_of
from timeball.steering.bulletins import CIRCULAR_T, PublicationCalendar, PublishedPoint, date_of, day_start, mjd_at
from timeball.steering.prediction import Posterior, PredictionError

FloatArray = NDArray[np.float64]
Tell = Callable[[int, int], None] | None
# What a scale begins with: known to some ns and parts in 10¹⁵, as after its calibration.
START_S, START_RATE = 5e-9, 5e-15
AT_ONCE = 50
SETTLED_DAYS = 90
LONGEST_GAP_DAYS = 10
FIRST_MJD = 60676  # 2025-01-01


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Outcome of closed loops: r runs over n days, and the bands of m epochs of the next Circular T.

    mjds int64[n]; x float64[n, r], steered; free float64[n, r]; changes float64[steers, r]; now: MJD looked ahead from;
    published (TAI ns) and target_mjds of the next Circular T; middle, low, high float64[m, r], s; truth float64[m, r]
    or None where it is not known; filled: days without a value, drawn straight.
    """

    mjds: NDArray[np.int64]
    x: FloatArray
    free: FloatArray
    changes: FloatArray
    limited: float
    now: int
    published: int
    target_mjds: tuple[int, ...]
    middle: FloatArray
    low: FloatArray
    high: FloatArray
    truth: FloatArray | None
    filled: int = 0

    @property
    def settled(self) -> slice:
        """The days after the loop has settled; what is held against each other is of these."""
        return slice(min(SETTLED_DAYS, self.x.shape[0] // 2), self.x.shape[0])

    def numbers(self) -> dict[str, Any]:
        """Figures for people and JSON, in SI units."""
        x, free = self.x[self.settled], self.free[self.settled]
        ends = self.middle[-1], self.low[-1], self.high[-1]
        covered = None if self.truth is None else float(np.mean((self.truth >= self.low) & (self.truth <= self.high)))
        at_end = (
            None if self.truth is None else float(np.mean((self.truth[-1] >= ends[1]) & (self.truth[-1] <= ends[2])))
        )
        return {
            "rms_s": float(np.sqrt(np.mean(x**2))),
            "p95_s": float(np.quantile(np.abs(x), 0.95)),
            "max_s": float(np.max(np.abs(x))),
            "free_rms_s": float(np.sqrt(np.mean(free**2))),
            "steers": int(self.changes.shape[0]),
            "change_rms": float(np.sqrt(np.mean(self.changes**2))) if self.changes.size else 0.0,
            "limited": self.limited,
            "now_mjd": self.now,
            "published_tai_ns": str(self.published),
            "target_mjd": self.target_mjds[-1],
            "median_s": float(np.median(ends[0])),
            "low_s": float(np.median(ends[1])),
            "high_s": float(np.median(ends[2])),
            "half_width_s": float(np.median(ends[2] - ends[1]) / 2.0),
            "covered": at_end,
            "covered_all_epochs": covered,
        }


def study_model(
    options: Choice, model: ClockModel, runs: int, days: int, seed: int, confidence: float, tell: Tell = None
) -> Study:
    """Closed loops on simulated scales; the band is stated for each run and held against what came.

    The band allows for a drift where the model has one, as a laboratory that knows its clocks would let it.
    """
    rng = np.random.default_rng(seed)
    noise = ClockNoise(wpm=model.wpm, wfm=model.wfm, ffm=model.ffm, rwfm=model.rwfm)
    calendar = PublicationCalendar()
    # look ahead on the day after the first Circular T that comes out when the days have passed
    now = mjd_at(calendar.next_circular_t(day_start(FIRST_MJD + days))[0]) + 1
    targets = calendar.next_circular_t(day_start(now) - 1)[1]
    length = max(targets[-1], now) - FIRST_MJD + 1
    envelope, minimum = options.limits()
    practice = Practice(options.law_for(noise), envelope, minimum, calendar)
    loops, bands = [], []
    for first in range(0, runs, AT_ONCE):
        part = min(AT_ONCE, runs - first)
        free = free_scales(model, length, part, rng, x_s=START_S, y=START_RATE)
        loop = loop_of(practice, FIRST_MJD, free, rng)
        loop.run(0, now - FIRST_MJD)
        bands.append(forecast(loop, now - FIRST_MJD, rng, drifts=model.drift != 0.0))
        loop.run(now - FIRST_MJD, length - 1)
        loops.append((loop, free))
        if tell is not None:
            tell(first + part, runs)
    return _joined(loops, bands, now, confidence)


def _joined(loops: list[tuple[Loop, FloatArray]], bands: list[Forecast], now: int, confidence: float) -> Study:
    rows = [mjd - FIRST_MJD for mjd in bands[0].mjds]
    edges = [each.band(confidence) for each in bands]
    free = np.concatenate([each for _, each in loops], axis=1)
    steered = np.concatenate([loop.steered for loop, _ in loops], axis=1)
    published = np.concatenate([(loop.circular_t + loop.steered)[rows] for loop, _ in loops], axis=1)
    middle, low, high = (np.concatenate([edge[i] for edge in edges], axis=1) for i in range(3))
    changes, limited = _changes([loop for loop, _ in loops])
    mjds = FIRST_MJD + np.arange(free.shape[0])
    return Study(
        mjds,
        free + steered,
        free,
        changes,
        limited,
        now,
        bands[0].published,
        bands[0].mjds,
        middle,
        low,
        high,
        published,
    )


def study_series(
    options: Choice, points: list[PublishedPoint], seed: int, confidence: float, *, drifts: bool = False
) -> Study:
    """A real series taken as a free scale: how it would have been steered, and the band ahead of its end."""
    mjds, free, filled = daily(points)
    calendar = PublicationCalendar()
    now = mjd_at(max(point.published for point in points)) + 1
    if all(point.source == CIRCULAR_T for point in points):
        # as if UTCr had said it: the last whole week of values, and the day after UTCr of it would have come
        sunday = int(mjds[-1]) - (int(mjds[-1]) - 4) % 7
        now = mjd_at(calendar.utcr_published(sunday)) + 1
        kept = mjds <= now
        mjds, free = mjds[kept], free[kept]
    length = now - int(mjds[0]) + 1
    padded = np.full((length, 1), np.nan)
    padded[: free.size, 0] = free
    envelope, minimum = options.limits()
    practice = Practice(options.law_for(fitted(mjds, free)), envelope, minimum, calendar)
    zeros = np.zeros((length, 1))
    loop = Loop(practice, int(mjds[0]), padded, padded.copy(), zeros, np.zeros(1), [], [])
    loop.run(0, length - 1)
    ahead = forecast(loop, length - 1, np.random.default_rng(seed), paths=1999, drifts=drifts)
    middle, low, high = ahead.band(confidence)
    changes, limited = _changes([loop])
    x = padded[: free.size] + loop.steered[: free.size]
    return Study(
        mjds, x, free[:, None], changes, limited, now, ahead.published, ahead.mjds, middle, low, high, None, filled
    )


def daily(points: list[PublishedPoint]) -> tuple[NDArray[np.int64], FloatArray, int]:
    """One value a day (s) from published ones, short gaps drawn straight; and how many those were."""
    known = {mjd_at(point.epoch): point.x_s for point in sorted(points, key=lambda point: point.published)}
    have = np.array(sorted(known), dtype=np.int64)
    if have.size < SETTLED_DAYS:
        raise CommandError(
            f"{have.size} published day(s): a closed loop needs {SETTLED_DAYS}; "
            "UTCr gives one a day, Circular T one in five days"
        )
    if int(np.max(np.diff(have))) > LONGEST_GAP_DAYS:
        gap = int(np.argmax(np.diff(have)))
        raise CommandError(f"nothing is published from MJD {have[gap] + 1} to {have[gap + 1] - 1}: too long a gap")
    mjds = np.arange(have[0], have[-1] + 1)
    values = np.interp(mjds, have, [known[mjd] for mjd in have.tolist()])
    return mjds, values, int(mjds.size - have.size)


def fitted(mjds: NDArray[np.int64], free: FloatArray) -> ClockNoise:
    """Noise of a scale from the first year of its values, five days apart."""
    chosen = slice(0, 365, 5)
    epochs = np.array([day_start(mjd) for mjd in mjds[chosen].tolist()], dtype=np.int64)
    try:
        return Posterior(epochs, epochs[-1:] + 30 * 86400 * 10**9).coefficients(free[chosen])
    except PredictionError as error:
        raise CommandError(str(error)) from error


def day_text(mjd: int) -> str:
    """`MJD 61069 (2026-01-29)`."""
    return f"MJD {mjd} ({date_of(mjd):%Y-%m-%d})"


def _changes(loops: list[Loop]) -> tuple[FloatArray, float]:
    if not loops[0].changes:
        return np.empty((0, 1)), 0.0
    changes = np.concatenate([np.array(loop.changes) for loop in loops], axis=1)
    return changes, float(np.mean(np.concatenate([np.array(loop.limited) for loop in loops], axis=1)))
