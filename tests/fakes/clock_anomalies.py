"""Small laboratories for the anomaly detectors: white frequency noise of known size, with steps of known size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from timeball.integrity.anomalies import Record

FloatArray = npt.NDArray[np.float64]
INTERVAL_S = 3600.0
START_NS = 1_700_000_000 * 10**9
SIGMA_S = 1e-9
LINKS = {"C5": "L1", "C6": "L1", "C7": "L1"}
REFERENCE = "C0"


def quiet_laboratory(seed: int, epochs: int = 900, clocks: int = 9, missing: float = 0.03) -> Record:
    """Nine equal clocks, three of them through one link; phases against the reference clock."""
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(scale=SIGMA_S, size=(epochs, clocks)), axis=0)
    x += np.arange(epochs)[:, None] * rng.normal(scale=1e-8, size=clocks)
    x[rng.random(x.shape) < missing] = np.nan
    at = START_NS + np.arange(epochs, dtype=np.int64) * round(INTERVAL_S * 1e9)
    names = tuple(f"C{j}" for j in range(clocks))
    return Record(at, names, x, {name: link for name, link in LINKS.items() if name in names}, REFERENCE)


def with_step(record: Record, at: int, clocks: tuple[str, ...], phase_s: float = 0.0, rate: float = 0.0) -> Record:
    """The record with a step of phase, rate or both of some clocks from epoch index `at` on."""
    since = np.arange(len(record.epochs)) - at
    course = np.where(since >= 0, phase_s + rate * INTERVAL_S * (since + 1), 0.0)
    x = record.x.copy()
    for name in clocks:
        x[:, record.clocks.index(name)] += course
    return Record(record.epochs, record.clocks, x, record.links, record.reference, record.outside)


def all_but(record: Record, name: str) -> tuple[str, ...]:
    return tuple(each for each in record.clocks if each != name)
