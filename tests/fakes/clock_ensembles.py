"""Ensembles of clocks for hypothesis: gaps, late comers, outliers, steps, and phases far apart."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from timeball.readings import PhaseTable

TAU_S = 300


@st.composite
def ensembles(draw: st.DrawFn) -> PhaseTable:
    """Three to six clocks with gaps, late comers, outliers, phase and rate steps; clocks may be far apart."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    n, m = draw(st.integers(3, 6)), draw(st.integers(1, 90))
    sigma = 10.0 ** rng.uniform(-13, -10, n)
    x = np.cumsum(rng.normal(size=(m, n)) * sigma, axis=0) + rng.normal(0, 1e-4, n)
    x += np.outer(np.arange(m), rng.normal(0, 1e-10, n))
    for _ in range(draw(st.integers(0, 4))):
        clock, epoch = int(rng.integers(n)), int(rng.integers(m))
        kind = draw(st.sampled_from(["outlier", "phase", "rate", "late", "gone"]))
        size = rng.choice([-1, 1]) * 10.0 ** rng.uniform(-10, -6)
        if kind == "outlier":
            x[epoch, clock] += size
        elif kind == "phase":
            x[epoch:, clock] += size
        elif kind == "rate":
            x[epoch:, clock] += size * np.arange(m - epoch)
        elif kind == "late":
            x[:epoch, clock] = np.nan
        else:
            x[epoch:, clock] = np.nan
    x[rng.random((m, n)) < draw(st.sampled_from([0.0, 0.05, 0.3]))] = np.nan
    kept = np.isfinite(x).any(axis=1)
    steps = np.where(rng.random(m) < 0.05, rng.integers(2, 300, m), 1)
    epochs = np.cumsum(steps)[kept].astype(np.int64) * TAU_S * 10**9
    # phases as recorded: whole femtoseconds against the first clock there
    x = np.rint(x[kept] * 1e15) / 1e15
    return PhaseTable(epochs, tuple("ABCDEF"[:n]), *against_first(x), "A")


def against_first(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pivot = np.argmax(np.isfinite(x), axis=1) if len(x) else np.zeros(0, dtype=int)
    return x - x[np.arange(len(x)), pivot][:, None], pivot.astype(np.int32)


def rows(table: PhaseTable, part: slice) -> PhaseTable:
    return PhaseTable(table.epochs[part], table.clocks, table.x[part], table.pivot[part], table.reference)
