"""What can be wrong with a record of which a deviation is asked."""

from __future__ import annotations


class StabilityError(ValueError):
    """A deviation cannot be computed from what was given."""


class RecordError(StabilityError):
    """The record is not a line of finite or missing (NaN) numbers, or its interval is not a positive time."""


class FactorError(StabilityError):
    """An averaging factor is not a whole number of at least 1, or the spacing asked for has no such name."""


class TooShortError(StabilityError):
    """The record has fewer points than the shortest term of the deviation needs."""

    def __init__(self, deviation: str, factor: int, points: int, needed: int) -> None:
        super().__init__(
            f"{deviation} at averaging factor {factor} needs {needed} phase points (one fewer of frequency), "
            f"the record has {points}"
        )
        self.deviation = deviation
        self.factor = factor
        self.points = points
        self.needed = needed


class FrequencyGapError(StabilityError):
    """Phase cannot be summed across a missing frequency: how far the clock ran in the gap is not known."""
