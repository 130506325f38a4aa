"""Time interval error: TIE rms and MTIE (ITU-T G.810), in seconds. A frequency offset shows in both.

Sign convention: none is needed. x is phase (time error) in seconds; an observation of τ = m τ₀ spans m + 1 points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeball.stability import kernels_interval
from timeball.stability.deviations import differences
from timeball.stability.forms import Deviations, Factors, Form, choose_factors, deviations, prepare
from timeball.stability.records import Record, check_interval


def tierms(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase", threads: int = 1) -> Deviations:
    """Root mean square of x(t + τ) − x(t), in seconds (ITU-T G.810, II.5). Arguments, gaps and errors as `adev`."""
    return deviations(TIERMS, x, tau0_s, m, kind, threads)


def mtie(x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase", threads: int = 1) -> Deviations:
    """Maximum time interval error: the greatest peak-to-peak phase in any window of τ (ITU-T G.810, II.4), in seconds.

    n counts the windows of m + 1 points. A missing value is no part of the pairs it would belong to; a window in which
    fewer than two values are left is not counted. So with gaps the answer is never above that of the full record.
    Arguments and errors as `adev`; all factors share one sweep, in one thread, and the memory of two copies of x.
    """
    del threads
    tau0_s = check_interval(tau0_s)
    record = prepare(x, tau0_s, kind, with_rate=True)
    factors = choose_factors(MTIE, record.x.size, m)
    ascending, place = np.unique(factors, return_inverse=True)
    sigma = _widest(record, ascending, ours=kind == "frequency")[place]
    count = np.array([_windows(record, factor) for factor in factors.tolist()], dtype=np.int64)
    sigma[count == 0] = np.nan
    keep = count > 0 if m is None or isinstance(m, str) else np.ones(factors.size, dtype=bool)
    tau_s: NDArray[np.float64] = factors.astype(np.float64) * tau0_s
    return Deviations(tau_s[keep], factors[keep], sigma[keep], count[keep])


def _widest(record: Record, factors: NDArray[np.int64], *, ours: bool) -> NDArray[np.float64]:
    """Find the greatest range for each of the factors, which ascend; −∞ where there is no window.

    ours: the record is nobody else's, and may be written over.
    """
    if record.gaps:
        highest, lowest = record.x.copy(), record.x.copy()
        missing = np.isnan(record.x)
        highest[missing], lowest[missing] = -np.inf, np.inf
        top, bottom = highest, lowest
    else:
        top = bottom = record.x
        highest, lowest = record.x if ours else np.empty_like(top), np.empty_like(top)
    widest = np.full((factors.size, kernels_interval.LANES), -np.inf)
    for start, stop in zip(record.starts.tolist(), record.stops.tolist(), strict=True):
        # windows longer than the stretch would only cost
        fit = int(np.searchsorted(factors, stop - start - 1, side="right"))
        if fit:
            kernels_interval.sweep(top, bottom, highest, lowest, start, stop, factors[:fit] + 1, widest)
    greatest: NDArray[np.float64] = widest.max(axis=1)
    return greatest


def _windows(record: Record, m: int) -> int:
    """Count the windows of m + 1 points inside a stretch in which at least two values are."""
    lengths = record.stops - record.starts
    if not record.gaps:
        return int(np.maximum(lengths - m, 0).sum())
    present = np.concatenate(([0], np.cumsum(~np.isnan(record.x))))
    total = 0
    for start, stop in zip(record.starts.tolist(), record.stops.tolist(), strict=True):
        if stop - start > m:
            inside = present[start + m + 1 : stop + 1] - present[start : stop - m]
            total += int((inside >= 2).sum())
    return total


def _one(_: int) -> float:
    return 1.0


def _span(m: int) -> int:
    return m + 1


TIERMS = Form("TIE rms", differences(1), _span, _one, together=True, timed=True, with_rate=True, least=2)
MTIE = Form("MTIE", differences(1), _span, _one, timed=True, with_rate=True, least=2)  # for its name and span alone
