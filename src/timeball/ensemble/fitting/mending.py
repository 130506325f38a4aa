"""Take single bad readings and phase steps out of a record before its noise is fitted.

A noise model knows neither, and one step of a microsecond would pass for years of random walk. Between two readings of
a clock its phase against the others gains what the rates before and after say, but for noise. A gain beyond LIMIT
robust spreads is a bad reading if the next one takes it back, else a step, which is taken out of all that follows.
Smaller ones stay in, and so do steps of rate, which a random walk covers. It finds events to be rid of them; to find
them for themselves is another room's.

Sign: x is clock minus pivot (s).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
LIMIT = 8.0
PASSES = 12
MAD = 1.4826
# How much more of an increment's variance a walking rate makes over a gap: this times its length cubed.
WALK = 0.1
# A spread of nothing, whose square is still a number (s).
SMALLEST = 1e-60
# Rates are taken for as good as steady over so many epochs.
BLOCK, SMALLEST_BLOCK = 32, 8
# More than this part of a clock's readings out of line is its noise, not its events.
MOST = 0.01


def mend(x: FloatArray) -> tuple[FloatArray, IntArray]:
    """Phases [epochs, n] without bad readings (NaN) and steps, and how many of both each clock had, int[n].

    At each epoch the clock that stands out most is judged first: it has moved the mean of the others, and with it gone
    they may be as they should.
    """
    mended = x.copy()
    n = x.shape[1]
    counts = np.zeros(n, dtype=np.intp)
    most = np.maximum(MOST * np.isfinite(x).sum(axis=0), 1.0)
    for _ in range(PASSES):
        against, gains = _against_others(mended)
        worst = np.argmax(gains, axis=1)
        rows = np.flatnonzero(gains[np.arange(len(gains)), worst] > LIMIT)
        rows = rows[counts[worst[rows]] < most[worst[rows]]]
        if not rows.size:
            break
        for i in np.unique(worst[rows]).tolist():
            counts[i] += _mend_clock(mended[:, i], against[:, i], gains[:, i], rows[worst[rows] == i])
    return mended, counts


def _against_others(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Phases against a mean of the clocks that goes on by their increments, and what each gains beyond its rate.

    The gains are in robust spreads of the clock, without sign, 0 where there is nothing to say, [epochs, n]; a gain
    stands at the reading that it leads to.
    """
    steps = np.diff(x, axis=0)
    known = np.isfinite(steps)
    # against the middle first: it does not follow one clock
    centre = _medians(steps) if x.shape[1] > 2 else np.zeros(len(steps))
    free = np.where(known, steps - centre[:, None], np.nan)
    common = np.zeros(len(steps))
    for _ in range(3):
        apart = free - common[:, None]
        rates = np.array([_course_of_rate(column) for column in apart.T]).T
        spread = np.array([_spread(column[np.isfinite(column)]) for column in (apart - rates).T])
        spread = np.maximum(spread, 1e-3 * float(np.median(spread)) + SMALLEST)
        weights = known / spread**2
        total = np.where(known.any(axis=1), weights.sum(axis=1), 1.0)
        common = (weights * np.where(known, free - rates, 0.0)).sum(axis=1) / total
    course = np.concatenate([[0.0], np.cumsum(common + centre)])
    against = x - course[:, None]
    gains = np.zeros(x.shape)
    # how uncertain the course is: more where the best clocks are missing
    uncertain = np.concatenate([[0.0], np.cumsum(1.0 / total)])
    for i in range(x.shape[1]):
        at = np.flatnonzero(np.isfinite(against[:, i]))
        if len(at) > 4:
            gains[at[1:], i] = _gains(against[at, i], at, uncertain[at])
    return against, gains


