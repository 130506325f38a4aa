"""Anomalies: how often steps of a given size are found, whom they are blamed on, and how often nothing was there.

Laboratories are drawn from printed seeds; one event is injected a trial, late in the record, and the detectors go on
from the state they had before it. Sizes are in units of what the detectors know: for a phase step the scatter of the
group's own contrast over one epoch, for a rate step that over the window that knows its rate best; of a link that of
its noisiest clock, so that each of them sees it. A trial counts as told apart when the first thing told is the right
group, clock, link or reference.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench import Figure
from timeball.integrity.anomalies import Anomaly, AnomalyRules, DetectorState
from timeball.integrity.anomalies.kernels import PHASE, RATE, RATIO, WINDOWS
from timeball.integrity.anomalies.live import advance_phases
from timeball.simulation.drawn import DrawnLaboratory, draw_laboratory

STEP_S = 3600.0
SEEDS = tuple(range(4101, 4121))
QUIET_DAYS, DAYS, EVENT_DAY, HORIZON = 365.0, 150.0, 115.0, 600
SIZES = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 12.0, 20.0)
RULES = AnomalyRules(interval_s=STEP_S, levels=4)
LEAST_TOLD_APART = 0.95
MOST_FALSE = 0.1  # a clock, a year


@dataclass(frozen=True)
class Trial:
    """One injected event: what, on whom, how large (in sigma), and what was told first (None for nothing)."""

    kind: str
    origin: str
    sigmas: float
    told: Anomaly | None
    right: bool


def figures() -> Iterator[Figure]:
    """Give detection against size, the share told apart, and false alarms, over the drawn laboratories."""
    trials = [trial for seed in SEEDS for trial in study(draw_laboratory(seed, days=DAYS, step_s=STEP_S), seed)]
    for kind in ("phase step", "rate step"):
        for size in SIZES:
            chosen = [trial for trial in trials if trial.kind == kind and trial.sigmas == size]
            share = sum(trial.told is not None for trial in chosen) / len(chosen)
            yield Figure(f"{kind} of {size:g} sigma found ({len(chosen)} events)", "anomalies", share, "1")
    large = [trial for trial in trials if trial.sigmas > 5.0]
    found = [trial for trial in large if trial.told is not None]
    for origin in ("clock", "link", "reference"):
        yield _told_apart(f"{origin} told apart, found events above 5 sigma", [t for t in found if t.origin == origin])
    yield _told_apart("clock, link and reference told apart, found events above 5 sigma", found)
    yield _told_apart("the same of all events above 5 sigma, found or not", large, target=False)
    yield false_alarms(SEEDS)


def _told_apart(name: str, trials: list[Trial], *, target: bool = True) -> Figure:
    share = sum(trial.right for trial in trials) / max(len(trials), 1)
    name = f"{name} ({len(trials)})"
    if not target:
        return Figure(name, "anomalies", share, "1")
    ok = share >= LEAST_TOLD_APART
    return Figure(name, "anomalies", share, "1", target=f">= {LEAST_TOLD_APART}", ok=ok)


def false_alarms(seeds: tuple[int, ...]) -> Figure:
    """Anomalies told live in a year of laboratories in which nothing happened, a clock and year."""
    told, years = 0, 0.0
    for seed in seeds:
        lab = draw_laboratory(seed, days=QUIET_DAYS, step_s=STEP_S)
        _, anomalies = _advance(DetectorState.empty(), lab, _phases(lab), slice(None), links_of(lab))
        told += len(anomalies)
        years += len(lab.clocks) * QUIET_DAYS / 365.25
    value = told / years
    name = f"false alarms, live, {years:.0f} clock-years"
    return Figure(name, "anomalies", value, "1/a", target=f"<= {MOST_FALSE}", ok=value <= MOST_FALSE)


def links_of(lab: DrawnLaboratory) -> dict[str, str]:
    """One link with a quarter of the clocks, every other one in the order of their noise; the rest is on the spot.

    Every other one, so that clocks as good as those of the link stand outside it: where the good clocks are all on
    links, nothing in the readings tells one link's step forward from another's step back.
    """
    others = sorted((name for name in lab.clocks if name != lab.reference), key=lambda name: lab.noise[name].wfm)
    return dict.fromkeys(others[1 : 2 * max(2, len(lab.clocks) // 4) : 2], "L1")


def study(lab: DrawnLaboratory, seed: int, sizes: tuple[float, ...] = SIZES) -> list[Trial]:
    """Every size, kind and origin once, from one state before the event."""
    rng = np.random.default_rng([seed, 44])
    x, links = _phases(lab), links_of(lab)
    before = round(EVENT_DAY * 86400.0 / STEP_S)
    before = min(before, len(lab.epochs) * 3 // 4)
    state, _ = _advance(DetectorState.empty(), lab, x, slice(0, before), links)
    trials = []
    for size in sizes:
        for kind in ("phase step", "rate step"):
            for origin in ("clock", "link", "reference"):
                trials.append(_trial(lab, x, links, state, before, kind, origin, size, rng))
    return trials


def _trial(
    lab: DrawnLaboratory,
    x: np.ndarray,
    links: dict[str, str],
    state: DetectorState,
    before: int,
    kind: str,
    origin: str,
    sigmas: float,
    rng: np.random.Generator,
) -> Trial:
    group, moved = _group(lab, links, origin, rng)
    unit = _unit(state, group, kind)
    at = before + int(rng.integers(20, 60))
    since = np.maximum(np.arange(len(x)) - at + 1, 0)
    course = np.where(since > 0, sigmas * unit, 0.0) if kind == "phase step" else sigmas * unit * STEP_S * since
    stepped = x.copy()
    sign = 1.0 if rng.random() < 0.5 else -1.0
    stepped[:, [lab.clocks.index(name) for name in moved]] += sign * course[:, None]
    _, told = _advance(state, lab, stepped, slice(before, before + HORIZON), links)
    near = [each for each in told if each.epoch >= lab.epochs[at] - 3e9 * each.u_epoch_s - 20e9 * STEP_S]
    first = near[0] if near else None
    right = first is not None and first.origin == origin and set(first.clocks) == set(group)
    return Trial(kind, origin, sigmas, first, right)


def _group(
    lab: DrawnLaboratory, links: dict[str, str], origin: str, rng: np.random.Generator
) -> tuple[list[str], list[str]]:
    """Who is to blame, and who moves in the readings."""
    if origin == "reference":
        return [lab.reference], [name for name in lab.clocks if name != lab.reference]
    if origin == "link":
        link = sorted(set(links.values()))[0]
        members = [name for name in lab.clocks if links.get(name) == link]
        return members, members
    others = [name for name in lab.clocks if name != lab.reference]
    chosen = others[int(rng.integers(len(others)))]
    return [chosen], [chosen]


def _unit(state: DetectorState, group: list[str], kind: str) -> float:
    """One sigma of a step (s, or 1): what the detectors know of the group's noisiest clock."""
    places = [state.clocks.index(name) for name in group]
    n = len(state.clocks)
    if kind == "phase step":
        square = state.square[0, 0, PHASE]
        return float(np.max(np.sqrt(square[places] + _rest(square[:n], places)))) * 1e-15
    known = []
    for level in range(RULES.levels):
        for window in range(len(WINDOWS)):
            square = state.square[level, window, RATE]
            if (state.count[level, window, RATE, :n] >= 16 * WINDOWS[window]).all():
                sigma = float(np.max(np.sqrt(square[places] + _rest(square[:n], places))))
                known.append(sigma * 1e-15 / (STEP_S * RATIO**level))
    return min(known, default=math.nan)


def _rest(square: np.ndarray, places: list[int]) -> float:
    """Variance of the mean of the other clocks."""
    return float(1.0 / (1.0 / np.delete(square, places)).sum())


def _phases(lab: DrawnLaboratory) -> np.ndarray:
    """Phases as read, NaN where missing; what they are against is common to all and cancels."""
    return np.where(lab.present, lab.read, np.nan)


def _advance(
    state: DetectorState, lab: DrawnLaboratory, x: np.ndarray, rows: slice, links: dict[str, str]
) -> tuple[DetectorState, list[Anomaly]]:
    return advance_phases(state, RULES, lab.epochs[rows], lab.clocks, x[rows], links, lab.reference)
