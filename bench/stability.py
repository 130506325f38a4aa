"""Deviations of long records, all octaves, beside allantools; and how the time grows with the number of points."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import allantools
import numpy as np

from bench import Figure, medians
from timeball import stability

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
PEER_UP_TO = 1_000_000
# Measured on two cores: 8 to 10, 5 to 6, 3; a target leaves room for another machine and its load.
LEAST_RATIO = {"oadev": 4.0, "mdev": 2.5, "adev": 1.3}
# Octaves make N log N, an exponent of 1.07; that the longer record fits no cache adds some 0.2. Windows summed anew at
# each start would make it 2.
GROWTH = (100_000, 10_000_000)
STEEPEST = 1.4


def figures() -> Iterator[Figure]:
    """Give time and ratio by deviation and size, and the exponent of growth from 10⁵ to 10⁷ points."""
    phases = np.cumsum(np.random.default_rng(1).standard_normal(SIZES[-1])) * 1e-12
    for name in LEAST_RATIO:
        yield from _deviation(name, phases)


def _deviation(name: str, phases: np.ndarray) -> Iterator[Figure]:
    """Time all sizes and the peer in turn: a slow minute of the machine then bends no exponent and no ratio."""
    ours, theirs = getattr(stability, name), getattr(allantools, name)
    works = {}
    for size in SIZES:
        x = phases[:size].copy()
        works[f"timeball {size}"] = partial(ours, x, 1.0)
        if size <= PEER_UP_TO:
            works[f"allantools {size}"] = partial(theirs, x, rate=1.0, data_type="phase", taus=ours(x, 1.0).tau_s)
    taken = medians(works, rounds=5)
    for size in SIZES:
        yield _figure(name, size, taken[f"timeball {size}"], taken.get(f"allantools {size}"))
    short, long = GROWTH
    slope = math.log(taken[f"timeball {long}"] / taken[f"timeball {short}"]) / math.log(long / short)
    label = f"{name.upper()} growth exponent with N"
    yield Figure(label, "stability", slope, "1", None, None, f"<= {STEEPEST}", slope <= STEEPEST)


def _figure(name: str, size: int, seconds: float, peer_seconds: float | None) -> Figure:
    label = f"{name.upper()} of 1e{round(math.log10(size))} points, octaves"
    if peer_seconds is None:
        return Figure(label, "stability", seconds, "s")
    peer, ratio = f"allantools {peer_seconds:.3g} s", peer_seconds / seconds
    if size < PEER_UP_TO:  # short records are mostly overhead on both sides: told, not promised
        return Figure(label, "stability", seconds, "s", peer, ratio)
    least = LEAST_RATIO[name]
    return Figure(label, "stability", seconds, "s", peer, ratio, f"ratio >= {least:g}", ratio >= least)
