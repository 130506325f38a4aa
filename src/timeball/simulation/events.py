"""Things that happen to a simulated clock at a known epoch: steps of phase and of rate, the ground truth of a test.

Sign convention: a positive step moves the clock ahead of, or lets it gain on, ideal time.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

NS_PER_S = 1e9


class ClockEvent(msgspec.Struct, frozen=True):
    """A step of a clock: `epoch` in TAI ns, `phase_step_s` in s, `rate_step` dimensionless; both last from then on."""

    epoch: int
    phase_step_s: float = 0.0
    rate_step: float = 0.0


def events_phase(events: Sequence[ClockEvent], epochs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Phase (s, float64[n]) that the events have added at each epoch."""
    phase = np.zeros(epochs.shape)
    for event in events:
        since_s = (epochs - np.int64(event.epoch)) / NS_PER_S
        phase += np.where(since_s >= 0.0, event.phase_step_s + event.rate_step * since_s, 0.0)
    return phase
