"""UTC(k) steered in closed loop: many runs side by side, with the bulletins' noise and their true latency.

x is UTC(k) − UTC (s): the free scale's phase plus what the steers add. A day is one step: values at 0 h, and a steer is
decided at 0 h of the day after the bulletin it waits for. The laws decide by the same operations as in the station
(`steering.view`), element by element over the runs. Randomness comes as a Generator; nothing here moves anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from timeball.simulation.models import ClockModel
from timeball.simulation.noise import noise_of
from timeball.steering.bulletins import CIRCULAR_T, GRID_DAYS, UTCR, PublicationCalendar, day_start, mjd_at
from timeball.steering.envelope import Envelope
from timeball.steering.laws import Law
from timeball.steering.minimum_step import MinimumStep
from timeball.steering.offset import OffsetUnknown
from timeball.steering.view import View

DAY_S = 86_400.0
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BulletinNoise:
    """How well the bulletins know UTC: UTCr by white noise and a slow wander (stationary, first order), Circular T.

    Standard deviations in s. UTCr stays within 2 ns of UTC or so (BIPM); uA of Circular T is 0.2 ns to 0.4 ns for most.
    """

    utcr_s: float = 0.2e-9
    wander_s: float = 0.5e-9
    wander_time_s: float = 10 * DAY_S
    circular_t_s: float = 0.2e-9

    def utcr(self, days: int, runs: int, rng: np.random.Generator) -> FloatArray:
        """UTCr's own error, float64[days, runs], s."""
        keeps = np.exp(-DAY_S / self.wander_time_s)
        kicks = self.wander_s * np.sqrt(1.0 - keeps * keeps) * rng.standard_normal((days, runs))
        wander = np.empty((days, runs))
        state = self.wander_s * rng.standard_normal(runs)
        for day in range(days):
            wander[day] = state
            state = keeps * state + kicks[day]
        return np.asarray(wander + self.utcr_s * rng.standard_normal((days, runs)))

    def circular_t(self, days: int, runs: int, rng: np.random.Generator) -> FloatArray:
        """Circular T's own error, float64[days, runs], s."""
        return np.asarray(self.circular_t_s * rng.standard_normal((days, runs)))

    def covariance(self, mjds: NDArray[np.int64], circular: NDArray[np.bool_]) -> FloatArray:
        """Covariance (s²) of what is known at some days, by bulletin."""
        apart_s = np.abs(mjds[:, None] - mjds[None, :]) * DAY_S
        wander = self.wander_s**2 * np.exp(-apart_s / self.wander_time_s)
        both = ~circular[:, None] & ~circular[None, :]
        white = np.where(circular, self.circular_t_s**2, self.utcr_s**2)
        return np.asarray(np.where(both, wander, 0.0) + np.diag(white))


ENVELOPE = Envelope(5e-15, 1e-12, 50e-9)
FINE = MinimumStep()
CALENDAR = PublicationCalendar()
KNOWN = BulletinNoise()


@dataclass(frozen=True, slots=True)
class Practice:
    """How a laboratory steers: law (None: not at all), limits, smallest step, when and how well bulletins know.

    utcr, circular_t: whether it has them at all.
    """

    law: Law | None
    envelope: Envelope = ENVELOPE
    minimum: MinimumStep = FINE
    calendar: PublicationCalendar = CALENDAR
    noise: BulletinNoise = KNOWN
    utcr: bool = True
    circular_t: bool = True


