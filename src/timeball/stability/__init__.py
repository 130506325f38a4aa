"""Stability of clocks: deviations of phase and frequency records, with gaps.

Pure: arrays in, arrays out. It does not read files, choose clocks, or judge.
"""

from timeball.stability.deviations import Deviations, adev, mdev, oadev, tdev
from timeball.stability.errors import (
    FactorError,
    FrequencyGapError,
    RecordError,
    StabilityError,
    TooShortError,
)
from timeball.stability.grid import Grid, on_grid
from timeball.stability.records import phase_from_frequency
from timeball.stability.spacing import SPACINGS, averaging_factors

__all__ = [
    "SPACINGS",
    "Deviations",
    "FactorError",
    "FrequencyGapError",
    "Grid",
    "RecordError",
    "StabilityError",
    "TooShortError",
    "adev",
    "averaging_factors",
    "mdev",
    "oadev",
    "on_grid",
    "phase_from_frequency",
    "tdev",
]
