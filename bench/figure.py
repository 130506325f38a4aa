"""One measured number, as it stands in bench/report.json."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A figure: its value and unit, the peer it was measured beside and how many times better we are, and its target.

    peer and ratio are None where there is no peer; target is a text such as "< 0.3 s" or "ratio >= 5", or None for a
    figure that is only told; ok says whether it was met (True without a target).
    """

    name: str
    room: str
    value: float
    unit: str
    peer: str | None = None
    ratio: float | None = None
    target: str | None = None
    ok: bool = True


@dataclass(frozen=True)
class Skip:
    """A figure that cannot be measured here, and why."""

    name: str
    reason: str