@dataclass(slots=True, eq=False)
class Loop:
    """A closed loop of r runs over n days from `first_mjd` on.

    utcr, circular_t float64[n, r]: the free scale as each bulletin sees it (s), steers left out, for days not yet past
    too; steered float64[n, r]: phase of the steers (s), filled as far as it ran; rate float64[r], in force;
    changes: what each decision changed, float64[r] each.
    """

    practice: Practice
    first_mjd: int
    utcr: FloatArray
    circular_t: FloatArray
    steered: FloatArray
    rate: FloatArray
    changes: list[FloatArray]
    limited: list[FloatArray]

    @property
    def runs(self) -> int:
        """r."""
        return self.rate.size

    def known(self, day: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Days (from the first) known at 0 h of a day, and which of them from Circular T."""
        practice, now = self.practice, day_start(self.first_mjd + day)
        rows: list[tuple[int, bool]] = []
        mjds = range(self.first_mjd, self.first_mjd + day)
        calendar = practice.calendar
        if practice.circular_t:
            grid = [m for m in mjds if m % GRID_DAYS == GRID_DAYS - 1 and calendar.circular_t_published(m) <= now]
            rows = [(mjd - self.first_mjd, True) for mjd in grid]
        after = rows[-1][0] if rows else -1
        if practice.utcr:
            newer = [m for m in mjds[after + 1 :] if calendar.utcr_published(m) <= now]
            rows += [(mjd - self.first_mjd, False) for mjd in newer]
        return np.array([row for row, _ in rows], dtype=np.int64), np.array([c for _, c in rows], dtype=bool)

    def view(self, day: int) -> View:
        """What the laboratories see at 0 h of a day."""
        rows, circular = self.known(day)
        noise, steered = self.practice.noise, self.steered[rows]
        free = np.where(circular[:, None], self.circular_t[rows], self.utcr[rows])
        utcr_s = (noise.utcr_s**2 + noise.wander_s**2) ** 0.5
        return View(
            day_start(self.first_mjd + day),
            np.array([day_start(self.first_mjd + row) for row in rows.tolist()], dtype=np.int64),
            free + steered,
            np.where(circular, noise.circular_t_s, utcr_s),
            tuple(CIRCULAR_T if yes else UTCR for yes in circular.tolist()),
            steered,
            self.steered[day],
            self.rate,
        )

    def run(self, first: int, last: int) -> None:
        """Go from 0 h of day `first`, whose steered phase is there, to 0 h of day `last`; a steer on `first` counts."""
        due = self._decision_days(first, last)
        for day in range(first, last):
            if day in due:
                self._decide(day)
            self.steered[day + 1] = self.steered[day] + self.rate * DAY_S

    def _decision_days(self, first: int, last: int) -> set[int]:
        law, calendar = self.practice.law, self.practice.calendar
        if law is None:
            return set()
        days = range(self.first_mjd, self.first_mjd + last)
        return {
            day
            for day in (mjd_at(calendar.published(law.source, mjd)) + 1 - self.first_mjd for mjd in days)
            if first <= day < last
        }

    def _decide(self, day: int) -> None:
        law = self.practice.law
        assert law is not None
        view = self.view(day)
        try:
            x, y = law.estimate(view)
        except OffsetUnknown:
            return
        rate, limited = settle(self.rate, law.correct(x, y), self.practice.minimum, self.practice.envelope)
        self.changes.append(rate - self.rate)
        self.limited.append(limited)
        self.rate = rate


def settle(
    rate: FloatArray, change: FloatArray, minimum: MinimumStep, envelope: Envelope
) -> tuple[FloatArray, FloatArray]:
    """`steering.propose.settle` for many runs: the new rates, and where the envelope held."""
    wanted = rate + change
    rounded = np.rint(wanted / minimum.resolution) * minimum.resolution if minimum.resolution > 0.0 else wanted
    rounded = np.where(np.abs(wanted - rate) < minimum.least_change, rate, rounded)
    most = min(envelope.max_rate, envelope.max_phase_per_day_s / DAY_S)
    inside = np.clip(rounded, -most, most)
    step = np.clip(inside - rate, -envelope.max_rate_change, envelope.max_rate_change)
    new = np.where(step == inside - rate, inside, rate + step)
    return new, np.asarray(new != rounded)


def loop_of(practice: Practice, first_mjd: int, free: FloatArray, rng: np.random.Generator) -> Loop:
    """Start a loop on free scales float64[n, r] (s, one value a day at 0 h from `first_mjd` on)."""
    days, runs = free.shape
    return Loop(
        practice,
        first_mjd,
        free + practice.noise.utcr(days, runs, rng),
        free + practice.noise.circular_t(days, runs, rng),
        np.zeros((days, runs)),
        np.zeros(runs),
        [],
        [],
    )


def free_scales(
    model: ClockModel, days: int, runs: int, rng: np.random.Generator, *, x_s: float = 0.0, y: float = 0.0
) -> FloatArray:
    """Draw free scales, float64[days, runs] in s at 0 h, with offset and rate from normal laws of these sizes."""
    noise = noise_of(model, DAY_S)
    out = np.empty((days, runs))
    for run in range(runs):
        out[:, run], _ = noise.run(noise.start(rng), days, rng)
    t_s = np.arange(days)[:, None] * DAY_S
    start, rate = x_s * rng.standard_normal(runs), y * rng.standard_normal(runs)
    return np.asarray(out + start + rate * t_s + 0.5 * model.drift * t_s * t_s)


def continued(loop: Loop, day: int, ahead: FloatArray, rng: np.random.Generator) -> Loop:
    """Copies of a loop at 0 h of `day`, one for each path: `ahead` float64[days after, r, paths], the free scale (s).

    What is not known at `day` is forgotten and taken from the paths, `ahead[0]` being the first day not known; so the
    copies know no more than the laboratories do.
    """
    rows, _ = loop.known(day)
    unknown = int(rows[-1]) + 1
    days, runs, paths = ahead.shape
    last = unknown + days
    future = ahead.reshape(days, runs * paths)
    noise = loop.practice.noise
    utcr = np.concatenate([np.repeat(loop.utcr[:unknown], paths, axis=1), future])
    utcr[unknown:] += noise.utcr(days, runs * paths, rng)
    circular = np.concatenate([np.repeat(loop.circular_t[:unknown], paths, axis=1), future])
    circular[unknown:] += noise.circular_t(days, runs * paths, rng)
    steered = np.zeros((last, runs * paths))
    steered[: day + 1] = np.repeat(loop.steered[: day + 1], paths, axis=1)
    return replace(
        loop, utcr=utcr, circular_t=circular, steered=steered, rate=np.repeat(loop.rate, paths), changes=[], limited=[]
    )
