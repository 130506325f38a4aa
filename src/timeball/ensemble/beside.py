"""What a scale stands beside: the plain mean of the same clocks, the best single partner, and another scale.

Sign: phases are clock minus what it is held against (s). None of it decides anything or goes into a ledger: these are
yardsticks. An algorithm that does not beat the plain mean, or a partner that nobody could have known to be the best
beforehand, is not worth its rules.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from timeball.ensemble.scale import counted_weight, through_clocks, without
from timeball.ensemble.steps import Steps
from timeball.readings import PhaseTable

FloatArray = npt.NDArray[np.float64]


def against_equal_weights(table: PhaseTable, clock: str) -> FloatArray:
    """Phases float64[m] (s) of a clock against the plain mean of the others; NaN where there is none.

    Each of the others has its own mean offset and rate over the record taken out first, so that one that is missing
    for a while takes only its noise with it.
    """
    mine = table.x[:, table.clocks.index(clock)]
    others = without(table, clock).x
    # against the one that was measured most often, whose gaps stay gaps: a stand-in would bend every line
    fullest = int(np.argmax(np.isfinite(others).sum(axis=0)))
    lines = _lines(table.epochs, others - others[:, [fullest]])
    residual = others - lines
    counted = np.isfinite(residual).sum(axis=1)
    total = np.where(np.isfinite(residual), residual, 0.0).sum(axis=1)
    mean = np.where(counted > 0, total / np.maximum(counted, 1), np.nan)
    phases: FloatArray = mine - mean
    return phases


def difference(of: Steps, minus: Steps) -> FloatArray:
    """Scale `of` minus scale `minus` (s) at the epochs of both, without mean offset and rate; the same table made both.

    clock − minus less clock − of is of − minus, through every clock that counted in both.
    """
    order = [minus.clocks.index(name) for name in of.clocks]
    weight = counted_weight(of) * counted_weight(minus)[:, order]
    apart = through_clocks(minus.x[:, order] - of.x, weight)
    straight = _lines(of.epochs, apart[:, None])[:, 0]
    out: FloatArray = apart - straight
    return out


def _lines(epochs: npt.NDArray[np.int64], x: FloatArray) -> FloatArray:
    """The straight line of least squares through each column, over its own readings; its mean where there is one."""
    t = (epochs - epochs[0]) / 1e9
    t = t / max(float(t[-1]), 1.0)
    known = np.isfinite(x)
    count = np.maximum(known.sum(axis=0), 1)
    values = np.where(known, x, 0.0)
    level = values.sum(axis=0) / count
    middle = (known * t[:, None]).sum(axis=0) / count
    centred = np.where(known, t[:, None] - middle, 0.0)
    squares = (centred**2).sum(axis=0)
    slope = np.where(squares > 0, (centred * (values - level)).sum(axis=0) / np.where(squares > 0, squares, 1.0), 0.0)
    lines: FloatArray = level + slope * (t[:, None] - middle)
    return lines
