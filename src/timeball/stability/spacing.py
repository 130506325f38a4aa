"""Averaging factors m = τ/τ₀: every octave, the 1-2-4 of every decade, all, or those asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from timeball.stability.errors import FactorError

SPACINGS = ("octave", "decade", "all")


def averaging_factors(longest: int, spacing: Sequence[int] | str | None = None) -> NDArray[np.int64]:
    """Give the averaging factors up to `longest`, ascending; explicit ones are taken as they are.

    `spacing` is "octave" (1, 2, 4, 8, ...; the default), "decade" (1, 2, 4, 10, 20, 40, ...), "all", or a sequence of
    whole numbers. Raises FactorError for another name, an empty sequence, or a number that is not whole or below 1.
    """
    if spacing is None:
        spacing = "octave"
    if not isinstance(spacing, str):
        return _explicit(spacing)
    if spacing == "octave":
        factors = [2**k for k in range(max(longest, 0).bit_length())]
    elif spacing == "decade":
        factors = [step * 10**k for k in range(len(str(max(longest, 0)))) for step in (1, 2, 4)]
    elif spacing == "all":
        factors = list(range(1, longest + 1))
    else:
        raise FactorError(f"no spacing of averaging times is called {spacing!r}: {', '.join(SPACINGS)}")
    return np.array([m for m in factors if m <= longest], dtype=np.int64)


def _explicit(factors: Sequence[int]) -> NDArray[np.int64]:
    given = np.asarray(factors)
    if given.ndim != 1 or given.size == 0:
        raise FactorError("give at least one averaging factor, in a flat sequence")
    if not np.issubdtype(given.dtype, np.number) or not np.all((given >= 1) & (given == np.floor(given))):
        raise FactorError(f"averaging factors are whole numbers of at least 1, not {list(factors)!r}")
    if np.any(given >= 2.0**53):
        raise FactorError(f"averaging factor {given.max():g} is longer than any record")
    return given.astype(np.int64)
