"""What an algorithm decided at each epoch and why: arrays for computing, words for people, a payload for the ledger.

Sign: x is clock minus scale; a prediction error is measured minus predicted. What it does not do: decide anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from timeball.ensemble import codes as k

FloatArray = npt.NDArray[np.float64]
VERSION = 1
FS_PER_S = 1e15

CODES = {
    k.OK: "ok",
    k.AT_CAP: "at cap",
    k.MISSING: "missing",
    k.LEARNING: "learning",
    k.REDUCED: "reduced",
    k.LEFT_OUT: "left out",
    k.PHASE_STEP: "phase step",
    k.CAME_BACK: "came back",
    k.RATE_STEP: "rate step",
    k.NOISE_STEP: "noise changed",
    k.NO_WEIGHT: "no weight",
    k.STARTING: "starting",
    k.JOINED: "joined",
    k.NO_SCALE: "no scale",
    k.BACK: "back",
    k.UNPROVEN: "unproven",
    k.SUSPENDED: "suspended",
    k.ABNORMAL: "abnormal",
    k.FIRST_WINDOWS: "first windows",
    k.CAME_IN: "came in",
}
ORDINARY = frozenset({k.OK, k.AT_CAP, k.NO_WEIGHT})
_ORDINARY = np.array([code in ORDINARY for code in range(max(CODES) + 1)], bool)


class Learning(Protocol):
    """What the sentences take from the rules: predictions to survive, errors after which noise is learned."""

    @property
    def min_epochs(self) -> int: ...  # noqa: D102
    @property
    def noise_epochs(self) -> int: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Steps:
    """The decisions of a batch: epochs int64[m] (ns of TAI), `clocks` in the order of their names, arrays [m, n].

    x: clock minus scale (s), NaN where there is none. y: rate after the epoch. weight: the weight used, sum 1.
    error: prediction error (s), NaN when none; sigma: what was expected of it (s). code: int8, see `CODES`.
    figure: the number that belongs to the code (epochs learned, sigmas of a reduced one, size of a step in s or of a
    rate step), else NaN. algorithm: the name in the ledger.
    """

    algorithm: str
    epochs: npt.NDArray[np.int64]
    clocks: tuple[str, ...]
    x: FloatArray
    y: FloatArray
    weight: FloatArray
    error: FloatArray
    sigma: FloatArray
    figure: FloatArray
    code: npt.NDArray[np.int8]
    parameters: Learning

    def state_word(self, i: int, j: int) -> str:
        """One or two words for what clock j was at epoch i."""
        return CODES[int(self.code[i, j])]

    def reason(self, i: int, j: int) -> str:
        """A sentence on what became of clock j at epoch i, with the figures that decided it."""
        return _WORDS[int(self.code[i, j])](self, i, j)

    def to_payload(self) -> dict[str, Any]:
        """The ledger's record of the batch: no floats; epochs in ns and phases in fs as decimal strings.

        `reasons` holds {epoch: {clock: words}} wherever something was out of the ordinary.
        """
        reasons: dict[str, dict[str, str]] = {}
        for i, j in np.argwhere(~_ORDINARY[self.code]).tolist():
            reasons.setdefault(str(int(self.epochs[i])), {})[self.clocks[j]] = self.reason(i, j)
        return {
            "algorithm": self.algorithm,
            "version": VERSION,
            "clocks": list(self.clocks),
            "epochs": [str(epoch) for epoch in self.epochs.tolist()],
            "x_fs": femtosecond_rows(self.x),
            "weights": [[repr(value) for value in row] for row in self.weight.tolist()],
            "errors_fs": femtosecond_rows(self.error),
            "codes": self.code.tolist(),
            "reasons": reasons,
        }


def femtoseconds(value_s: float) -> str | None:
    """A time as a decimal string of whole fs, None for NaN."""
    return str(round(value_s * FS_PER_S)) if math.isfinite(value_s) else None


def femtosecond_rows(values_s: FloatArray) -> list[list[str | None]]:
    """`femtoseconds` of float64[m, n], row by row."""
    fs = np.rint(values_s * FS_PER_S)
    if not (np.abs(fs) < 2.0**62).all():
        return [[femtoseconds(value) for value in row] for row in values_s.tolist()]
    return [[str(value) for value in row] for row in fs.astype(np.int64).tolist()]


def si_time(value_s: float) -> str:
    """A time for a sentence: 4.7e-9 → `4.7 ns`."""
    for unit_s, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"), (1e-12, "ps")):
        if abs(value_s) >= unit_s * 0.9995:
            return f"{value_s / unit_s:.3g} {unit}"
    return f"{value_s / 1e-15:.3g} fs"


def _ratio(steps: Steps, i: int, j: int, ratio: float | None = None) -> str:
    """The error and how many sigma it is: of what was expected of the clock with the weight it got, or as given."""
    error, sigma = float(steps.error[i, j]), float(steps.sigma[i, j])
    if ratio is None:
        ratio = abs(error) / sigma if sigma > 0 else math.inf
    digits = 1 if ratio < 100 else 0
    return f"prediction error {si_time(error)} is {ratio:.{digits}f} sigma"


_WEIGHED_BY = {"ALGOS": "how well its rates were foretold", "Kalman": "its noise"}


def ordinary_words(algorithm: str, code: int, weight: float) -> str:
    """Why a clock has the weight it has when nothing was out of the ordinary (`ORDINARY`), by an algorithm's name."""
    if code == k.AT_CAP:
        return f"weight at the cap of {weight:.2f}"
    if code == k.NO_WEIGHT:
        return "no weight by configuration"
    return f"weight {weight:.3f} from {_WEIGHED_BY.get(algorithm, 'its prediction errors')}"


