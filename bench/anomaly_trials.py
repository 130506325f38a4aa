"""Trials of the anomaly detectors: one event in a drawn laboratory, late in its record, and what was told of it.

Sizes are in units of what the detectors know when it happens: for a phase step the scatter of the group's own contrast
over one epoch; for a rate step and a slow drift that over the window that knows its rate best, a drift of one sigma
being one that changes the rate by as much within that window; for a change of noise the ratio of the scatter of that
contrast, after over before. Of a link they are those of its noisiest clock, so that each of them sees it. The noise of
a clock grows in its frequency, that of a link in its phase.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from timeball.integrity.anomalies import Anomaly, AnomalyRules, DetectorState
from timeball.integrity.anomalies.kernels import PHASE, RATE, RATIO, WINDOWS
from timeball.integrity.anomalies.live import advance_phases
from timeball.simulation.drawn import DrawnLaboratory

STEP_S = 3600.0
DAYS, LONG_DAYS, EVENT_DAY = 150.0, 200.0, 115.0
HORIZON = {"phase step": 600, "rate step": 600, "drift": 2000, "variance": 800}  # epochs from the state before it
RULES = AnomalyRules(interval_s=STEP_S, levels=4)
ORIGINS = ("clock", "link", "reference")
# variance of the contrast of phase with two cells on either side, for noise of one unit: white in frequency, in phase
CONTRAST = {"frequency": 1.25, "phase": 3.25}


@dataclass(frozen=True)
class Trial:
    """One injected event: what, on whom, how large, and what was told first (None for nothing).

    right: whether that named the right group. of_it: kinds told of the group. others: how many anomalies were told of
    somebody else from the event on; years: how many clock-years could have had them.
    """

    kind: str
    origin: str
    sigmas: float
    told: Anomaly | None
    right: bool
    of_it: frozenset[str]
    others: int
    years: float


def links_of(lab: DrawnLaboratory) -> dict[str, str]:
    """One link with a quarter of the clocks, every other one in the order of their noise; the rest is on the spot.

    Every other one, so that clocks as good as those of the link stand outside it: where the good clocks are all on
    links, nothing in the readings tells one link's step forward from another's step back.
    """
    others = sorted((name for name in lab.clocks if name != lab.reference), key=lambda name: lab.noise[name].wfm)
    return dict.fromkeys(others[1 : 2 * max(2, len(lab.clocks) // 4) : 2], "L1")


def study(
    lab: DrawnLaboratory, seed: int, sizes: Mapping[str, Sequence[float]], origins: Sequence[str] = ORIGINS
) -> list[Trial]:
    """Every kind at its sizes and every origin once, from one state before the event."""
    rng = np.random.default_rng([seed, 44])
    x, links = phases_of(lab), links_of(lab)
    before = min(round(EVENT_DAY * 86400.0 / STEP_S), len(lab.epochs) * 3 // 4)
    state, _ = advance(DetectorState.empty(), lab, x, slice(0, before), links)
    largest = max(len(each) for each in sizes.values())
    return [
        _trial(lab, x, links, state, before, kind, origin, sizes[kind][place], rng)
        for place in range(largest)
        for kind in sizes
        if place < len(sizes[kind])
        for origin in origins
    ]


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
    at = before + int(rng.integers(20, 60))
    course = _course(kind, origin, sigmas, _unit(state, group, kind), len(x) - at, rng)
    changed = x.copy()
    sign = 1.0 if rng.random() < 0.5 else -1.0
    changed[at:, [lab.clocks.index(name) for name in moved]] += sign * course[:, None]
    rows = slice(before, before + HORIZON[kind])
    _, told = advance(state, lab, changed, rows, links)
    near = [each for each in told if each.epoch >= lab.epochs[at] - 3e9 * each.u_epoch_s - 20e9 * STEP_S]
    ours = [each for each in near if each.origin == origin and set(each.clocks) == set(group)]
    first = near[0] if near else None
    years = len(lab.clocks) * (min(rows.stop, len(x)) - at) * STEP_S / (365.25 * 86400.0)
    right = first is not None and first is next(iter(ours), None)
    of_it = frozenset(each.kind for each in ours)
    return Trial(kind, origin, sigmas, first, right, of_it, len(near) - len(ours), years)


def _course(kind: str, origin: str, sigmas: float, unit: float, epochs: int, rng: np.random.Generator) -> np.ndarray:
    """What the event adds to the phase (s) of who moves, from its first epoch on."""
    since_s = STEP_S * np.arange(1, epochs + 1)
    if kind == "phase step":
        return np.full(epochs, sigmas * unit)
    if kind == "rate step":
        return sigmas * unit * since_s
    if kind == "drift":
        return 0.5 * sigmas * unit * since_s * since_s
    added = unit * math.sqrt(sigmas * sigmas - 1.0)
    if origin == "link":
        return added / math.sqrt(CONTRAST["phase"]) * rng.standard_normal(epochs)
    return np.cumsum(added / math.sqrt(CONTRAST["frequency"]) * rng.standard_normal(epochs))


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
    """One sigma of an event (s, 1, or 1/s): what the detectors know of the group's noisiest clock."""
    places = [state.clocks.index(name) for name in group]
    n = len(state.clocks)
    if kind in ("phase step", "variance"):
        square = state.square[0, 0, PHASE]
        return float(np.max(np.sqrt(square[places] + _rest(square[:n], places)))) * 1e-15
    known = []
    for level in range(RULES.levels):
        cell_s = STEP_S * RATIO**level
        for window, cells in enumerate(WINDOWS):
            square = state.square[level, window, RATE]
            if (state.count[level, window, RATE, :n] >= 16 * cells).all():
                rate = float(np.max(np.sqrt(square[places] + _rest(square[:n], places)))) * 1e-15 / cell_s
                # the two means of rate lie so many cells apart
                known.append(rate / ((cells + 1) * cell_s) if kind == "drift" else rate)
    return min(known, default=math.nan)


def _rest(square: np.ndarray, places: list[int]) -> float:
    """Variance of the mean of the other clocks."""
    return float(1.0 / (1.0 / np.delete(square, places)).sum())


def phases_of(lab: DrawnLaboratory) -> np.ndarray:
    """Phases as read, NaN where missing; what they are against is common to all and cancels."""
    return np.where(lab.present, lab.read, np.nan)


def advance(
    state: DetectorState, lab: DrawnLaboratory, x: np.ndarray, rows: slice, links: dict[str, str]
) -> tuple[DetectorState, list[Anomaly]]:
    """The detectors over some epochs of a laboratory, its reference among its clocks."""
    return advance_phases(state, RULES, lab.epochs[rows], lab.clocks, x[rows], links, lab.reference)
