"""The scales against the truth: drawn laboratories whose every clock is known, a year each, by all algorithms.

Each scale is compared with ideal time, which only the simulation has. Deviations are overlapping Allan deviations of
(scale minus ideal time); laboratories are pooled as the mean of logarithms, so that each counts alike, and the bounds
are those of a bootstrap over laboratories (95 %).

The best single clock is the one that is best at this τ by what it was made with, or, harder, the one that happened to
be best in this very record, by hindsight. Its own phase is taken, free of the noise of its reading, and a scale is
compared with it at the epochs at which it was read: where it was not, it gave no time. (Where no good clock at all was
read, a scale is as bad as the caesium clocks that are left, for an hour; the last figures say what that costs.)

The filter with the true coefficients knows more than coefficients: which clocks have no drift at all, and so what the
drift of the scale is. A station is told this by the kinds of its clocks (`[[clock]] kind`, `drifts`), a file of
readings does not say it. So the fitted filter stands here twice: with all of it inferred, and with the kinds told.
A third one is told the random walks too: what a year says of the random walk of a caesium clock is little, for its
white noise hides it for a month, yet these clocks carry the drift, each as far as its walk is known to be small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from bench import Figure
from timeball.ensemble.algorithms import algorithm
from timeball.ensemble.kalman import KalmanParameters, KalmanState, advance
from timeball.ensemble.kalman.batch import fit_parameters, run_kalman
from timeball.ensemble.scale import ScaleRun, grid_phases
from timeball.readings import PhaseTable
from timeball.simulation.drawn import DrawnLaboratory, draw_laboratory
from timeball.stability import oadev

FloatArray = npt.NDArray[np.float64]
# Drawn for this study and looked at by nobody while the algorithms were made.
SEEDS = tuple(range(71_001, 71_021))
HOUR_S, DAY_S = 3600.0, 86400.0
TAUS_H = (1, 2, 4, 8, 16, 24, 48, 96, 192, 384, 720)
TRUE, FITTED, AT1, ALGOS = "Kalman, true coefficients", "Kalman, fitted", "AT1", "ALGOS"
TOLD, WALKS = "Kalman, fitted, kinds told", "Kalman, fitted, kinds and random walks told"
BEST, HINDSIGHT = "best clock", "best clock by hindsight"
SHOWN = (TRUE, FITTED, TOLD, AT1, ALGOS, BEST, HINDSIGHT)
LARGEST_RATIO = 1.15
RESAMPLES = 2000


@dataclass(frozen=True, eq=False)
class Study:
    """Deviations of (scale minus ideal time), float64[laboratories, taus] by scale or clock; `taus_s` in s."""

    seeds: tuple[int, ...]
    sizes: tuple[int, ...]
    taus_s: FloatArray
    sigma: dict[str, FloatArray]

    def pooled(self, scale: str) -> FloatArray:
        """Geometric mean over the laboratories, at every tau."""
        return np.exp(np.log(self.sigma[scale]).mean(axis=0))

    def ratio(self, scale: str, other: str) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Pooled ratio of two scales at every tau, with its lower and upper bound (95 %)."""
        logs = np.log(self.sigma[scale] / self.sigma[other])
        rng = np.random.default_rng(len(self.seeds))
        drawn = logs[rng.integers(0, len(logs), (RESAMPLES, len(logs)))].mean(axis=1)
        low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
        return np.exp(logs.mean(axis=0)), np.exp(low), np.exp(high)


def study(
    seeds: Sequence[int], days: float = 365.0, clocks: int | None = None, tell: Callable[[str], None] | None = None
) -> Study:
    """Draw a laboratory from each seed, compute every scale, and compare each with ideal time."""
    factors = [m for m in TAUS_H if m * HOUR_S <= days * DAY_S / 8]
    rows: list[dict[str, FloatArray]] = []
    sizes = []
    for seed in seeds:
        laboratory = draw_laboratory(seed, clocks, days=days)
        rows.append(_judged(laboratory, factors))
        sizes.append(len(laboratory.clocks))
        if tell is not None:
            tell(f"seed {seed}: {sizes[-1]} clocks")
    sigma = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Study(tuple(seeds), tuple(sizes), np.array(factors) * HOUR_S, sigma)