def _gains(phase: FloatArray, at: IntArray, uncertain: FloatArray) -> FloatArray:
    """What each increment has beyond the rates beside it, in standard deviations and without sign, [readings − 1].

    The rate is that of a straight line between the rates beside it, so a drift is no event. The variance grows with the
    increment's length, with how far the rates have to carry, with a walk of the rate over a gap, and with that of the
    course.
    """
    dt = np.diff(at).astype(np.float64)
    rates = np.diff(phase) / dt
    apart = 0.5 * (dt[1:] + dt[:-1])  # from the middle of an increment to that of the next
    before, after = np.zeros(len(dt)), np.zeros(len(dt))
    before[1:-1] = dt[1:-1] * apart[1:] / (apart[1:] + apart[:-1])
    after[1:-1] = dt[1:-1] - before[1:-1]
    after[0], before[-1] = dt[0], dt[-1]
    beyond = np.diff(phase) - before * _before(rates) - after * _after(rates)
    own = dt + before**2 / _before(dt, 1.0) + after**2 / _after(dt, 1.0) + WALK * (dt**3 - 1.0)
    added = np.diff(uncertain)
    course = added + (before / _before(dt, 1.0)) ** 2 * _before(added) + (after / _after(dt, 1.0)) ** 2 * _after(added)
    spread = max(_spread(beyond / np.sqrt(own)), SMALLEST)
    gains = np.abs(beyond) / np.sqrt(spread * spread * own + course)
    gains[[0, -1]] = 0.0  # a rate on one side alone does not know a drift from a step
    return np.asarray(gains, dtype=np.float64)


def _before(values: FloatArray, first: float = 0.0) -> FloatArray:
    """The value before each."""
    return np.concatenate([[first], values[:-1]])


def _after(values: FloatArray, last: float = 0.0) -> FloatArray:
    """The value after each."""
    return np.concatenate([values[1:], [last]])


def _mend_clock(x: FloatArray, against: FloatArray, gains: FloatArray, rows: IntArray) -> int:
    """Mend one clock in place at the rows named, the greatest of each neighbourhood; gives how many."""
    at = np.flatnonzero(np.isfinite(against))
    places = np.searchsorted(at, rows)
    peaks = [j for j in places.tolist() if gains[at[j]] >= gains[at[max(1, j - 2) : j + 3]].max()]
    for j in peaks:
        first, dt = max(0, j - 6), np.diff(at[max(0, j - 6) : j + 7])
        rates = np.diff(against[at[first : j + 7]]) / dt
        beyond = np.diff(against[at[first : j + 7]]) - dt * np.median(rates)
        here = j - first - 1  # the increment that leads to reading j
        before = beyond[here - 1] if here > 0 else 0.0
        after = beyond[here + 1] if here + 1 < len(beyond) else 0.0
        if min(beyond[here] * before, beyond[here] * after) < -0.5 * beyond[here] ** 2:
            x[at[j] if abs(after) > abs(before) else at[j - 1]] = np.nan
        else:
            x[at[j] :] -= beyond[here]
    return len(peaks)


def _spread(values: FloatArray) -> float:
    """Robust standard deviation about zero; the plain one where more than half are the same; 0 of nothing."""
    if not values.size:
        return 0.0
    robust = MAD * float(np.median(np.abs(values)))
    return robust if robust > 0.0 else float(np.sqrt(np.mean(values * values)))


def _course_of_rate(steps: FloatArray) -> FloatArray:
    """The rate of a clock as it changes, from the medians of blocks and straight lines between them, [steps]."""
    size = max(SMALLEST_BLOCK, min(BLOCK, len(steps) // BLOCK))
    blocks = np.full((-(-len(steps) // size), size), np.nan)
    blocks.flat[: len(steps)] = steps
    seen = np.flatnonzero(np.isfinite(blocks).any(axis=1))
    if not seen.size:
        return np.zeros(len(steps))
    middles = (seen + 0.5) * size
    return np.asarray(np.interp(np.arange(len(steps)) + 0.5, middles, _medians(blocks[seen])), dtype=np.float64)


def _medians(values: FloatArray) -> FloatArray:
    """Median of what is there in each row, 0 where nothing is."""
    ordered = np.sort(np.concatenate([values, np.full((len(values), 1), np.nan)], axis=1), axis=1)  # NaN goes last
    count = np.isfinite(values).sum(axis=1)
    rows = np.arange(len(values))
    middle = 0.5 * (ordered[rows, np.maximum(count - 1, 0) // 2] + ordered[rows, count // 2])
    return np.asarray(np.where(count > 0, middle, 0.0), dtype=np.float64)
