"""`fit_noise`: a phase table in, the noise of every clock out, with intervals, drifts and how well it all fits.

Sign: x is clock minus pivot (s); a drift is positive when the clock's rate rises against the mean of the clocks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.fitting.covariances import POWERS
from timeball.ensemble.fitting.drifts import drifts
from timeball.ensemble.fitting.expecting import expected
from timeball.ensemble.fitting.intervals import interval
from timeball.ensemble.fitting.mending import mend
from timeball.ensemble.fitting.moments import lags_of
from timeball.ensemble.fitting.solving import Problem, Solution, solve
from timeball.ensemble.noise import COEFFICIENTS, ClockNoise
from timeball.ensemble.scale import grid_phases
from timeball.readings import PhaseTable

FloatArray = npt.NDArray[np.float64]
KINDS = ("wpm", "wfm", "ffm", "rwfm")
# With so few lags only so many noises can be told apart.
KINDS_BY_LAGS = {1: ("wfm",), 2: ("wfm",), 3: ("wpm", "wfm"), 4: ("wpm", "wfm", "rwfm")}
FEWEST = 8
SIGNIFICANT = 3.0
MOST_OF_MEASURED = 2.0
TOLD_APART = 3
"""So many clocks at least can be told apart by their differences."""


@dataclass(frozen=True, eq=False)
class NoiseFit:
    """What was found about the clocks of a record.

    clocks: those that were fitted. noise: their coefficients (ADEV at 1 s of each noise), as
    expected values (`expecting`): what a filter should be told. drift, u_drift: 1/s, against
    the mean of the clocks (k = 1). mended: bad readings and phase steps taken out before. unfitted: clocks with too few
    readings, and why in words. kinds: the noises asked for. interval_s, span_s: of the record. goodness: χ² of each
    clock's mean squares over their number, 1 or less when the noises explain them. problem, solution: the
    fit itself.
    """

    clocks: tuple[str, ...]
    kinds: tuple[str, ...]
    interval_s: float
    span_s: float
    noise: dict[str, ClockNoise]
    drift: dict[str, float]
    u_drift: dict[str, float]
    goodness: dict[str, float]
    mended: dict[str, int]
    unfitted: dict[str, str]
    problem: Problem = field(repr=False)
    solution: Solution = field(repr=False)

    def interval(self, clock: str, coefficient: str, confidence: float = 0.95) -> tuple[float, float]:
        """Confidence interval of a coefficient (ADEV at 1 s); (nan, nan) for a noise that was not asked for.

        Two clocks cannot be told apart: theirs reach from zero to what both together had, at any confidence.

        Raises ``EnsembleError`` for a name it does not know, or a confidence that is not between 0 and 1.
        """
        if coefficient not in COEFFICIENTS:
            raise EnsembleError(f"no such coefficient: {coefficient}; there are {', '.join(COEFFICIENTS)}")
        if not 0.0 < confidence < 1.0:
            raise EnsembleError(f"a confidence lies between 0 and 1, not at {confidence:g}")
        if coefficient not in self.kinds:
            return math.nan, math.nan
        if clock not in self.clocks:
            raise EnsembleError(f"no such clock in the fit: {clock}")
        i, p = self.clocks.index(clock), self.kinds.index(coefficient)
        if len(self.clocks) < TOLD_APART:
            # anything between nothing and all that was measured of both
            low, high = 0.0, float(_greatest(self.problem, self.solution)[i, p])
        else:
            low, high = interval(self.problem, self.solution, i, p, confidence)
        unit = self.interval_s ** POWERS[coefficient]
        value: float = getattr(self.noise[clock], coefficient)
        return min(math.sqrt(low / unit), value), max(math.sqrt(high / unit), value)

    def u(self, clock: str, coefficient: str) -> float:
        """Standard uncertainty of a coefficient: half the width of its interval at 68.3 %."""
        low, high = self.interval(clock, coefficient, 0.6827)
        return 0.5 * (high - low)


def fit_noise(table: PhaseTable, kinds: tuple[str, ...] | None = None) -> NoiseFit:
    """Fit the noise coefficients and drifts of every clock of a table.

    kinds: noises to fit, of `noise.COEFFICIENTS`; by default all but random run, or fewer when the record is short.
    Raises ``EnsembleError`` with fewer than two clocks, or no clock with enough readings.
    """
    interval_s, span_s = _intervals(table)
    whole = grid_phases(table.epochs, table.x, interval_s)
    kept, unfitted = _enough(table, whole)
    x, events = mend(whole[:, kept])
    lags = lags_of(len(x))
    asked = tuple(kinds) if kinds is not None else KINDS_BY_LAGS.get(len(lags), KINDS)
    problem = Problem(x, lags, asked, interval_s)
    solution = solve(problem)
    theta = _expected(problem, solution)
    clocks = tuple(table.clocks[j] for j in kept)
    drift, u_drift = drifts(x / interval_s, theta, asked)
    drift, u_drift = drift / interval_s, u_drift / interval_s
    return NoiseFit(
        clocks=clocks,
        kinds=asked,
        interval_s=interval_s,
        span_s=span_s,
        noise={name: _noise(theta[i], asked, interval_s, drift[i], u_drift[i]) for i, name in enumerate(clocks)},
        drift=dict(zip(clocks, drift.tolist(), strict=True)),
        u_drift=dict(zip(clocks, u_drift.tolist(), strict=True)),
        goodness=_goodness(solution, clocks),
        mended=dict(zip(clocks, events.tolist(), strict=True)),
        unfitted=unfitted,
        problem=problem,
        solution=solution,
    )


def _intervals(table: PhaseTable) -> tuple[float, float]:
    if len(table.epochs) < FEWEST:
        raise EnsembleError(f"a fit needs at least {FEWEST} epochs, here are {len(table.epochs)}")
    interval_s = float(np.median(np.diff(table.epochs))) / 1e9
    return interval_s, float(table.epochs[-1] - table.epochs[0]) / 1e9


def _enough(table: PhaseTable, x: FloatArray) -> tuple[list[int], dict[str, str]]:
    """Columns with enough readings in a row, and why the others have not."""
    there = np.isfinite(x)
    runs = (there[3:] & there[2:-1] & there[1:-2] & there[:-3]).sum(axis=0)
    kept = [j for j in range(len(table.clocks)) if runs[j] >= FEWEST]
    unfitted = {
        name: f"{int(there[:, j].sum())} readings, too few of them in a row"
        for j, name in enumerate(table.clocks)
        if j not in kept
    }
    if len(kept) < 2:
        raise EnsembleError(f"a fit needs at least two clocks with enough readings, here are {len(kept)}")
    return kept, unfitted


def _noise(theta: FloatArray, kinds: tuple[str, ...], interval_s: float, drift: float, u_drift: float) -> ClockNoise:
    levels = {
        kind: math.sqrt(float(value) / interval_s ** POWERS[kind]) for kind, value in zip(kinds, theta, strict=True)
    }
    return ClockNoise(**levels, drifts=bool(abs(drift) > SIGNIFICANT * u_drift))


def _expected(problem: Problem, solution: Solution) -> FloatArray:
    """Expected coefficients [n, kinds]; never so great that one noise alone gave twice what was measured.

    Two clocks cannot be told apart, and their likely values, shared alike, are all there is.
    """
    n, kinds = solution.theta.shape
    if n < TOLD_APART:
        return solution.theta
    blocks = np.array([solution.covariance[i * kinds : (i + 1) * kinds, i * kinds : (i + 1) * kinds] for i in range(n)])
    most = _greatest(problem, solution)
    return np.asarray(np.minimum(expected(solution.free, blocks), most), dtype=np.float64)


def _greatest(problem: Problem, solution: Solution) -> FloatArray:
    """Coefficients [n, kinds] of which each alone gives twice what was measured of a clock, its spread included."""
    spread = np.full(solution.moments.mean_square.shape, np.inf)
    spread[solution.used] = np.sqrt(np.diag(solution.model))
    greatest = MOST_OF_MEASURED * (problem.variances(solution.theta, solution.moments) + 2.0 * spread)  # [lags, n]
    return np.asarray((greatest[:, :, None] / problem.phi.T[:, None, :]).min(axis=0), dtype=np.float64)


def _goodness(solution: Solution, clocks: tuple[str, ...]) -> dict[str, float]:
    squares = solution.residuals**2
    return {name: float(squares[solution.used[1] == i].mean()) for i, name in enumerate(clocks)}