def _judged(laboratory: DrawnLaboratory, factors: list[int]) -> dict[str, FloatArray]:
    """Deviations float64[taus] of one laboratory, by name."""
    table = laboratory.table()
    fitted = fit_parameters(table)
    kalman = {
        TRUE: true_rules(laboratory),
        FITTED: fitted,
        TOLD: told(laboratory, fitted, "drifts"),
        WALKS: told(laboratory, fitted, "drifts", "rwfm"),
    }
    errors = {
        **{name: _error(laboratory, run_kalman(table, rules), estimated=True) for name, rules in kalman.items()},
        AT1: _error(laboratory, algorithm("at1").run(table, None)),
        ALGOS: _error(laboratory, algorithm("algos").run(table, None)),
    }
    rows = {name: _deviations(table.epochs, error, laboratory.step_s, factors) for name, error in errors.items()}
    tau_s = np.array(factors) * laboratory.step_s
    expected = np.array([theory(laboratory, name, tau_s) for name in laboratory.clocks])
    happened = np.array([_deviations(laboratory.epochs, x, laboratory.step_s, factors) for x in laboratory.truth.T])
    for best, judged in ((BEST, expected), (HINDSIGHT, happened)):
        chosen = judged.argmin(axis=0)
        rows[best] = _where_read(laboratory, chosen, laboratory.truth[laboratory.present.any(axis=1)], factors)
        rows[f"{FITTED}, while {best} was read"] = _where_read(laboratory, chosen, errors[FITTED], factors)
    return rows


def _where_read(
    laboratory: DrawnLaboratory, chosen: npt.NDArray[np.intp], phases: FloatArray, factors: list[int]
) -> FloatArray:
    """Deviations of phases [m], or of the chosen columns of [m, n], at the epochs at which the chosen clock was read.

    chosen: a column for every tau.
    """
    seen = laboratory.present.any(axis=1)
    found = np.empty(len(factors))
    for clock in np.unique(chosen):
        x = phases[:, clock] if phases.ndim > 1 else phases
        kept = np.where(laboratory.present[seen][:, clock], x, np.nan)
        sigma = _deviations(laboratory.epochs[seen], kept, laboratory.step_s, factors)
        found[chosen == clock] = sigma[chosen == clock]
    return found


def true_rules(laboratory: DrawnLaboratory) -> KalmanParameters:
    """Kalman's rules with the coefficients that the clocks were made with."""
    return KalmanParameters(noise_by_clock=laboratory.noise, interval_s=laboratory.step_s)


def told(laboratory: DrawnLaboratory, fitted: KalmanParameters, *fields: str) -> KalmanParameters:
    """Fitted rules in which these fields of every clock's noise are what the clock was made with."""
    noise = {
        name: replace(each, **{field: getattr(laboratory.noise[name], field) for field in fields})
        for name, each in fitted.noise_by_clock.items()
    }
    return replace(fitted, noise_by_clock=noise)


def theory(laboratory: DrawnLaboratory, name: str, tau_s: FloatArray) -> FloatArray:
    """ADEV of a clock by itself, its drift included, from what it was made with."""
    noise, drift = laboratory.noise[name], laboratory.drift[name]
    return np.sqrt(noise.avar(tau_s) - noise.wpm**2 / tau_s**2 + 0.5 * (drift * tau_s) ** 2)


def _error(laboratory: DrawnLaboratory, run: ScaleRun, *, estimated: bool = False) -> FloatArray:
    """Scale minus ideal time (s), read off its clocks as whoever uses it would: the heavier, the more."""
    steps = run.steps
    return laboratory.scale_error(steps.x, steps.clocks, estimated=estimated, weights=steps.weight)


def _deviations(epochs: Any, error: FloatArray, step_s: float, factors: list[int]) -> FloatArray:
    found: FloatArray = oadev(grid_phases(epochs, error, step_s), step_s, factors).sigma
    return found


