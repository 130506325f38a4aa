"""Why a clock has the weight it has: what the steps of a scale say of one clock, from a ledger or from a computed run.

Sign: x is clock minus scale, a prediction error is read minus predicted, so the prediction is what was read minus the
error. A Kalman scale's x is an estimate and not what was read. Nothing is decided here and nothing judged: it finds
what was recorded and puts the figures side by side.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from timeball.ensemble.codes import AT_CAP, OK, REDUCED
from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.scale import counted_weight, through_clocks, without
from timeball.ensemble.steps import CODES, ORDINARY, Steps, ordinary_words
from timeball.readings import FloatArray, PhaseTable
from timeball.readings.names import did_you_mean

IntArray = npt.NDArray[np.int64]
ESTIMATES = "Kalman"
"""The algorithm whose phases are estimates; those of the others are what was read."""
IN_USE = "in use"
WEIGHTED = (OK, AT_CAP, REDUCED)
LEAST_FALL = 5e-4
"""A weight that falls by less is not said to have fallen: it would read the same."""
RECENT = 20
"""Epochs whose errors count as recent ones, or a tenth of the record when that is more."""


@dataclass(frozen=True, eq=False)
class Audit:
    """One clock in a scale, m epochs (ns of TAI), the last of them the one that is asked about.

    x, read (s): float64[m], clock minus scale as it stands in the steps and as it was read; the same but for a Kalman
    scale, NaN where it is not known. error (s), weight: float64[m]; code: int64[m]; reasons: m sentences, empty where
    nothing was out of the ordinary. weights: float64[m, n] of all `names`. table: the readings of every clock, put
    against whatever; empty where they are not known. notes: what else was recorded of the clock, by epoch.
    """

    algorithm: str
    clock: str
    epochs: IntArray
    x: FloatArray
    read: FloatArray
    weight: FloatArray
    error: FloatArray
    code: IntArray
    reasons: list[str]
    names: tuple[str, ...]
    weights: FloatArray
    table: PhaseTable
    notes: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Stretch:
    """Epochs in a row (`first` to `last`, ns of TAI) in which the clock's state was the same, and the first reason."""

    first: int
    last: int
    epochs: int
    state: str
    why: str


@dataclass(frozen=True)
class Fall:
    """The greatest loss of weight from one epoch to the next: to `epoch` (ns of TAI), from which weight to which."""

    epoch: int
    before: float
    after: float
    why: str


@dataclass(frozen=True)
class Account:
    """What stands in an audit at its last epoch: weight, phase, as read, predicted, error (s), state, reason in words.

    greatest, greatest_epoch: the greatest weight, and its first epoch (ns of TAI). rms_s, recent_rms_s: of the errors
    of the whole record and of the recent part (s); counts: epochs by state; stretches: those not in use, in order.
    """

    epoch: int
    weight: float
    x_s: float
    read_s: float
    predicted_s: float
    error_s: float
    state: str
    why: str
    greatest: float
    greatest_epoch: int
    fall: Fall | None
    rms_s: float
    recent_rms_s: float
    counts: dict[str, int]
    stretches: list[Stretch]


def audit_of_steps(steps: Steps, clock: str, table: PhaseTable, at: int | None = None) -> Audit:
    """The audit of a computed scale up to epoch `at` (ns of TAI); raises ``EnsembleError`` when there is none."""
    if clock not in steps.clocks:
        near = did_you_mean(clock, steps.clocks) or f"; there are {', '.join(steps.clocks)}"
        raise EnsembleError(f"no such clock in the scale: {clock}{near}")
    count = len(steps.epochs) if at is None else int(np.searchsorted(steps.epochs, at, side="right"))
    if not count:
        raise EnsembleError("the scale begins after the moment that is asked about")
    column = steps.clocks.index(clock)
    rows = slice(0, count)
    readings = PhaseTable(table.epochs[rows], table.clocks, table.x[rows], table.pivot[rows], table.reference)
    return Audit(
        steps.algorithm,
        clock,
        steps.epochs[rows],
        steps.x[rows, column],
        as_read(readings, steps.x[rows], counted_weight(steps)[rows], steps.clocks, clock)
        if steps.algorithm == ESTIMATES
        else steps.x[rows, column],
        steps.weight[rows, column],
        steps.error[rows, column],
        steps.code[rows, column].astype(np.int64),
        ["" if int(steps.code[i, column]) in ORDINARY else steps.reason(i, column) for i in range(count)],
        steps.clocks,
        steps.weight[rows],
        readings,
    )


