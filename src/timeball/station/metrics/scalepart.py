"""Metrics of the clocks, the scale and the output: weights, phases, prediction errors, states, steering.

x is clock minus TA(k), an error measured minus predicted, a residual output minus TA(k) + steers.
"""

from __future__ import annotations

from collections.abc import Iterator

from timeball.station.metrics.metric import Sample, gauge
from timeball.station.reporting.statusparts import LAMPS
from timeball.station.reporting.view import View

WEIGHT = gauge("timeball_clock_weight_ratio", "Weight in the scale at its newest epoch", "clock", "kind")
OFFSET = gauge("timeball_clock_offset_seconds", "Phase against TA(k) at the newest epoch", "clock", "kind")
RATE = gauge("timeball_clock_rate_ratio", "Fractional frequency against TA(k)", "clock", "kind")
ERROR = gauge("timeball_clock_residual_seconds", "Prediction error, measured minus predicted", "clock", "kind")
STATE = gauge("timeball_clock_state", "1 for the state that a clock is in", "clock", "kind", "state")
SCALE_AGE = gauge("timeball_scale_age_seconds", "Age of the newest epoch of TA(k), by served time", "algorithm")
RESIDUAL = gauge("timeball_output_residual_seconds", "Output minus (TA(k) + steers) at the newest epoch")
RESIDUAL_LIMIT = gauge("timeball_output_residual_limit_seconds", "Greatest residual for which the lease is renewed")
UTCK = gauge("timeball_utck_minus_utc_seconds", "UTC(k) - UTC as estimated over the link")
UTCK_U = gauge("timeball_utck_minus_utc_uncertainty_seconds", "Its standard uncertainty (k = 1)")
STEER = gauge("timeball_steer_rate_ratio", "Rate of UTC(k) against TA(k) that was ordered last")

METRICS = (WEIGHT, OFFSET, RATE, ERROR, STATE, SCALE_AGE, RESIDUAL, RESIDUAL_LIMIT, UTCK, UTCK_U, STEER)


def collect(view: View) -> Iterator[Sample]:
    """Every figure of this part."""
    for clock in view.status["clocks"]:
        name, kind = clock["name"], clock["kind"]
        yield from WEIGHT.at(clock["weight"], name, kind)
        yield from OFFSET.at(clock["x_s"], name, kind)
        yield from RATE.at(clock["y"], name, kind)
        yield from ERROR.at(clock["error_s"], name, kind)
        yield from STATE.states(LAMPS, clock["state"], name, kind)
    scale, output = view.status["scale"], view.status["output"]
    if scale["algorithm"] is not None:
        yield from SCALE_AGE.at(scale["age_s"], scale["algorithm"])
    yield from RESIDUAL.at(output["residual_s"])
    yield from RESIDUAL_LIMIT.at(output["limit_s"])
    yield from UTCK.at(output["utck_minus_utc_s"])
    yield from UTCK_U.at(output["u_s"])
    yield from STEER.at(output["steer_rate"])