def figures() -> Iterator[Figure]:
    """Give the pooled ratios at every tau, then what ten years leave of the covariance."""
    found = study(SEEDS, tell=print)
    print(table_of(found))
    number = len(found.seeds)
    name = (
        f"laboratories of seeds {found.seeds[0]} to {found.seeds[-1]}, {min(found.sizes)} to {max(found.sizes)} clocks"
    )
    yield Figure(name, "truth", number, "laboratories")
    yield from _ratios(found, FITTED, TRUE, LARGEST_RATIO)
    yield from _ratios(found, TOLD, TRUE, LARGEST_RATIO)
    yield from _ratios(found, WALKS, TRUE, None)
    yield from _ratios(found, f"{FITTED}, while {BEST} was read", BEST, 1.0)
    yield from _ratios(found, f"{FITTED}, while {HINDSIGHT} was read", HINDSIGHT, None)
    for other in (AT1, ALGOS, BEST):
        yield from _ratios(found, FITTED, other, None)
    yield from _ten_years()


def _ratios(found: Study, scale: str, other: str, most: float | None) -> Iterator[Figure]:
    """A figure for every tau: the pooled ratio, its bounds in its name; it meets its target when the ratio does.

    At a month a year says little of a single laboratory, and the bounds are wide: what decides there is the drift that
    all clocks seem to share, which no algorithm can see.
    """
    for tau_s, ratio, low, high in zip(found.taus_s.tolist(), *found.ratio(scale, other), strict=True):
        name = f"{scale} over {other} at {tau_words(tau_s)}, 95 %: {low:.3f} to {high:.3f}"
        target = None if most is None else f"<= {most:g}"
        yield Figure(name, "truth", float(ratio), "1", None, None, target, most is None or bool(ratio <= most))


def table_of(found: Study) -> str:
    """Pooled deviations, a row a tau, for people."""
    lines = ["tau      " + "  ".join(f"{name:>26}" for name in SHOWN)]
    pooled = [found.pooled(name) for name in SHOWN]
    for place, tau_s in enumerate(found.taus_s.tolist()):
        lines.append(f"{tau_words(tau_s):8} " + "  ".join(f"{row[place]:26.3e}" for row in pooled))
    return "\n".join(lines)


def tau_words(tau_s: float) -> str:
    """1 h, 2 d."""
    return f"{tau_s / DAY_S:g} d" if tau_s >= DAY_S else f"{tau_s / HOUR_S:g} h"


def _ten_years() -> Iterator[Figure]:
    """The median variance of a difference after ten years over that after one; it must not have grown."""
    spread = covariance_by_year(46_100, 10, 10)
    ratio = float(spread[-1] / spread[0])
    name = "Kalman: median variance of a difference after ten years over that after one"
    yield Figure(name, "truth", ratio, "1", None, None, "<= 1.1", bool(np.isfinite(spread).all() and ratio <= 1.1))


def covariance_by_year(seed: int, clocks: int, years: int, days: float = 365.0) -> FloatArray:
    """Median variance (s²) of the phase differences in the filter at the end of each year, live, true coefficients.

    Raises AssertionError when a covariance has a negative eigenvalue beyond rounding.
    """
    laboratory = draw_laboratory(seed, clocks, days=days * years, outages=0.0)
    table, rules = laboratory.table(), true_rules(laboratory)
    state, spread = KalmanState.empty(), []
    cuts = np.linspace(0, len(table.epochs), years + 1).astype(int)
    for first, last in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        part = PhaseTable(
            table.epochs[first:last], table.clocks, table.x[first:last], table.pivot[first:last], table.reference
        )
        state, _ = advance(state, rules, part)
        lower = np.tril(state.P)  # the filter keeps no more
        phases = np.diag(lower)[: len(state.carrying)]
        spread.append(float(np.median(phases[phases > 0])))  # some clock may just be missing
        unit = np.sqrt(np.where(np.diag(lower) > 0, np.diag(lower), 1.0))
        scaled = (lower + np.tril(lower, -1).T) / unit[:, None] / unit[None, :]
        assert np.linalg.eigvalsh(scaled).min() > -1e-9, "the covariance is no covariance"
    return np.array(spread)