def as_read(table: PhaseTable, x: FloatArray, weight: FloatArray, names: tuple[str, ...], clock: str) -> FloatArray:
    """What was read of a clock against the scale, float64[m] (s): through every clock of `names` that counted.

    x, weight: float64[m, n], each clock minus scale, and the weights of readings that counted.
    """
    known = [(j, table.clocks.index(name)) for j, name in enumerate(names) if name in table.clocks]
    ours, theirs = [j for j, _ in known], [i for _, i in known]
    offset = through_clocks(x[:, ours] - table.x[:, theirs], weight[:, ours])
    read: FloatArray = table.x[:, table.clocks.index(clock)] + offset
    return read


def account_of(audit: Audit) -> Account:
    """Read an audit at its last epoch."""
    error = audit.error
    recent = max(RECENT, len(error) // 10)
    words = [state_of(code) for code in audit.code.tolist()]
    greatest = int(np.argmax(audit.weight))
    return Account(
        int(audit.epochs[-1]),
        float(audit.weight[-1]),
        float(audit.x[-1]),
        float(audit.read[-1]),
        float(audit.read[-1] - error[-1]),
        float(error[-1]),
        CODES[int(audit.code[-1])],
        audit.reasons[-1] or ordinary_words(audit.algorithm, int(audit.code[-1]), float(audit.weight[-1])),
        float(audit.weight[greatest]),
        int(audit.epochs[greatest]),
        _fall(audit),
        _rms(error),
        _rms(error[-recent:]),
        {word: words.count(word) for word in dict.fromkeys(words)},
        _stretches(audit, words),
    )


def state_of(code: int) -> str:
    """A code in words; the two that mean ordinary use are one."""
    word = CODES[code]
    return IN_USE if word in ("ok", "at cap") else word


def scale_without(audit: Audit, run: Any) -> tuple[FloatArray, FloatArray]:
    """The clock against the scale without it, and that scale against the one with it (s, float64[m] each).

    run: makes a `ScaleRun` of a table. Both scales are made by it, from the same start.
    """
    table, others = audit.table, without(audit.table, audit.clock)
    with_it, alone = run(table).steps, run(others).steps
    order = [alone.clocks.index(name) for name in others.clocks]
    x, weight = alone.x[:, order], counted_weight(alone)[:, order]
    against: FloatArray = table.x[:, table.clocks.index(audit.clock)] + through_clocks(x - others.x, weight)
    # without − with = (clock − with) − (clock − without), of every clock that is in both
    moved = through_clocks(with_it.x[:, [with_it.clocks.index(name) for name in others.clocks]] - x, weight)
    return against, moved


def _fall(audit: Audit) -> Fall | None:
    # while nobody has learned, weights come and go with the first errors: that is no fall
    change = np.where(np.isin(audit.code[:-1], WEIGHTED), np.diff(audit.weight), 0.0)
    if not len(change) or change.min() > -LEAST_FALL:
        return None
    at = int(np.argmin(change)) + 1
    why = audit.reasons[at] or _without_event(audit, at)
    return Fall(int(audit.epochs[at]), float(audit.weight[at - 1]), float(audit.weight[at]), why)


def _without_event(audit: Audit, at: int) -> str:
    """Why a weight fell when nothing became of the clock itself: weights add up to one, and another's grew."""
    words = ordinary_words(audit.algorithm, int(audit.code[at]), float(audit.weight[at]))
    grew = audit.weights[at] - audit.weights[at - 1]
    most = int(np.argmax(grew))
    return f"{words}; that of {audit.names[most]} grew by {grew[most]:.3f}" if grew[most] > 0.0 else words


def _stretches(audit: Audit, words: list[str]) -> list[Stretch]:
    found, at = [], 0
    for word, group in groupby(words):
        count = len(list(group))
        if word != IN_USE:
            first, last = int(audit.epochs[at]), int(audit.epochs[at + count - 1])
            found.append(Stretch(first, last, count, word, audit.reasons[at] or word))
        at += count
    return found


def _rms(error: FloatArray) -> float:
    known = error[np.isfinite(error)]
    return float(np.sqrt(np.mean(known * known))) if known.size else float("nan")
