"""Stability of clocks: deviations of phase and frequency records, with gaps.

Deviations, their confidence limits for the noise that is found, three clocks told apart, limits of ITU-T, and what is
done to a record before. Pure: arrays in, arrays out. It does not read files or choose clocks.
"""

from timeball.stability.confidence import Intervals, intervals
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
from timeball.stability.hat import Hat, three_clocks
from timeball.stability.interval_error import mtie, tierms
from timeball.stability.masks import MASKS, Judged, Mask, find_mask, judge
from timeball.stability.moving import Dynamic, dynamic
from timeball.stability.noise import NOISES, Noise, identify_noise
from timeball.stability.parabolic import pdev
from timeball.stability.recipe import Treated, apply_recipe, parse_recipe
from timeball.stability.records import phase_from_frequency
from timeball.stability.registry import DEVIATIONS, Deviation
from timeball.stability.spacing import SPACINGS, averaging_factors
from timeball.stability.theo import theo1, theobr, theoh
from timeball.stability.total import htotdev, mtotdev, totdev, ttotdev

__all__ = [
    "DEVIATIONS",
    "MASKS",
    "NOISES",
    "SPACINGS",
    "Deviation",
    "Deviations",
    "Dynamic",
    "FactorError",
    "FrequencyGapError",
    "Grid",
    "Hat",
    "Intervals",
    "Judged",
    "Mask",
    "Noise",
    "RecordError",
    "StabilityError",
    "TooShortError",
    "Treated",
    "adev",
    "apply_recipe",
    "averaging_factors",
    "dynamic",
    "find_mask",
    "hdev",
    "htotdev",
    "identify_noise",
    "intervals",
    "judge",
    "mdev",
    "mtie",
    "mtotdev",
    "oadev",
    "ohdev",
    "on_grid",
    "parse_recipe",
    "pdev",
    "phase_from_frequency",
    "tdev",
    "theo1",
    "theobr",
    "theoh",
    "three_clocks",
    "tierms",
    "totdev",
    "ttotdev",
]
