"""A PTP clock as an output: it follows TAI, corrected in rate by a servo (servo.py) and stepped once at most.

While sync may not be claimed it is not touched: it runs on with the rate that was learned, and the ptp4l that serves
from it is told so (ptp4l.py). A device that is not there is looked for again at every turn.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

from timeball.station.configuration.outputs import PHC, SIMULATED
from timeball.station.feeding.base import WIDEST_NS, outcome_of
from timeball.station.feeding.phcdevice import PHCDevice, PHCReading
from timeball.station.feeding.phcsimulated import SimulatedPHC
from timeball.station.feeding.ptp4l import Announcer, settings_of
from timeball.station.feeding.served import ClockView, Served
from timeball.station.feeding.servo import Servo
from timeball.station.hosttime import hostclocks
from timeball.station.page.feedpage import PTP_CLOCK, Outcome
from timeball.station.page.pagelayout import NO_TIMEKEEPER_PAGE
from timeball.station.paths import run_dir


class PTPClock(Protocol):
    """What is corrected: PHCDevice or SimulatedPHC."""

    @property
    def rate(self) -> float:
        """The correction in force."""

    @property
    def max_rate(self) -> float:
        """The greatest that it takes."""

    def read(self) -> PHCReading: ...  # noqa: D102

    def step(self, offset_s: float) -> None: ...  # noqa: D102

    def set_rate(self, rate: float) -> None: ...  # noqa: D102

    def close(self) -> None: ...  # noqa: D102


class PHCFeed:
    """Corrects one clock."""

    kind = PTP_CLOCK

    def __init__(self, settings: PHC, state: Path, index: int) -> None:
        self.name = f"PTP clock {settings.device}"
        self.every_s = settings.every_s
        self.steps = 0
        self._settings = settings
        self._state = state
        self._clock: PTPClock | None = None
        self._servo: Servo | None = None
        self._served = Served(NO_TIMEKEEPER_PAGE)
        own = run_dir(state) / f"ptp4l.{index}.sock"
        self._announcer = Announcer(settings.ptp4l, settings.domain, own) if settings.ptp4l else None

    @property
    def rate(self) -> float:
        """The correction in force."""
        return self._clock.rate if self._clock is not None else 0.0

    @property
    def clock_class(self) -> int:
        """What ptp4l has confirmed."""
        return self._announcer.clock_class if self._announcer is not None else 0

    def turn(self, view: ClockView) -> tuple[Outcome, Served, float | None]:
        """One correction; the offset is TAI − clock as it was measured before."""
        outcome, served, offset_s = self._correct(view)
        self._served = served
        if self._announcer is not None:
            follows = outcome is Outcome.GIVEN and self._follows(offset_s)
            self._announcer.tell(settings_of(served, abs(offset_s or 0.0) if follows else None))
        return outcome, served, offset_s

    def close(self) -> None:
        """Leave the clock with the rate that was learned, and the ptp4l with a clock that nobody vouches for."""
        if self._announcer is not None:
            self._announcer.tell(settings_of(replace(self._served, status=NO_TIMEKEEPER_PAGE), None))
            self._announcer.close()
        if self._clock is not None:
            self._hold()
        self._give_up()

    def _correct(self, view: ClockView) -> tuple[Outcome, Served, float | None]:
        try:
            reading = self._open().read()
        except OSError as error:
            self._give_up()
            return outcome_of(error), view.at(hostclocks.raw_ns()), None
        served = view.at(reading.raw_ns)
        if not served.in_sync:
            return self._held(Outcome.WITHHELD), served, None
        if reading.width_ns > WIDEST_NS:
            return self._held(Outcome.INTERRUPTED), served, None
        offset_s = served.tai_minus_s(reading.clock_ns)
        return self._apply(offset_s, reading.raw_ns), served, offset_s

    def _apply(self, offset_s: float, raw_ns: int) -> Outcome:
        clock, servo = self._open(), self._servo
        assert servo is not None
        correction = servo.correct(offset_s, raw_ns)
        try:
            if correction.step_s != 0:
                clock.step(correction.step_s)
                self.steps += 1
            clock.set_rate(correction.rate)
        except OSError as error:
            known = outcome_of(error)
            self._give_up()
            return Outcome.FAILED if known is Outcome.ABSENT else known
        return Outcome.GIVEN

    def _held(self, outcome: Outcome) -> Outcome:
        self._hold()
        return outcome

    def _hold(self) -> None:
        if self._clock is None or self._servo is None or self._clock.rate == self._servo.hold():
            return
        try:
            self._clock.set_rate(self._servo.hold())
        except OSError:
            self._give_up()

    def _follows(self, offset_s: float | None) -> bool:
        settled = self._servo is not None and self._servo.settled
        return settled and offset_s is not None and abs(offset_s) <= self._settings.step_s

    def _open(self) -> PTPClock:
        """The clock, opened when it was not; its servo begins with it: a card that came back may have lost its time."""
        if self._clock is None:
            device = self._settings.device
            name = device.removeprefix(SIMULATED)
            self._clock = PHCDevice(device) if name == device else SimulatedPHC(self._state, name)
            limit = min(self._settings.max_rate, self._clock.max_rate)
            self._servo = Servo(self._settings.step_s, limit, self.every_s, self._clock.rate)
        return self._clock

    def _give_up(self) -> None:
        if self._clock is not None:
            self._clock.close()
            self._clock = None
