"""Stability of clocks: deviations of phase and frequency records, with gaps.

Pure: arrays in, arrays out. It does not read files, choose clocks, or judge.
"""

from timeball.stability.deviations import adev, hdev, mdev, oadev, ohdev, tdev
from timeball.stability.errors import (
    FactorError,
    FrequencyGapError,
    RecordError,
    StabilityError,
    TooShortError,
)
from timeball.stability.forms import Deviations
from timeball.stability.grid import Grid, on_grid
from timeball.stability.interval_error import mtie, tierms
from timeball.stability.parabolic import pdev
from timeball.stability.records import phase_from_frequency
from timeball.stability.registry import DEVIATIONS, Deviation
from timeball.stability.spacing import SPACINGS, averaging_factors
from timeball.stability.theo import theo1, theobr, theoh
from timeball.stability.total import htotdev, mtotdev, totdev, ttotdev

__all__ = [
    "DEVIATIONS",
    "SPACINGS",
    "Deviation",
    "Deviations",
    "FactorError",
    "FrequencyGapError",
    "Grid",
    "RecordError",
    "StabilityError",
    "TooShortError",
    "adev",
    "averaging_factors",
    "hdev",
    "htotdev",
    "mdev",
    "mtie",
    "mtotdev",
    "oadev",
    "ohdev",
    "on_grid",
    "pdev",
    "phase_from_frequency",
    "tdev",
    "theo1",
    "theobr",
    "theoh",
    "tierms",
    "totdev",
    "ttotdev",
]
