"""The numbers that an option takes: finite ones. Click's own range lets NaN through, and infinity at an open end."""

from __future__ import annotations

import math
from typing import Any

import click


class FiniteRange(click.FloatRange):
    """A range of floats without NaN and infinities; the same words for people."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Give the number, or fail as a wrong use of the command does."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


# Dates that a scale can have; whole nanoseconds of them fit 64 bits.
MJD = FiniteRange(min=0, max=100_000)
WHOLE_MJD = click.IntRange(min=0, max=100_000)
