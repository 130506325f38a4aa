"""The fit of noise coefficients: how often its intervals hold the truth, Tryon and Jones's clocks, and its time."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import Figure, Skip
from timeball.ensemble.fitting import NoiseFit, fit_noise
from timeball.readings import PhaseTable
from timeball.simulation.drawn import DrawnLaboratory, draw_laboratory

ROOM = "fit"
# Drawn for this study and looked at by nobody while the fit was made.
SEEDS = range(47_001, 47_021)
CONFIDENCE = 0.95
LEAST, MOST = 0.92, 0.97
PARAMETERS = Path(__file__).resolve().parents[2] / "shared" / "data" / "tryon-jones-1983" / "cesium_parameters.csv"
DAY_S, NS = 86_400.0, 1e-9
RECORDS, RECORD_DAYS = 20, 365


@dataclass(frozen=True)
class Coverage:
    """Of the intervals of a study: how many hold the truth, begin above it, end below it; and of drifts within 1.96 u.

    by_coefficient: (held, all) of each coefficient.
    """

    held: int
    above: int
    below: int
    drifts_held: int
    drifts: int
    by_coefficient: dict[str, tuple[int, int]]

    @property
    def rate(self) -> float:
        """Part of the intervals that holds the truth."""
        return self.held / (self.held + self.above + self.below)


def coverage(seeds: Sequence[int], clocks: int | None = None, days: float = 365.0, step_s: float = 3600.0) -> Coverage:
    """Fit drawn laboratories and count the intervals that hold what the clocks were made with."""
    held = above = below = drifts_held = drifts = 0
    by_coefficient: dict[str, tuple[int, int]] = {}
    for seed in seeds:
        lab = draw_laboratory(seed, clocks, days=days, step_s=step_s)
        fit = fit_noise(lab.table())
        for clock in fit.clocks:
            for kind in fit.kinds:
                low, high = fit.interval(clock, kind, CONFIDENCE)
                true = getattr(lab.noise[clock], kind)
                above, below = above + (true < low), below + (true > high)
                held += low <= true <= high
                before = by_coefficient.get(kind, (0, 0))
                by_coefficient[kind] = (before[0] + (low <= true <= high), before[1] + 1)
        scores = drift_scores(lab, fit)
        drifts_held, drifts = drifts_held + int((np.abs(scores) < 1.96).sum()), drifts + len(scores)
    return Coverage(held, above, below, drifts_held, drifts, by_coefficient)


def drift_scores(lab: DrawnLaboratory, fit: NoiseFit) -> np.ndarray:
    """Drifts found minus true ones, both against the mean that the fit takes, in stated uncertainties."""
    u = np.array([fit.u_drift[clock] for clock in fit.clocks])
    true = np.array([lab.drift[clock] for clock in fit.clocks])
    true = true - (true / u**2).sum() / (1.0 / u**2).sum()
    scores: np.ndarray = (np.array([fit.drift[clock] for clock in fit.clocks]) - true) / u
    return scores


def tryon_jones(path: Path) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Clocks of Tryon and Jones (1983), table 1, model I: names, σ_ε (s a √day), σ_η (s/day a √day)."""
    with path.open() as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    eps, eta = (np.array([float(row[name]) for row in rows]) * NS for name in ("I_sigma_eps", "I_sigma_eta"))
    return tuple(row["clock"] for row in rows), eps, eta


def tryon_jones_record(
    names: Sequence[str], eps: np.ndarray, eta: np.ndarray, days: int, rng: np.random.Generator
) -> PhaseTable:
    """A record of daily readings against the first clock, made by their model: x += y + ε, y += η, day by day."""
    y = np.cumsum(eta * rng.standard_normal((days, len(names))), axis=0)
    x = np.cumsum(y + eps * rng.standard_normal((days, len(names))), axis=0)
    epochs = np.arange(days, dtype=np.int64) * round(DAY_S * 1e9)
    return PhaseTable(epochs, tuple(names), x - x[:, :1], np.zeros(days, dtype=np.int32), names[0])


def tryon_jones_scores(path: Path, records: int, days: int, seed: int) -> tuple[np.ndarray, float]:
    """Recovered minus true, in stated uncertainties, float64[records, clocks, 2]; and the part their intervals hold.

    The second index: σ_ε and σ_η, that is white and random-walk FM.
    """
    names, eps, eta = tryon_jones(path)
    true = np.column_stack([eps / math.sqrt(DAY_S), eta / DAY_S / math.sqrt(3.0 * DAY_S)])
    rng = np.random.default_rng(seed)
    scores, held = np.empty((records, len(names), 2)), 0
    for record in range(records):
        fit = fit_noise(tryon_jones_record(names, eps, eta, days, rng), ("wfm", "rwfm"))
        for i, clock in enumerate(names):
            for p, kind in enumerate(fit.kinds):
                low, high = fit.interval(clock, kind, CONFIDENCE)
                held += int(low <= true[i, p] <= high)
                scores[record, i, p] = (getattr(fit.noise[clock], kind) - true[i, p]) / fit.u(clock, kind)
    return scores, held / scores.size


def figures() -> Iterator[Figure | Skip]:
    """Give the coverage over drawn laboratories, Tryon and Jones's clocks recovered, and the time of a fit."""
    found = coverage(SEEDS)
    target = f"{100 * LEAST:g} to {100 * MOST:g}"
    total = found.held + found.above + found.below
    name = f"95 % intervals of {total} coefficients that hold the truth, {len(SEEDS)} laboratories of a year"
    yield Figure(name, ROOM, 100 * found.rate, "%", None, None, target, LEAST <= found.rate <= MOST)
    for kind, (held, of) in found.by_coefficient.items():
        yield Figure(f"  of {kind} alone ({of})", ROOM, 100 * held / of, "%")
    rate = 100 * found.drifts_held / found.drifts
    yield Figure(f"drifts within 1.96 stated uncertainties of the truth ({found.drifts})", ROOM, rate, "%")
    if PARAMETERS.exists():
        yield from _recovered()
    else:
        yield Skip("Tryon and Jones's clocks recovered", f"real data not here: {PARAMETERS.name}")
    yield from _times()


def _recovered() -> Iterator[Figure]:
    scores, held = tryon_jones_scores(PARAMETERS, RECORDS, RECORD_DAYS, seed=SEEDS[0])
    what = f"{scores.shape[1]} clocks of Tryon and Jones, {RECORDS} years of days"
    name = f"95 % intervals that hold their parameters, {what}"
    yield Figure(name, ROOM, 100 * held, "%", None, None, "92 to 98", 0.92 <= held <= 0.98)
    spread = float(np.sqrt(np.mean(scores**2)))
    name = f"rms of recovered minus true in stated uncertainties, {what}"
    yield Figure(name, ROOM, spread, "1", None, None, "0.8 to 1.2", 0.8 <= spread <= 1.2)


def _times() -> Iterator[Figure]:
    table = draw_laboratory(SEEDS[0], 40).table()
    fit_noise(draw_laboratory(SEEDS[1], 8, days=10).table())
    start = time.perf_counter()
    fit = fit_noise(table)
    taken = time.perf_counter() - start
    yield Figure("fit of 40 clocks, a year hourly", ROOM, taken, "s", None, None, "< 8 s", taken < 8)
    start = time.perf_counter()
    for clock in fit.clocks:
        for kind in fit.kinds:
            fit.interval(clock, kind, CONFIDENCE)
    taken = time.perf_counter() - start
    yield Figure("its 160 intervals", ROOM, taken, "s", None, None, "< 10 s", taken < 10)
