"""Dynamic deviation: the deviation of a window that moves along the record, so that a change shows when it happened.

Source: Galleani and Tavella 2009 (dynamic Allan variance). A window without a term at some τ has NaN there. It does not
say whether a change is one: compare with the intervals of a single window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeball.stability.deviations import oadev
from timeball.stability.errors import FactorError, TooShortError
from timeball.stability.forms import Deviations
from timeball.stability.records import check_values

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A deviation of w windows at k averaging times.

    first: int64[w], the first point of each window; points: the points of a window; tau_s float64[k]; m int64[k];
    sigma float64[w, k], NaN without a term; n int64[w, k].
    """

    first: NDArray[np.int64]
    points: int
    tau_s: FloatArray
    m: NDArray[np.int64]
    sigma: FloatArray
    n: NDArray[np.int64]

    def centre_s(self, tau0_s: float) -> FloatArray:
        """Middle of each window, in seconds from the first point of the record."""
        return np.asarray((self.first + 0.5 * (self.points - 1)) * tau0_s, dtype=np.float64)


def dynamic(
    x: ArrayLike,
    tau0_s: float,
    points: int,
    step: int | None = None,
    m: Sequence[int] | str | None = None,
    *,
    kind: str = "phase",
    function: Callable[..., Deviations] = oadev,
) -> Dynamic:
    """Give the deviation `function` of windows of so many points, one every `step` points (default: a quarter window).

    x, tau0_s, m, kind: as `oadev`, a named spacing reaching as far as a window allows.
    Raises TooShortError when the record is shorter than a window, FactorError for a step below 1, RecordError.
    """
    values = check_values(x, "x")
    step = max(points // 4, 1) if step is None else step
    if step < 1:
        raise FactorError(f"windows move by at least one point, not {step}")
    if points > values.size:
        raise TooShortError("a window", 1, values.size, points)
    # a window without gaps says which factors fit into one
    factors = function(np.zeros(points), tau0_s, m, kind=kind)
    wanted = factors.m.tolist()
    first = np.arange(0, values.size - points + 1, step, dtype=np.int64)
    sigma = np.full((first.size, len(wanted)), np.nan)
    n = np.zeros((first.size, len(wanted)), dtype=np.int64)
    for row, start in enumerate(first.tolist()):
        found = function(values[start : start + points], tau0_s, wanted, kind=kind)
        sigma[row], n[row] = found.sigma, found.n
    return Dynamic(first, points, factors.tau_s, factors.m, sigma, n)
