"""Anomalies of a whole record: noise learned from all of it first, dates and sizes from both sides of a change.

Sign: phases are clock minus whatever the clocks have in common (a scale, a reference), in seconds. The same detectors
as live ones do the finding; this is for a record that is complete, so it uses numpy freely and is not replayed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from timeball.ensemble.steps import Steps
from timeball.integrity.anomalies.anomaly import Anomaly, size_words, tai_words
from timeball.integrity.anomalies.kernels import CELLS, RATE, RATIO, WINDOWS
from timeball.integrity.anomalies.live import advance_phases
from timeball.integrity.anomalies.rules import LEVELS_MOST, AnomalyError, AnomalyRules
from timeball.integrity.anomalies.state import DetectorState

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
LONE = 12.0
"""A reading so many robust sigma from the line between the two beside it may be one that says nothing of the clock."""
HALF = (0.4, 0.6)
"""It is when each of those lies about half as far off its own line, the other way: of a step, two lie equally far."""
FEWEST_EPOCHS = 40


@dataclass(frozen=True, eq=False)
class Record:
    """Phases x float64[m, n] (s) of `clocks` at epochs int64[m] (ns of TAI), NaN where missing.

    links: the link each clock comes through. reference: the clock all others are compared with; with `outside` it is
    none of the clocks, and each clock is judged against it and not against the others.
    """

    epochs: IntArray
    clocks: tuple[str, ...]
    x: FloatArray
    links: Mapping[str, str]
    reference: str | None = None
    outside: bool = False


def find_anomalies(
    steps: Steps,
    rules: AnomalyRules | None = None,
    links: Mapping[str, str] | None = None,
    reference: str | None = None,
) -> list[Anomaly]:
    """`find_in_record` for the steps of a scale: what happened to its clocks, by epoch."""
    return find_in_record(Record(steps.epochs, steps.clocks, steps.x, links or {}, reference), rules)


def find_in_record(record: Record, rules: AnomalyRules | None = None) -> list[Anomaly]:
    """Every anomaly of a record, by epoch; rules default to those that its interval and length ask for.

    Lone readings (`lone_readings`) do not count. The detectors go through twice: once to learn each clock's noise, once
    with it from the first epoch on. Then each rate step is dated and measured from both sides. Raises ``AnomalyError``
    for fewer than 40 epochs.
    """
    if len(record.epochs) < FEWEST_EPOCHS:
        raise AnomalyError(f"anomalies need at least {FEWEST_EPOCHS} epochs, here are {len(record.epochs)}")
    rules = rules_for(record.epochs) if rules is None else rules
    record = replace(record, x=_carried_over(record, lone_readings(record)))
    learned, _ = _pass(DetectorState.empty(), rules, record)
    start = DetectorState.of_names(learned.clocks, learned.links, rules.levels)
    start.mean, start.square = learned.mean, learned.square
    start.noise_count[...] = 0  # a whole record needs no confirmation
    for place, h in enumerate(WINDOWS):
        # as many as were seen: the second time none of them was taken against a poor mean
        start.count[:, place] = np.maximum(0, np.minimum(2 * (learned.count[:, place] - 4 * h), 2 * rules.memory))
    final, found = _pass(start, rules, record)
    found = sorted(found, key=lambda anomaly: (anomaly.epoch, anomaly.clocks))
    refined = [_refined(anomaly, found, record, rules, final) for anomaly in found]
    return sorted(refined, key=lambda anomaly: (anomaly.epoch, anomaly.clocks))


def lone_readings(record: Record) -> BoolArray:
    """Readings, bool[m, n], that both readings beside them contradict: a slip of the pen, not a step of the clock.

    A live detector cannot know what comes next; in a whole record such a one, or what a grid makes of it, would be told
    as a step of rate.
    """
    lone = np.zeros(record.x.shape, np.bool_)
    for j in range(record.x.shape[1]):
        rows = np.flatnonzero(np.isfinite(record.x[:, j]))
        if len(rows) < FEWEST_EPOCHS:
            continue
        t_s, x = (record.epochs[rows] - record.epochs[0]) / 1e9, record.x[rows, j]
        share = (t_s[1:-1] - t_s[:-2]) / (t_s[2:] - t_s[:-2])
        off = x[1:-1] - (x[:-2] + share * (x[2:] - x[:-2]))
        far = np.abs(off) > LONE * 1.4826 * np.median(np.abs(off - np.median(off)))
        middle, early, late = off[1:-1], off[:-2], off[2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = -early / middle, -late / middle
        lone[rows[2:-2], j] = far[1:-1] & np.all([(HALF[0] < each) & (each < HALF[1]) for each in shares], axis=0)
    return lone


def _carried_over(record: Record, lone: BoolArray) -> FloatArray:
    """The phases with the clock's usual rate carried on over lone readings, so that a step beside one stays a step."""
    x = record.x.copy()
    for j in np.flatnonzero(lone.any(axis=0)).tolist():
        rows = np.flatnonzero(np.isfinite(record.x[:, j]))
        t_s = record.epochs[rows] / 1e9
        rate = float(np.median(np.diff(record.x[rows, j]) / np.diff(t_s)))
        for k in np.flatnonzero(lone[rows, j]).tolist():
            x[rows[k], j] = x[rows[k - 1], j] + rate * (t_s[k] - t_s[k - 1])
    return x


