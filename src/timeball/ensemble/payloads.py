"""Reading a state back from its payload, field by field: what every algorithm asks of names, epochs and columns.

What it does not do: know which fields a state has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from timeball.ensemble.errors import StateError


def read_names(payload: Mapping[str, Any], field: str) -> tuple[str, ...]:
    """Distinct names in order; raises ``StateError`` naming the field."""
    names = payload.get(field)
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise StateError(f"field {field!r} of the state must be a list of names")
    if tuple(names) != tuple(sorted(set(names))):
        raise StateError(f"field {field!r} of the state must hold distinct names in order")
    return tuple(names)


def read_list(values: Any, field: str, n: int) -> Sequence[Any]:
    """A list of n values as they are; raises ``StateError`` naming the field."""
    if not isinstance(values, list | tuple) or len(values) != n:
        raise StateError(f"field {field!r} of the state must be a list of {n}")
    return values


def read_column(values: Any, field: str, n: int, kind: Callable[[Any], Any]) -> npt.NDArray[Any]:
    """An array of n values: int64 when `kind` is int, else float64; raises ``StateError`` naming the field."""
    found = read_list(values, field, n)
    try:
        return np.array([kind(value) for value in found], dtype=np.int64 if kind is int else np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise StateError(f"field {field!r} of the state: {error}") from error


def read_epoch(payload: Mapping[str, Any], field: str) -> int | None:
    """An epoch (ns of TAI), None where there is none yet; raises ``StateError`` naming the field."""
    value = payload.get(field)
    return None if value is None else int(read_column([value], field, 1, int)[0])
