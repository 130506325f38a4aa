"""The servo of a PTP clock: it is stepped once, at most, and then corrected in rate within a limit. Pure.

Signs: `offset_s` = true − clock; a positive rate makes the clock faster. The first offset is stepped when it is beyond
`step_s`. The next two give the clock's own rate (the step does not enter: a card lands some µs beside it). From then on
rate = integral + Kp·offset/interval; the loop's poles, the zeros of z² − (2 − Kp − Ki) z + 1 − Kp, are real, 0.87 and
0.69, so it does not ring. Nothing steps it again: a later offset, however large, is slewed. While time is withdrawn the
clock runs on by the integral alone: what was learned of its rate.
"""

from __future__ import annotations

from dataclasses import dataclass

KP = 0.4
KI = KP * KP / 4
S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Correction:
    """What to do to the clock: a step (s; 0: none), and the rate to run with from now on."""

    step_s: float
    rate: float


class Servo:
    """For one clock, whose correction in force is `rate`. Limits as in the settings; `interval_s` between two turns."""

    def __init__(self, step_s: float, max_rate: float, interval_s: float, rate: float = 0.0) -> None:
        self._step_s = step_s
        self._max_rate = max_rate
        self._interval_s = interval_s
        self._integral = self._limited(rate)
        self._may_step = True
        self._began: tuple[int, float] | None = None
        self._rate_known = False

    @property
    def settled(self) -> bool:
        """Whether it has begun to follow: the clock's rate is known."""
        return self._rate_known

    def correct(self, offset_s: float, raw_ns: int) -> Correction:
        """The correction for an offset measured at RAW `raw_ns`."""
        if self._may_step and abs(offset_s) > self._step_s:
            self._may_step = False
            return Correction(offset_s, self._integral)
        self._may_step = False
        if self._began is None:
            self._began = (raw_ns, offset_s)
            return Correction(0.0, self._integral)
        if not self._rate_known:
            return self._learn(offset_s, raw_ns, *self._began)
        gain = offset_s / self._interval_s
        integral = self._integral + KI * gain
        rate = integral + KP * gain
        if abs(rate) <= self._max_rate:  # at the limit the integral would only wind up
            self._integral = integral
        return Correction(0.0, self._limited(rate))

    def hold(self) -> float:
        """The rate to run on with while nobody says what time it is."""
        return self._integral

    def _learn(self, offset_s: float, raw_ns: int, began_ns: int, began_offset_s: float) -> Correction:
        elapsed_s = (raw_ns - began_ns) / S
        if elapsed_s > 0:
            self._integral = self._limited(self._integral + (offset_s - began_offset_s) / elapsed_s)
            self._rate_known = True
        return Correction(0.0, self._limited(self._integral + KP * offset_s / self._interval_s))

    def _limited(self, rate: float) -> float:
        return max(-self._max_rate, min(self._max_rate, rate))
