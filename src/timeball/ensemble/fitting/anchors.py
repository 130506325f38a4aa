"""Which clocks may be taken to have no drift: the caesium beams, told by their noise, whose drift does not show.

Only differences of drifts are seen. What all clocks share is known as well as some of them are known to have none, and
these anchor the drift of the scale. A maser always drifts, and one that is taken for driftless because its drift
happens to be small pulls the whole scale along, because it is so quiet. White FM tells it from a caesium beam, at
whatever averaging time: some 1e-12 at 1 s and less of a maser, 4e-12 and more of a beam (data sheets,
`simulation.models`). Where a laboratory has no beam, the clocks whose own noise would hide any drift serve.

A rubidium cell is as noisy as a beam; its drift shows within months. When it does not, the cell's random walk is so
great that nobody follows it.

Sign: drifts are in 1/s against any mean of the clocks; the median takes its place. What it does not do: estimate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from timeball.ensemble.noise import ClockNoise

PART = 12.0  # a month of a year: the longest averaging time at which a record still says something of a clock
BEAM_WFM = 2e-12  # ADEV at 1 s; between the noisiest masers and the best caesium beams
SIGNIFICANT = 3.0
COVERAGE = 2.0
PULL = 0.5
OF_NORMAL = 1.4826  # σ over the median absolute deviation
OF_MEDIAN = 1.2533  # uncertainty of a median over that of a mean


def driftless(
    noise: Mapping[str, ClockNoise], drift: Mapping[str, float], u_drift: Mapping[str, float], span_s: float
) -> frozenset[str]:
    """The clocks that may anchor the drift of a scale; at least one.

    drift, u_drift: 1/s, of the clocks of `noise`; span_s: length of the record they come from. A clock qualifies when
    its white FM is that of a beam and its drift is within 3 u of the median of all. When none does, a clock qualifies
    when its drift against the median, with twice its uncertainty, adds less to its Allan deviation at a twelfth of the
    record (drift · τ/√2) than its noise does, and when it is not much quieter than most that do; or the one that comes
    nearest.
    """
    names = list(noise)
    d = np.array([drift[name] for name in names])
    apart = np.abs(d - float(np.median(d)))
    u_middle = OF_MEDIAN * OF_NORMAL * float(np.median(apart)) / math.sqrt(len(names))
    u = np.hypot(np.array([u_drift[name] for name in names]), u_middle)
    white = np.array([noise[name].wfm for name in names])
    anchors = (white >= BEAM_WFM) & (apart <= SIGNIFICANT * u)
    if not anchors.any():
        tau_s = span_s / PART
        own = np.array([math.sqrt(noise[name].avar(tau_s)) for name in names])
        ratio = (apart + COVERAGE * u) * (tau_s / math.sqrt(2.0)) / np.maximum(own, 1e-300)
        anchors = ratio <= max(1.0, float(ratio.min()))
        # the quietest pull hardest, and of their drift the least is known: they are not needed where others will do
        anchors &= own >= PULL * float(np.median(own[anchors]))
    return frozenset(name for name, each in zip(names, anchors.tolist(), strict=True) if each)
