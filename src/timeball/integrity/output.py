"""Does the output show TA(k) + steers? Timekeeper and observer ask the same question, each of its own readings.

The residual is x_OUT − s: the output against TA(k) by several clocks, minus what the steers explain. Pure; who reads
what, and what follows from a disagreement, is the station's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class OutputUnknown(ValueError):
    """Nothing to compare the output with."""


@dataclass(frozen=True, slots=True)
class ScalePoint:
    """One clock against TA(k) at the newest recorded epoch: phase (s), rate, weight."""

    x_s: float
    y: float
    weight: float


def output_residual(
    output_minus_clock_s: Mapping[str, float], scale: Mapping[str, ScalePoint], elapsed_s: float, steers_s: float
) -> float:
    """Output − (TA(k) + steers) in seconds, from the output's own comparisons.

    output_minus_clock_s: x_OUT − x_i (s) of each clock read; scale: each clock at the newest epoch of TA(k), carried
    forward by `elapsed_s` with its rate; steers_s: s at this moment. Clocks count with their weights; where none of
    those read has weight, all count alike. Raises `OutputUnknown` when no clock of the scale was read.
    """
    known = {name: scale[name] for name in output_minus_clock_s if name in scale}
    if not known:
        raise OutputUnknown("no clock of the scale was read against the output")
    weights = {name: point.weight for name, point in known.items()}
    if sum(weights.values()) <= 0:
        weights = dict.fromkeys(known, 1.0)
    x_output = sum(
        weights[name] * (output_minus_clock_s[name] + point.x_s + point.y * elapsed_s) for name, point in known.items()
    ) / sum(weights.values())
    return x_output - steers_s


def judge_residual(residual_s: float, limit_s: float) -> str:
    """Nothing when within the limit, else the finding in words."""
    if abs(residual_s) <= limit_s:
        return ""
    return f"the output is {residual_s * 1e9:.2f} ns from TA(k) + steers, more than the limit of {limit_s * 1e9:.2f} ns"
