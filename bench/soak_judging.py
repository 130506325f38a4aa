"""What a soak is judged by: is a series flat, once it has warmed up; and the plot of it. Pure but for the plot's file.

The first quarter is the warm-up. What follows is flat when the median of its last third lies within an allowance of the
median of its first third: a leak of any rate shows when the soak is long enough, and a single jump does not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

WARM_UP = 0.25
LEAST_POINTS = 12
MEMORY_SHARE, MEMORY_BYTES = 0.02, 2e6
DESCRIPTORS = 2.0
OFFSET_S = 20e-6
"""The quickest of several exchanges over loopback is good to a few µs; a drift adds up over a day."""


@dataclass(frozen=True)
class Line:
    """One line of the verdict: medians of the first and the last third after the warm-up, and what is allowed."""

    name: str
    ok: bool
    first: float
    last: float
    allowed: float
    unit: str
    sentence: str


def flat(name: str, values: Sequence[float], allowed: float, unit: str, grows_only: bool = True) -> Line:
    """Whether a series does not grow (or, with `grows_only` off, does not move) by more than `allowed`."""
    known = [value for value in values if math.isfinite(value)]
    if len(known) < LEAST_POINTS:
        return Line(name, False, math.nan, math.nan, allowed, unit, f"{len(known)} points are too few to judge")
    kept = known[int(WARM_UP * len(known)) :]
    third = len(kept) // 3
    first, last = median(kept[:third]), median(kept[-third:])
    moved = last - first if grows_only else abs(last - first)
    words = "flat" if moved <= allowed else "it grows" if grows_only else "it moves"
    return Line(name, moved <= allowed, first, last, allowed, unit, words)


def slope(hours: Sequence[float], values: Sequence[float]) -> float:
    """The straight line of least squares through the points: its slope a unit of `hours`; NaN for less than two."""
    if len(hours) < 2:
        return math.nan
    middle, level = sum(hours) / len(hours), sum(values) / len(values)
    spread = sum((hour - middle) ** 2 for hour in hours)
    moved = sum((hour - middle) * (value - level) for hour, value in zip(hours, values, strict=True))
    return moved / spread if spread > 0 else math.nan


def memory(name: str, values: Sequence[float]) -> Line:
    """Resident memory of one process (bytes)."""
    most = max((value for value in values if math.isfinite(value)), default=0.0)
    return flat(f"memory of {name}", values, MEMORY_BYTES + MEMORY_SHARE * most, "B")


def descriptors(name: str, values: Sequence[float]) -> Line:
    """Open files and sockets of one process."""
    return flat(f"descriptors of {name}", values, DESCRIPTORS, "")


def served(values: Sequence[float]) -> Line:
    """Served time minus the clock page (s): it may be off by the way, it may not move."""
    return flat("served time against the page", values, OFFSET_S, "s", grows_only=False)


def answered(name: str, asked: int, answers: int, least: float) -> Line:
    """Whether enough of what was asked was answered well."""
    share = answers / asked if asked else 0.0
    words = f"{answers} of {asked} answered well"
    return Line(f"answers to {name}", share >= least, share, share, least, "ratio", words)


def still_there(name: str, values: Sequence[float]) -> Line:
    """Whether a process was there at every sample, to the last."""
    missing = sum(not math.isfinite(value) for value in values)
    words = "it ran all the time" if missing == 0 else f"it did not run at {missing} of {len(values)} samples"
    return Line(f"process {name}", missing == 0, 0.0, float(missing), 0.0, "", words)


def none_of(name: str, count: int) -> Line:
    """Whether something that must not happen has not."""
    return Line(name, count == 0, 0.0, float(count), 0.0, "", "none" if count == 0 else f"{count} times")


def draw(file: Path, hours: Sequence[float], series: Mapping[str, Mapping[str, Sequence[float]]], words: str) -> None:
    """Three plots one below the other: memory (MB), descriptors, offset (µs), against time (h)."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    units = {"memory": ("memory / MB", 1e-6), "descriptors": ("open files", 1.0), "offset": ("served - page / µs", 1e6)}
    figure, axes = pyplot.subplots(len(units), 1, figsize=(9, 9), sharex=True, layout="constrained")
    for axis, (kind, (label, scale)) in zip(axes, units.items(), strict=True):
        for name, values in series[kind].items():
            axis.plot(hours, [scale * value for value in values], linewidth=0.9, label=name)
        axis.set_ylabel(label)
        axis.grid(visible=True, color="#e3e8ed")
        if len(series[kind]) > 1:
            axis.legend(fontsize="x-small", ncols=2)
    axes[-1].set_xlabel("time / h")
    figure.suptitle(words, fontsize="medium")
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
