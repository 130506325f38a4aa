"""ALGOS on a whole record at once: windows that fit the record, a start from the data, and the BIPM's rounds.

Sign: x is clock minus scale (s). Nothing is tuned by hand. A record of eight months or more has the BIPM's months; a
shorter one is cut into a dozen windows, which is no longer what the BIPM does in length, but is in kind. Rates and
errors at the first epoch come from running forward and then backward through the record, so a batch uses its own span
to start, which a live scale cannot. Each window is then computed several times, its own error among those that give
its weights: weights → scale → errors → weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace as copy_with
from typing import Any

import numpy as np

from timeball.ensemble.algorithms import Algorithm
from timeball.ensemble.algos import NAME, ALGOSParameters, ALGOSState, advance, begin_window
from timeball.ensemble.algos.kernels import HELD_ABNORMAL
from timeball.ensemble.algos.windows import NS_PER_DAY, windows_of
from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.scale import ScaleRun, mean_weights
from timeball.ensemble.steps import Steps
from timeball.readings import PhaseTable

MONTHS_FROM_NS = 240 * NS_PER_DAY
WINDOWS = 12  # of a record too short for months
LEAST_EPOCHS = 4  # in a window
ITERATIONS = 4
CARRIED = ("noise2", "squares", "error_count", "rate_count", "judged", "standing", "sigma2", "drift")
ARRAYS = ("x", "y", "weight", "error", "sigma", "figure", "code")


def run_algos(table: PhaseTable, parameters: ALGOSParameters | None = None) -> ScaleRun:
    """Compute the scale of a record; without parameters they are fitted (`fit_parameters`).

    With `parameters.iterations` of 0 every window is weighed by those before it alone, as live. Raises
    ``EnsembleError`` when there is nothing to make a scale of.
    """
    rules = fit_parameters(table) if parameters is None else parameters
    if all(name in rules.zero_weight for name in table.clocks):
        raise EnsembleError("a scale needs a clock that may carry it, here is none")
    learned, _ = advance(ALGOSState.empty(), rules, table)
    end = int(table.epochs[-1])
    learned, _ = advance(_start_from(learned, rules, end), rules, _reversed(table))
    start = _start_from(learned, rules, end)
    state, steps = _by_windows(start, rules, table) if rules.iterations else advance(start, rules, table)
    return ScaleRun(rules, steps, state, mean_weights(steps))


def fit_parameters(table: PhaseTable, zero_weight: Sequence[str] = (), iterations: int = ITERATIONS) -> ALGOSParameters:
    """Rules from the record itself: the interval, and windows of which there are enough."""
    if len(table.epochs) < 3:
        raise EnsembleError(f"a scale needs at least 3 epochs, here are {len(table.epochs)}")
    interval_s = float(np.median(np.diff(table.epochs))) / 1e9
    span_ns = int(table.epochs[-1] - table.epochs[0])
    if span_ns >= MONTHS_FROM_NS:
        return ALGOSParameters(interval_s=interval_s, zero_weight=tuple(zero_weight), iterations=iterations)
    window_s = max(LEAST_EPOCHS * interval_s, round(span_ns / 1e9 / WINDOWS / interval_s) * interval_s, 1.0)
    windows = int(span_ns / 1e9 / window_s)
    return ALGOSParameters(
        window_s=window_s,
        interval_s=interval_s,
        min_windows=max(1, min(5, windows // 2)),
        zero_weight=tuple(zero_weight),
        iterations=iterations,
    )


def _by_windows(start: ALGOSState, rules: ALGOSParameters, table: PhaseTable) -> tuple[ALGOSState, Steps]:
    """The real pass, window by window, each of them in `rules.iterations` rounds."""
    before = np.concatenate([table.epochs[:1], table.epochs[:-1]])
    starts, ends = windows_of(before + (table.epochs - before) // 2, rules.window_s)
    cuts = [0, *(np.flatnonzero(np.diff(starts)) + 1).tolist(), len(starts)]
    state, parts = start, []
    for first, last in itertools.pairwise(cuts):
        rows = slice(first, last)
        part = PhaseTable(table.epochs[rows], table.clocks, table.x[rows], table.pivot[rows], table.reference)
        state = begin_window(state, rules, int(starts[first]), int(ends[first]))
        state, steps = _rounds(state, rules, part)
        parts.append(steps)
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS}
    return state, Steps(NAME, table.epochs, parts[0].clocks, **joined, parameters=rules)


def _rounds(state: ALGOSState, rules: ALGOSParameters, part: PhaseTable) -> tuple[ALGOSState, Steps]:
    """One window: the scale by weights of the past, then by weights that know the error of this window too."""
    past = state.with_clocks(part.clocks)
    after, steps = advance(state, rules, part)
    for _ in range(rules.iterations):
        sigma2, standing, far = _with_this_window(past, after, rules)
        held = np.where(far & (past.judged >= rules.min_windows), HELD_ABNORMAL, past.held)
        after, steps = advance(copy_with(past, sigma2=sigma2, standing=standing, held=held), rules, part)
    return copy_with(after, sigma2=past.sigma2, standing=past.standing), steps


def _with_this_window(past: ALGOSState, after: ALGOSState, rules: ALGOSParameters) -> tuple[Any, Any, Any]:
    """σ² and the windows behind it when this window's errors count, and whose error is abnormal by the past."""
    judged = copy_with(after, sigma2=past.sigma2, standing=past.standing)
    ended = begin_window(judged, rules, int(after.window[1]), int(after.window[1]) + 1)
    fresh = (ended.squares != past.squares).any(axis=1)
    # what is beyond the limit was cut to it
    far = fresh & (ended.squares[:, 0] >= rules.abnormal * rules.abnormal * past.sigma2)
    return ended.sigma2, ended.standing, far


def _start_from(learned: ALGOSState, rules: ALGOSParameters, end: int) -> ALGOSState:
    """A state before its first epoch that knows rates and errors, for a run through time the other way.

    end: the last epoch (ns of TAI) of the table, from which the other direction counts.
    """
    ended = begin_window(learned, rules, int(learned.window[1]), int(learned.window[1]) + 1)
    start = ALGOSState.of_clocks(ended.clocks)
    for name in CARRIED:
        setattr(start, name, getattr(ended, name).copy())
    start.rates = -ended.rates
    start.mids = end - ended.mids
    start.own = np.ones(len(start.clocks), dtype=np.int64)
    return start


def _reversed(table: PhaseTable) -> PhaseTable:
    """The table run backward: time counted down from its last epoch."""
    epochs = int(table.epochs[-1]) - table.epochs[::-1]
    return PhaseTable(epochs, table.clocks, table.x[::-1], table.pivot[::-1], table.reference)


ALGORITHM = Algorithm(NAME, ALGOSParameters, ALGOSState, advance, fit_parameters, run_algos)