def rules_for(epochs: IntArray) -> AnomalyRules:
    """Rules for a record: its median interval, and as many levels as leave the longest ten cells."""
    interval_s = float(np.median(np.diff(epochs))) / 1e9
    count = max(1.0, float(epochs[-1] - epochs[0]) / 1e9 / interval_s)
    levels = 1 + int(math.log(max(1.0, count / (2 * CELLS)), RATIO))
    return AnomalyRules(interval_s=interval_s, levels=min(LEVELS_MOST, levels))


def _pass(state: DetectorState, rules: AnomalyRules, record: Record) -> tuple[DetectorState, list[Anomaly]]:
    return advance_phases(
        state,
        rules,
        record.epochs,
        record.clocks,
        record.x,
        record.links,
        record.reference,
        outside=record.outside,
    )


def _refined(
    anomaly: Anomaly, found: Sequence[Anomaly], record: Record, rules: AnomalyRules, state: DetectorState
) -> Anomaly:
    """A rate step dated by least squares and measured over the window that knows this clock's rate best."""
    if anomaly.kind != "rate step":
        return anomaly
    series = _against_rest(anomaly, found, record, state)
    since_s = (record.epochs - anomaly.epoch) / 1e9
    series = series - 0.5 * _usual_drift(anomaly, state, rules) * since_s * since_s
    interval_ns = round(rules.interval_s * 1e9)
    before, after = _room(anomaly, found, record)
    index = int(np.searchsorted(record.epochs, anomaly.epoch))
    reach = math.ceil(3.0 * anomaly.u_epoch_s / rules.interval_s) + 1
    place = _date(series, max(before, index - 20 * reach), min(after, index + 20 * reach), index, reach)
    window, u_size = _best_window(anomaly, state, rules, min(place - before, after - place))
    if window < 2 or not u_size < anomaly.u_size:
        return anomaly
    late = (series[place + window] - series[place]) / (window * rules.interval_s)
    early = (series[place] - series[place - window]) / (window * rules.interval_s)
    size, sigmas = float(late - early), abs(float(late - early)) / u_size
    if sigmas < rules.threshold:
        return anomaly
    epoch = int(record.epochs[min(place + 1, len(record.epochs) - 1)])
    tail = anomaly.words[anomaly.words.index(": ") :]
    words = f"{size_words(anomaly.kind, size, u_size)} ({sigmas:.1f} sigma) at {tai_words(epoch)}{tail}"
    # the date cannot be better than the interval, nor is it worse than what was told live
    u_epoch_s = max(0.5 * interval_ns / 1e9, min(anomaly.u_epoch_s, window * rules.interval_s / sigmas))
    return replace(anomaly, epoch=epoch, u_epoch_s=u_epoch_s, size=size, u_size=u_size, sigmas=sigmas, words=words)


def _against_rest(anomaly: Anomaly, found: Sequence[Anomaly], record: Record, state: DetectorState) -> FloatArray:
    """Phases float64[m] (s) of the clocks that moved against the rest, gaps bridged, other clocks' steps taken out."""
    t_s = (record.epochs - record.epochs[0]) / 1e9
    weights = np.zeros(len(record.clocks))
    columns = np.zeros((len(t_s), len(record.clocks)))
    for j, name in enumerate(record.clocks):
        known = np.isfinite(record.x[:, j])
        variance = state.square[0, -1, RATE, state.clocks.index(name)]
        if known.sum() < 2 or variance <= 0:
            continue
        weights[j] = 1.0 / variance
        columns[:, j] = np.interp(t_s, t_s[known], record.x[known, j])
        for other in found:
            if name in other.clocks and not set(other.clocks) & set(anomaly.clocks):
                columns[:, j] -= _course(other, record.epochs)
    inside = np.array([name in anomaly.clocks for name in record.clocks])
    mine: FloatArray = columns[:, inside] @ _shares(weights[inside])
    return mine if record.outside else mine - columns[:, ~inside] @ _shares(weights[~inside])


