"""What a loop is told at its start, int64[SETTINGS], by place; made from the configuration in loopsettings().

Plain numbers, so that the compiled loop and numpy's read the same.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from timeball.protocols.ntp.kiss import LARGEST_POLL
from timeball.station.configuration.serving import NTP

# PRECISION log2 of the counter's resolution in seconds. WORKER the loop's number, STAMP_MASK the lowest bits of a
# receive stamp in which it stands. WILDCARD 4 or 6 where replies must be told which address to leave from, else 0.
# TELL: refusals are told by a kiss. LEAST_POLL log2 s of a kiss RATE. KEYS, NTS_BY_HAND: what is left to Python.
(
    PRECISION,
    WORKER,
    STAMP_MASK,
    WILDCARD,
    SMEARED,
    SMEAR_SHAPE,
    SMEAR_NS,
    TELL,
    LEAST_POLL,
    KEPT_STAMPS,
    VERSION5,
    KEYS,
    NTS_BY_HAND,
) = range(13)
SETTINGS = 13
SHAPES = ("linear", "cosine")


def loop_settings(ntp: NTP, precision: int) -> NDArray[np.int64]:
    """What all loops have in common; each then gets its own WORKER, WILDCARD and SMEARED."""
    settings = np.zeros(SETTINGS, np.int64)
    settings[PRECISION] = precision
    settings[SMEAR_SHAPE] = SHAPES.index(ntp.smear)
    settings[SMEAR_NS] = round(ntp.smear_s * 1e9)
    settings[TELL] = ntp.refusal == "kiss"
    settings[LEAST_POLL] = least_poll(ntp)
    settings[KEPT_STAMPS] = ntp.interleaved
    settings[VERSION5] = ntp.version5
    settings[KEYS] = ntp.keys != ""
    return settings


def least_poll(ntp: NTP) -> int:
    """The shortest poll exponent that stays within both limits, from 0 to the largest that packets carry."""
    rates = [rate for rate in (ntp.source_rate, ntp.prefix_rate) if rate > 0]
    return min(max([0, *(math.ceil(-math.log2(rate)) for rate in rates)]), LARGEST_POLL)
