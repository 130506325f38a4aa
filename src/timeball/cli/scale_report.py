"""What `timeball scale` finds out: weights, states and the stability of each clock against the scale without it.

Sign: phases are clock minus scale (s). It computes and words; it reads no files and prints nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from timeball.ensemble import codes
from timeball.ensemble.algorithms import Algorithm, algorithm
from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.scale import ScaleRun, grid_phases, leave_one_out
from timeball.ensemble.steps import Steps
from timeball.readings import PhaseTable
from timeball.stability import StabilityError, oadev

FloatArray = npt.NDArray[np.float64]
FITTED_ANEW = 16
"""Up to so many clocks the rules are fitted anew without the one that is judged; of more, one makes no difference."""


@dataclass(frozen=True, eq=False)
class ClockReport:
    """One clock: mean weight, state and reason at its last epoch, deviations [(tau_s, sigma)], phases [m] (s)."""

    name: str
    weight: float
    state: str
    why: str
    oadev: list[tuple[float, float]]
    left_out: int
    x: FloatArray


@dataclass(frozen=True, eq=False)
class ScaleReport:
    """The scale of a record: `clocks` in the order of the table, `rejections` [(epoch ns, clock, state, why)]."""

    epochs: npt.NDArray[np.int64]
    interval_s: float
    span_s: float
    reference: str
    run: ScaleRun
    clocks: list[ClockReport]
    rejections: list[tuple[int, str, str, str]]

    @property
    def algorithm(self) -> str:
        """The name of the algorithm, as entries and people say it."""
        return self.run.steps.algorithm

    def by_weight(self) -> list[ClockReport]:
        """The clocks, the heaviest first; of equal ones the first by name."""
        return sorted(self.clocks, key=lambda clock: (-clock.weight, clock.name))

    def to_json(self) -> dict[str, Any]:
        """The report for `--json`: SI units, epochs in ns of TAI as strings."""
        return {
            "algorithm": self.algorithm,
            "reference": self.reference,
            "epochs": len(self.epochs),
            "first_tai_ns": str(int(self.epochs[0])),
            "last_tai_ns": str(int(self.epochs[-1])),
            "span_s": self.span_s,
            "interval_s": self.interval_s,
            "parameters": msgspec.to_builtins(self.run.parameters),
            "clocks": [_clock_json(clock) for clock in self.clocks],
            "rejections": [
                {"tai_ns": str(epoch), "clock": clock, "state": state, "why": why}
                for epoch, clock, state, why in self.rejections
            ],
        }


def make_report(table: PhaseTable, key: str = "at1", tell: Callable[[int, int], None] | None = None) -> ScaleReport:
    """Compute the scale of a table by the algorithm of a key and judge every clock against the scale without it.

    tell: called with (done, total) after each clock judged.
    Raises ``EnsembleError`` for fewer than two clocks or three epochs.
    """
    measured = np.isfinite(table.x).any(axis=0)
    if int(measured.sum()) < 2:
        raise EnsembleError(f"a scale needs at least two clocks with readings, here are {int(measured.sum())}")
    chosen = algorithm(key)
    run = chosen.run(table, None)
    interval_s = float(np.median(np.diff(table.epochs))) / 1e9
    clocks = []
    for done, name in enumerate(table.clocks, start=1):
        clocks.append(_judge(table, run, name, interval_s, chosen))
        if tell is not None:
            tell(done, len(table.clocks))
    span_s = float(table.epochs[-1] - table.epochs[0]) / 1e9
    return ScaleReport(table.epochs, interval_s, span_s, table.reference, run, clocks, _rejections(run.steps))


def _judge(table: PhaseTable, run: ScaleRun, name: str, interval_s: float, chosen: Algorithm) -> ClockReport:
    steps, last = run.steps, len(run.steps.epochs) - 1
    j = steps.clocks.index(name)
    left_out = int(np.isin(steps.code[:, j], codes.NOT_COUNTED).sum())
    rules = None if len(table.clocks) <= FITTED_ANEW else run.parameters
    phases = leave_one_out(table, name, lambda others: chosen.run(others, rules))
    return ClockReport(
        name=name,
        weight=run.weights[name],
        state=steps.state_word(last, j),
        why=_why(steps, j, last, left_out),
        oadev=deviations(steps.epochs, phases, interval_s),
        left_out=left_out,
        x=steps.x[:, j],
    )


def deviations(epochs: npt.NDArray[np.int64], x: FloatArray, interval_s: float) -> list[tuple[float, float]]:
    """Overlapping Allan deviations [(tau_s, sigma)] at octaves of the interval; empty when there is too little."""
    try:
        found = oadev(grid_phases(epochs, x, interval_s), interval_s)
    except StabilityError:
        return []
    pairs = zip(found.tau_s.tolist(), found.sigma.tolist(), strict=True)
    return [(tau_s, sigma) for tau_s, sigma in pairs if np.isfinite(sigma)]


def detrend(epochs: npt.NDArray[np.int64], x: FloatArray) -> FloatArray:
    """Phases without their mean offset and rate (straight line of least squares), NaN kept."""
    known = np.isfinite(x)
    if int(known.sum()) < 2:
        return np.full(x.shape, np.nan)
    t = (epochs - epochs[0]) / 1e9
    t = (t - t[known].mean()) / max(float(np.ptp(t[known])), 1.0)
    level = x[known].mean()
    slope = float((t[known] * (x[known] - level)).sum() / (t[known] * t[known]).sum())
    residual: FloatArray = x - level - slope * t
    return residual


def _why(steps: Steps, j: int, last: int, left_out: int) -> str:
    """The reason at the last epoch, and how often the clock was left out before."""
    counted = {
        "phase steps": int((steps.code[:, j] == codes.PHASE_STEP).sum()),
        "rate steps": int((steps.code[:, j] == codes.RATE_STEP).sum()),
    }
    history = [f"left out at {left_out} of {last + 1} epochs"] if left_out else []
    history += [f"{count} {what if count > 1 else what[:-1]}" for what, count in counted.items() if count]
    return "; ".join([steps.reason(last, j), *history])


def _rejections(steps: Steps) -> list[tuple[int, str, str, str]]:
    return [
        (int(steps.epochs[i]), steps.clocks[j], steps.state_word(i, j), steps.reason(i, j))
        for i, j in np.argwhere(np.isin(steps.code, codes.REJECTIONS)).tolist()
    ]


def _clock_json(clock: ClockReport) -> dict[str, Any]:
    return {
        "name": clock.name,
        "weight": clock.weight,
        "state": clock.state,
        "why": clock.why,
        "left_out": clock.left_out,
        "oadev": [{"tau_s": tau_s, "sigma": sigma} for tau_s, sigma in clock.oadev],
    }