def _shares(weights: FloatArray) -> FloatArray:
    total = float(weights.sum())
    return weights / total if total > 0 else np.full(len(weights), 1.0 / max(len(weights), 1))


def _course(anomaly: Anomaly, epochs: IntArray) -> FloatArray:
    """What a step of phase or rate did to the phase (s) of a clock."""
    since_s = np.maximum((epochs - anomaly.epoch) / 1e9, 0.0)
    after = (epochs >= anomaly.epoch).astype(np.float64)
    course = {"phase step": anomaly.size * after, "rate step": anomaly.size * since_s}
    return course.get(anomaly.kind, np.zeros(len(epochs)))


def _room(anomaly: Anomaly, found: Sequence[Anomaly], record: Record) -> tuple[int, int]:
    """First and last epoch index between the neighbouring anomalies of the same clocks."""
    others = [each.epoch for each in found if each is not anomaly and set(each.clocks) & set(anomaly.clocks)]
    before = max([epoch for epoch in others if epoch <= anomaly.epoch], default=int(record.epochs[0]))
    after = min([epoch for epoch in others if epoch > anomaly.epoch], default=int(record.epochs[-1]) + 1)
    return int(np.searchsorted(record.epochs, before)), int(np.searchsorted(record.epochs, after)) - 1


def _date(series: FloatArray, first: int, last: int, index: int, reach: int) -> int:
    """The epoch index after which the mean increment changed, within `reach` of `index`, by least squares."""
    increments = np.diff(series[first : last + 1])
    total, count = float(increments.sum()), len(increments)
    sums = np.cumsum(increments)
    best, gain = min(max(index - 1, first), last), -1.0
    for place in range(max(first + 2, index - reach), min(last - 2, index + reach) + 1):
        n = place - first
        early, late = sums[n - 1] / n, (total - sums[n - 1]) / (count - n)
        if (late - early) ** 2 * n * (count - n) > gain:
            best, gain = place, (late - early) ** 2 * n * (count - n)
    return best


def _best_window(anomaly: Anomaly, state: DetectorState, rules: AnomalyRules, room: int) -> tuple[int, float]:
    """Length (epochs) on either side that knows the clocks' rate best, and the uncertainty of a rate step by it."""
    places = [state.clocks.index(name) for name in anomaly.clocks]
    best, least = 0, math.inf
    for level in range(rules.levels):
        for place, h in enumerate(WINDOWS):
            window = h * RATIO**level
            variances = state.square[level, place, RATE, places]
            if window > room or (state.count[level, place, RATE, places] < 4 * h).any() or (variances <= 0).any():
                continue
            cell_s = rules.interval_s * RATIO**level
            u = math.sqrt(1.0 / float((1.0 / variances).sum()) + _others(state, level, place, places)) * 1e-15 / cell_s
            if u < least:
                best, least = window, u
    return best, least


def _usual_drift(anomaly: Anomaly, state: DetectorState, rules: AnomalyRules) -> float:
    """The drift (1/s) that the clocks had all along, from the longest contrasts that are known; 0 for several."""
    if len(anomaly.clocks) > 1:
        return 0.0
    place, window = state.clocks.index(anomaly.clocks[0]), len(WINDOWS) - 1
    known = [level for level in range(rules.levels) if state.count[level, window, RATE, place] >= 8 * WINDOWS[window]]
    if not known:
        return 0.0
    cell_s = rules.interval_s * float(RATIO ** known[-1])
    drift_fs = float(state.mean[known[-1], window, RATE, place]) / (WINDOWS[window] + 1)
    return drift_fs * 1e-15 / (cell_s * cell_s)


def _others(state: DetectorState, level: int, place: int, places: list[int]) -> float:
    """Variance of the mean of the other clocks (fs²), 0 where there is none."""
    variances = np.delete(state.square[level, place, RATE, : len(state.clocks)], places)
    variances = variances[variances > 0]
    return float(1.0 / (1.0 / variances).sum()) if len(variances) else 0.0
