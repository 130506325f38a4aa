"""The bound: the greatest |UTC − served time| that the station answers for, and how it grows while nothing is measured.

A maximum, not a standard uncertainty: every standard uncertainty enters three times (k = 3), systematic parts enter
whole, and the parts are added, not squared, because a bound that is too wide is merely unflattering.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

COVERAGE = 3.0
HOST_WANDER = 1e-8
"""How far (s/s) a crystal's rate may wander from its fitted one in the minutes that a page lives unmeasured."""


@dataclass(frozen=True, slots=True)
class Bound:
    """`at_reference_s` (s) holds at the page's reference; `growth` (s/s) is added for each second after it."""

    at_reference_s: float
    growth: float


def served_bound(
    *, utck_minus_utc_s: float, u_utc_s: float, residual_s: float, u_host_s: float, u_host_rate: float, wander: float
) -> Bound:
    """The bound of served time.

    utck_minus_utc_s, u_utc_s: UTC(k) − UTC as estimated over the link, and its standard uncertainty (s);
    residual_s: the output against TA(k) + steers (s); u_host_s, u_host_rate: standard uncertainties of the host
    counter's line; wander: how much the output's rate may wander unseen (s/s). Anything unknown (NaN) makes the bound
    infinite.
    """
    parts = abs(utck_minus_utc_s) + COVERAGE * u_utc_s + abs(residual_s) + COVERAGE * u_host_s
    growth = COVERAGE * u_host_rate + HOST_WANDER + wander
    if math.isnan(parts) or math.isnan(growth):
        return Bound(math.inf, math.inf)
    return Bound(parts, growth)
