"""A phase comparator: the difference of two phases, with white phase noise and a smallest step.

Sign convention: it gives x_a − x_b in seconds. It has no memory, no calibration error and no cycle slips.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class Comparator(msgspec.Struct, frozen=True):
    """A comparator.

    Attributes
    ----------
    noise_s : float
        Standard deviation of its white phase noise, s.
    resolution_s : float
        Smallest step of its display, s; 0 for none.

    Raises
    ------
    ValueError
        If one of them is negative or not finite.
    """

    noise_s: float
    resolution_s: float = 0.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ValueError(f"comparator: {name} = {getattr(self, name)!r} is not a number of seconds ≥ 0")

    @property
    def u_s(self) -> float:
        """Standard uncertainty of one reading (k = 1), s: noise and resolution."""
        return math.sqrt(self.noise_s**2 + self.resolution_s**2 / 12.0)

    def compare(self, x_a: FloatArray, x_b: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Read x_a − x_b (s, float64[n]) with noise from `rng`."""
        difference = np.asarray(x_a - x_b, dtype=np.float64)
        return self.display(difference, rng.standard_normal(difference.shape))

    def display(self, difference_s: FloatArray, normals: FloatArray) -> FloatArray:
        """Add noise from `normals` (mean 0, variance 1) to a difference and round it to the resolution."""
        noisy = difference_s + self.noise_s * normals
        if not self.resolution_s:
            return noisy
        return np.asarray(np.rint(noisy / self.resolution_s) * self.resolution_s, dtype=np.float64)
