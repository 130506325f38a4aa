"""Numbers as programs write them in files, told apart strictly: no underscores, no hexadecimal, no infinities."""

from __future__ import annotations

import re

LONGEST = 64  # characters; more is no number anyone wrote
LARGEST = 1e300
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?", re.ASCII)


def read_number(text: str) -> float | None:
    """Give the value of a decimal numeral (Fortran's D exponents too), or None when it is none or beyond 1e300."""
    if len(text) > LONGEST or not _NUMBER.fullmatch(text):
        return None
    value = float(text.replace("D", "E").replace("d", "e"))
    return value if abs(value) < LARGEST else None


def read_integer(text: str, low: int, high: int) -> int | None:
    """Give a plain unsigned integer from ``low`` to ``high``, or None."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        return None
    return int(text) if low <= int(text) <= high else None
