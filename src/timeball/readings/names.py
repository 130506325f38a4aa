"""What somebody may have meant: the names of clocks or laboratories that a misspelt one is near to."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MOST = 3
CLOSE = 0.6


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean A or B?`, nearest first, whatever the case; empty when nothing is near."""
    by_lower = {one.lower(): one for one in known}
    near = [by_lower[found] for found in get_close_matches(name.lower(), list(by_lower), n=MOST, cutoff=CLOSE)]
    return f"; did you mean {' or '.join(near)}?" if near else ""