def _in_use(steps: Steps, i: int, j: int) -> str:
    return ordinary_words(steps.algorithm, int(steps.code[i, j]), float(steps.weight[i, j]))


def _missing(_steps: Steps, _i: int, _j: int) -> str:
    return "missing"


def _learning(steps: Steps, i: int, j: int) -> str:
    return f"learning: {steps.figure[i, j]:.0f} of {steps.parameters.min_epochs} epochs"


def _reduced(steps: Steps, i: int, j: int) -> str:
    # the ratio that decided, before the weight was changed by it
    return f"{_ratio(steps, i, j, float(steps.figure[i, j]))}: weight reduced to {steps.weight[i, j]:.3f}"


def _left_out(steps: Steps, i: int, j: int) -> str:
    return f"{_ratio(steps, i, j)}: left out this epoch"


def _phase_step(steps: Steps, i: int, j: int) -> str:
    return f"phase step of {si_time(float(steps.figure[i, j]))}: absorbed, the scale did not follow"


def _came_back(steps: Steps, i: int, j: int) -> str:
    return f"{_ratio(steps, i, j)}: back from an outlier, left out once more"


def _rate_step(steps: Steps, i: int, j: int) -> str:
    return f"rate step of {steps.figure[i, j]:.2g}: rate learned anew"


def _noise_step(steps: Steps, _i: int, _j: int) -> str:
    return f"{steps.parameters.noise_epochs} errors in a row beyond the limit: noise learned anew"


def _starting(steps: Steps, i: int, j: int) -> str:
    learned = steps.figure[i, j]
    count = 0 if math.isnan(learned) else int(learned)
    so_far = f"{count} of {steps.parameters.min_epochs} epochs learned"
    return f"starting: no clock has learned yet ({so_far}), weight {steps.weight[i, j]:.3f} for now"


def _joined(_steps: Steps, _i: int, _j: int) -> str:
    return "joined: first reading, phase taken"


def _no_scale(_steps: Steps, _i: int, _j: int) -> str:
    return "no scale: no clock that carries it was measured"


def _back(steps: Steps, i: int, j: int) -> str:
    return f"{_ratio(steps, i, j)}: back where it was predicted, what was left out before was an outlier"


def _unproven(steps: Steps, i: int, j: int) -> str:
    return f"weight 0: judged by {steps.figure[i, j]:.0f} of {steps.parameters.min_epochs} windows"


def _suspended(_steps: Steps, _i: int, _j: int) -> str:
    return "weight 0 until the window ends: its rate or its noise changed in it"


def _abnormal(_steps: Steps, _i: int, _j: int) -> str:
    return "weight 0 in this window: its rate is abnormally far from what the windows before foretold"


def _came_in(steps: Steps, i: int, j: int) -> str:
    return f"back after {steps.figure[i, j]:.3g} s: phase taken, weight 0 at this epoch"


def _first_windows(steps: Steps, i: int, j: int) -> str:
    judged = f"{steps.figure[i, j]:.0f} of {steps.parameters.min_epochs} windows"
    return f"starting: no clock present has been judged by enough windows ({judged}), weight {steps.weight[i, j]:.3f}"


_WORDS = {
    k.OK: _in_use,
    k.AT_CAP: _in_use,
    k.MISSING: _missing,
    k.LEARNING: _learning,
    k.REDUCED: _reduced,
    k.LEFT_OUT: _left_out,
    k.PHASE_STEP: _phase_step,
    k.CAME_BACK: _came_back,
    k.RATE_STEP: _rate_step,
    k.NOISE_STEP: _noise_step,
    k.NO_WEIGHT: _in_use,
    k.STARTING: _starting,
    k.JOINED: _joined,
    k.NO_SCALE: _no_scale,
    k.BACK: _back,
    k.UNPROVEN: _unproven,
    k.SUSPENDED: _suspended,
    k.ABNORMAL: _abnormal,
    k.FIRST_WINDOWS: _first_windows,
    k.CAME_IN: _came_in,
}
