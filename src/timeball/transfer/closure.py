"""Triangle closures: what three links around a triangle add up to, which is zero for the clocks and not for the links.

Sign: (a − b) + (b − c) + (c − a), in s. Links that share a station's tracks all in view close by construction and say
nothing; common view and two-way do not.

What it does not do: put links on common epochs (see `smoothing`): only epochs that all three have count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from timeball.readings import EpochArray, FloatArray, Readings
from timeball.transfer.uncertainty import standard_error


@dataclass(frozen=True, slots=True, eq=False)
class Triangle:
    """One triangle over m common epochs: x_s float64[m] around it, their mean, its uA, rms, and what u of the links
    says the rms should be (NaN when a link has no u).
    """

    clocks: tuple[str, str, str]
    epoch: EpochArray
    x_s: FloatArray
    mean_s: float
    u_a_s: float
    rms_s: float
    expected_s: float


def triangles(readings: Readings) -> list[Triangle]:
    """Find every triangle of clocks that were compared pair by pair, at the epochs that its three links share."""
    series = _series(readings)
    found = []
    for a, b, c in combinations(range(len(readings.clocks)), 3):
        sides = [_side(series, pair) for pair in ((a, b), (b, c), (c, a))]
        if all(side is not None for side in sides):
            names = (readings.clocks[a], readings.clocks[b], readings.clocks[c])
            triangle = _around(names, [side for side in sides if side is not None])
            if triangle is not None:
                found.append(triangle)
    return found


def _series(readings: Readings) -> dict[tuple[int, int], dict[int, tuple[float, float]]]:
    """Give x and u by epoch for each pair, the first of what is measured twice."""
    series: dict[tuple[int, int], dict[int, tuple[float, float]]] = {}
    columns = (readings.a, readings.b, readings.epoch, readings.x, readings.u)
    for a, b, epoch, x, u in zip(*(column.tolist() for column in columns), strict=True):
        if math.isfinite(x):
            series.setdefault((a, b), {}).setdefault(epoch, (x, u))
    return series


def _side(
    series: dict[tuple[int, int], dict[int, tuple[float, float]]], pair: tuple[int, int]
) -> dict[int, tuple[float, float]] | None:
    if pair in series:
        return series[pair]
    turned = series.get((pair[1], pair[0]))
    return None if turned is None else {epoch: (-x, u) for epoch, (x, u) in turned.items()}


def _around(names: tuple[str, str, str], sides: list[dict[int, tuple[float, float]]]) -> Triangle | None:
    epochs = sorted(set.intersection(*(set(side) for side in sides)))
    if not epochs:
        return None
    table = np.array([[side[epoch] for epoch in epochs] for side in sides])
    x = table[:, :, 0].sum(axis=0)
    epoch = np.array(epochs, dtype=np.int64)
    expected = math.sqrt(float((table[:, :, 1] ** 2).sum(axis=0).mean()))
    rms = math.sqrt(float((x * x).mean()))
    return Triangle(names, epoch, x, float(x.mean()), standard_error(epoch, x), rms, expected)
