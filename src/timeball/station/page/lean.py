"""The decorator of compiled functions that allocate nothing: numba's njit, cached, without GIL and reference counts.

Arrays come in from Python, which holds them as long as the function runs; so counting who else holds them, an atomic
operation at each use, protects nothing here, and would cost three times what the work does. A function that makes an
array is refused by numba, as nothing would give it back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def lean(function: FunctionT) -> FunctionT:
    """Compile at the first call, or load from the cache."""
    compile_it: Any = njit
    return cast("FunctionT", compile_it(cache=True, nogil=True, _nrt=False)(function))
