"""Clock models: how much each of the five power-law noises, and drift, contribute to a clock's Allan deviation.

Every coefficient is the ADEV that this noise alone gives at τ = 1 s; `drift` is in 1/s. Levels by noise (IEEE Std 1139;
NIST SP 1065, section 3), with f_h the bandwidth of the measurement:

    white PM        wpm² / τ²
    flicker PM      fpm² / τ² · (1.038 + 3 ln(2π f_h τ)) / (1.038 + 3 ln(2π f_h · 1 s))
    white FM        wfm² / τ
    flicker FM      ffm²
    random walk FM  rwfm² · τ
    drift           drift² · τ² / 2

f_h is 0.5 Hz for all models, 1/(2 τ0) of phase data taken each second. It does not follow the step of a simulation: a
simulation with a longer step is the same clock looked at less often. A model holds no state and no events, and the
floor a data sheet guarantees is an upper limit: many real clocks are better.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

BANDWIDTH_HZ = 0.5
DAY_S = 86_400.0
# 1.038 is 3 γ − ln 2, the constant of the flicker PM integral (NIST SP 1065, table 3, in one form or another).
FLICKER_PM_CONSTANT = 3.0 * 0.5772156649015329 - math.log(2.0)


class ClockModel(msgspec.Struct, frozen=True):
    """Noise levels of one kind of clock: ADEV at 1 s by white PM, flicker PM, white FM, flicker FM, random walk FM."""

    name: str
    wpm: float = 0.0
    fpm: float = 0.0
    wfm: float = 0.0
    ffm: float = 0.0
    rwfm: float = 0.0
    drift: float = 0.0

    def theory_adev(self, tau_s: ArrayLike) -> NDArray[np.float64]:
        """ADEV at τ (s): the root of the sum of the squares of its parts, drift included.

        The flicker PM part holds for τ ≥ 1 s (2π f_h τ ≫ 1).
        """
        tau = np.asarray(tau_s, dtype=np.float64)
        variance = (
            (self.wpm**2 + self.fpm**2 * _flicker_pm(tau) / _flicker_pm(np.float64(1.0))) / tau**2
            + self.wfm**2 / tau
            + self.ffm**2
            + self.rwfm**2 * tau
            + self.drift**2 * tau**2 / 2.0
        )
        return np.asarray(np.sqrt(variance), dtype=np.float64)


def _flicker_pm(tau_s: NDArray[np.float64] | np.float64) -> NDArray[np.float64] | np.float64:
    return FLICKER_PM_CONSTANT + 3.0 * np.log(2.0 * math.pi * BANDWIDTH_HZ * tau_s)


# Data sheet figures are marked [D], figures typical of the kind [T]. Caesium tubes average white FM from about 10 s on;
# below, the quartz oscillator in the instrument is quieter than the model (data sheet: 1.2e-11 and 5e-12 at 1 s).
MODELS: dict[str, ClockModel] = {
    model.name: model
    for model in (
        # [D] 2.7e-12 at 100 s, 2.7e-13 at 10 000 s, floor 5e-14; [T] random walk.
        ClockModel("5071A", wfm=2.7e-11, ffm=5e-14, rwfm=1e-17),
        # [D] 8.5e-13 at 100 s, 8.5e-14 at 10 000 s, floor 1e-14; [T] random walk.
        ClockModel("5071A-high-performance", wfm=8.5e-12, ffm=1e-14, rwfm=3e-18),
        # [D] some 1.5e-13 at 1 s, 2e-14 at 10 s, 5e-15 at 100 s, 2e-15 at 1000 s; [T] flicker, random walk, drift.
        ClockModel("active-maser", wpm=1.2e-13, fpm=3e-14, wfm=4e-14, ffm=7e-16, rwfm=5e-19, drift=2e-16 / DAY_S),
        # [D] 8e-13 at 1 s, floor 3e-15 at a day; [T] random walk, drift.
        ClockModel("passive-maser", wpm=2e-13, wfm=8e-13, ffm=3e-15, rwfm=3e-18, drift=5e-16 / DAY_S),
        # [D] 1e-11 at 1 s, 1e-12 at 100 s, ageing below 5e-11 a month; [T] floor, random walk.
        ClockModel("rubidium", wpm=5e-12, wfm=9e-12, ffm=5e-13, rwfm=3e-16, drift=1.5e-12 / DAY_S),
        # [D] 1e-12 at 1 s, ageing 1e-10 a day; [T] how it divides into noises.
        ClockModel("ocxo", wpm=3e-13, fpm=3e-13, wfm=3e-13, ffm=8e-13, rwfm=2e-14, drift=1e-10 / DAY_S),
    )
}
