"""How far UTC(k) will be from UTC at the next Circular T, steers to come included.

x is UTC(k) − UTC (s). Free scales are drawn from what the past says of them (`steering.prediction`: coefficients,
offset and rate all uncertain), and each is steered on as the laboratory will, on bulletins that come out as they do.
The band lies between two of the sorted outcomes: of n paths that the truth might be one of as well as any other, the
i-th and the j-th hold it with probability (j − i)/(n + 1), whatever its law.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from timeball.simulation.steered import FloatArray, Loop, continued
from timeball.steering.bulletins import day_start
from timeball.steering.prediction import Posterior

PATHS = 199
PAST_DAYS = 365


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """Outcomes for m epochs of the next Circular T, float64[m, r, paths] in s, in no order; published: TAI ns."""

    published: int
    mjds: tuple[int, ...]
    outcomes: FloatArray

    def band(self, confidence: float = 0.95) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Median, lower and upper edge, float64[m, r] each, s."""
        ordered = np.sort(self.outcomes, axis=2)
        count = ordered.shape[2]
        tail = max(1, round((1.0 - confidence) / 2.0 * (count + 1)))
        return np.median(ordered, axis=2), ordered[:, :, tail - 1], ordered[:, :, count - tail]


def forecast(loop: Loop, day: int, rng: np.random.Generator, paths: int = PATHS, *, drifts: bool = False) -> Forecast:
    """Look from 0 h of `day` (counted from the first) to the last epoch of the next Circular T.

    drifts: whether the free scales may have a constant drift, unknown as their offset and rate are; without it a scale
    that drifts leaves its band more often than stated.

    Raises
    ------
    PredictionError
        When too little is known at that day.
    """
    practice = loop.practice
    published, mjds = practice.calendar.next_circular_t(day_start(loop.first_mjd + day) - 1)
    targets = [mjd - loop.first_mjd for mjd in mjds]
    rows, circular = loop.known(day)
    recent = rows >= day - PAST_DAYS
    rows, circular = rows[recent], circular[recent]
    first = int(rows[-1]) + 1 if rows.size else 0
    at = [row for row in targets if row < first] + list(range(first, max(targets[-1], day) + 1))
    covariance = practice.noise.covariance(rows, circular)
    posterior = Posterior(_epochs(loop, rows), _epochs(loop, np.array(at)), u_s=covariance, drifts=drifts)
    free = np.where(circular[:, None], loop.circular_t[rows], loop.utcr[rows])
    drawn = posterior.of(free).draw(rng, paths)
    copies = continued(loop, day, drawn[at.index(first) :], rng)
    copies.run(day, max(targets[-1], day))
    steered = copies.steered.reshape(-1, loop.runs, paths)
    truth = np.array([drawn[at.index(row)] + steered[row] for row in targets])
    return Forecast(published, tuple(mjds), truth + practice.noise.circular_t_s * rng.standard_normal(truth.shape))


def without_law(loop: Loop) -> Loop:
    """The same laboratory, which makes no further steer: the rate in force stays."""
    return replace(loop, practice=replace(loop.practice, law=None))


def _epochs(loop: Loop, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.array([day_start(loop.first_mjd + row) for row in rows.tolist()], dtype=np.int64)
