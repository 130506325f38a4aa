"""Noise that belongs to an instant: near-normal numbers that are a function of seed, channel and epoch alone.

So a reading of one instant is the same in whatever batch it is taken and however often. It is made of integer mixing
(SplitMix64: Steele, Lea and Flood, OOPSLA 2014) and the sum of twelve uniforms, no logarithm and no cosine, and is
therefore the same to the last bit on any machine. The sum has variance 1 and ends at ±6, with tails a little too thin
(kurtosis 2.9): right for the noise of a measurement, not for a study of rare events.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

_GOLDEN = 0x9E3779B97F4A7C15
_WORDS = 6
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def keyed_normals(seed: int, channel: str, epochs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Near-normal numbers of mean 0 and variance 1, float64[n], one an epoch (int64[n], TAI ns)."""
    digest = hashlib.sha256(f"timeball reading\n{seed}\n{channel}".encode()).digest()
    first, second = (np.uint64(int.from_bytes(digest[i : i + 8])) for i in (0, 8))
    base = _mix(_mix(epochs.astype(np.uint64) ^ first) + second)
    total = np.zeros(epochs.shape, dtype=np.uint64)
    for word in range(1, _WORDS + 1):
        drawn = _mix(base + np.uint64(word * _GOLDEN % 2**64))
        total += (drawn & _LOW) + (drawn >> _HALF)
    # Twelve whole numbers below 2^32, each half a unit off its mean: the sum is exact, and so is what follows.
    return (total.astype(np.float64) + _WORDS) / 2.0**32 - _WORDS


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
