"""What `timeball steer propose` computes: the proposal, and where UTC(k) will be with it and without.

Sign: x is UTC(k) − UTC (s); rates are those of UTC(k) against its free scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from timeball.cli.output import CommandError
from timeball.cli.steer_options import U_CIRCULAR_T_S, Choice
from timeball.ensemble.noise import ClockNoise
from timeball.steering.bulletins import (
    CIRCULAR_T,
    UTCR,
    PublicationCalendar,
    PublishedPoint,
    day_start,
    known_points,
    mjd_at,
)
from timeball.steering.decide import History, RollBackError, propose, roll_back
from timeball.steering.offset import OffsetUnknown
from timeball.steering.prediction import Band, PredictionError, predict_band
from timeball.steering.stepper import StepperCommand, commanded_phases
from timeball.steering.view import view_of

# Of the values a year back, those older than this are taken five days apart: they tell of the rate, not of today.
FINE_DAYS, PAST_DAYS, COARSE = 40, 365, 5
# The last day of a Circular T is a month and a half old when the next one comes; beyond two months one is missing.
STALE_DAYS = 62
TYPICAL = ClockNoise(wfm=3e-13, ffm=1e-15, rwfm=1e-18)


@dataclass(frozen=True, slots=True, eq=False)
class Next:
    """A proposal with its outlook: the same with and without it; band is None when the past is too short for one."""

    now: int
    known: int
    x_s: float
    y: float
    rate_now: float
    rate: float
    limited: bool
    held: bool
    why: str
    past: list[PublishedPoint]
    published: int
    mjds: tuple[int, ...]
    band: Band | None
    without: Band | None
    no_band: str = ""

    def to_json(self) -> dict[str, Any]:
        """SI units, epochs as decimal strings."""
        head = {"now_tai_ns": str(self.now), "known": self.known, "x_s": self.x_s, "y": self.y}
        steer = {"rate_now": self.rate_now, "rate": self.rate, "change": self.rate - self.rate_now}
        words = {"limited": self.limited, "held": self.held, "why": self.why}
        rows = [] if self.band is None or self.without is None else [
            {"mjd": mjd, "median_s": x, "low_s": low, "high_s": high, "unsteered_s": free}
            for mjd, x, low, high, free in zip(
                self.mjds,
                self.band.x_s.tolist(),
                self.band.low_s.tolist(),
                self.band.high_s.tolist(),
                self.without.x_s.tolist(),
                strict=True,
            )
        ]  # fmt: skip
        return {**head, **steer, **words, "published_tai_ns": str(self.published), "bands": rows}


def look_ahead(
    options: Choice,
    points: Sequence[PublishedPoint],
    record: Sequence[StepperCommand],
    at_mjd: int | None,
    take_back: bool,
    confidence: float,
    *,
    drifts: bool = False,
) -> Next:
    """Propose at 0 h of a day (default: the day after the last publication), and predict; raises ``CommandError``.

    drifts: whether the band allows for a constant drift of the free scale.
    """
    if not points:
        raise CommandError("no published value can be used")
    now = day_start(at_mjd if at_mjd is not None else mjd_at(max(point.published for point in points)) + 1)
    known = _thinned(known_points(points, now), now)
    if known and not take_back and mjd_at(now) - mjd_at(max(point.epoch for point in known)) > STALE_DAYS:
        raise CommandError(_stale(known, now))
    steers = [command for command in record if command.epoch <= now]
    bands = _Bands(known, steers, now, confidence, drifts)
    rate_now = steers[-1].rate if steers else 0.0
    if take_back:
        try:
            command, why = roll_back(steers, steers[-1].id if steers else 0, now)
        except RollBackError as error:
            raise CommandError(str(error)) from error
        view = view_of(points, steers, now)
        x_s = float(view.x[-1, 0]) if view.x.size else float("nan")
        answer = (x_s, float("nan"), command.rate, False, False, why)
    else:
        law = options.law_for(bands.noise)
        assert law is not None
        envelope, minimum = options.limits()
        try:
            said = propose(law, History(points, steers), now, envelope, minimum=minimum)
        except OffsetUnknown as error:
            raise CommandError(f"{error}{_elsewhere(options.law, points)}") from error
        answer = (said.x_s, said.y, said.rate, said.limited, said.held, said.why)
    x_s, y, rate, limited, held, why = answer
    ahead = [*steers, StepperCommand(steers[-1].id + 1 if steers else 1, now, rate)]
    band, without, no_band = bands.of(ahead), bands.without, bands.trouble
    return Next(
        now,
        len(known),
        x_s,
        y,
        rate_now,
        rate,
        limited,
        held,
        why,
        known,
        bands.published,
        bands.mjds,
        band,
        without,
        no_band,
    )


def _elsewhere(law: str, points: Sequence[PublishedPoint]) -> str:
    """That a law on Circular T has none to answer; empty when it has. Laws on UTCr take Circular T as well."""
    if law != "monthly" or any(point.source == CIRCULAR_T for point in points):
        return ""
    return f"; the law monthly answers {CIRCULAR_T}, and the files hold {UTCR} alone"


def _stale(known: Sequence[PublishedPoint], now: int) -> str:
    newest = mjd_at(max(point.epoch for point in known))
    return (
        f"the newest value is of MJD {newest}, {mjd_at(now) - newest} days before MJD {mjd_at(now)}: "
        f"no steer is proposed from values older than {STALE_DAYS} days"
    )


class _Bands:
    """The band of the next Circular T that a steer tells on, from one past."""

    def __init__(
        self, known: list[PublishedPoint], steers: Sequence[StepperCommand], now: int, confidence: float, drifts: bool
    ) -> None:
        calendar = PublicationCalendar()
        self.published, mjds = calendar.next_circular_t(now - 1)
        while day_start(mjds[-1]) <= now:
            # a steer tells only on days still to come
            self.published, mjds = calendar.next_circular_t(self.published)
        self.mjds, self.steers, self.trouble = tuple(mjds), steers, ""
        self.at = np.array([day_start(mjd) for mjd in mjds], dtype=np.int64)
        try:
            self.without: Band | None = predict_band(
                np.array([point.epoch for point in known], dtype=np.int64),
                np.array([point.x_s for point in known]),
                self.at,
                u_s=np.array([point.u_s for point in known]),
                u_at_s=U_CIRCULAR_T_S,
                confidence=confidence,
                drifts=drifts,
                steers=steers,
            )
        except PredictionError as error:
            self.without, self.trouble = None, str(error)

    def of(self, steers: Sequence[StepperCommand]) -> Band | None:
        """The band if these steers follow instead: the free scale is the same, and steers are known exactly."""
        if self.without is None:
            return None
        more = commanded_phases(steers, self.at) - commanded_phases(self.steers, self.at)
        x_s, low_s, high_s = (getattr(self.without, name) + more for name in ("x_s", "low_s", "high_s"))
        return self.without._replace(x_s=x_s, low_s=low_s, high_s=high_s)

    @property
    def noise(self) -> ClockNoise:
        """What the past says of the free scale, or something typical where it says nothing."""
        return TYPICAL if self.without is None else self.without.noise


def _thinned(known: list[PublishedPoint], now: int) -> list[PublishedPoint]:
    """A year of points, the older ones of a daily series five days apart."""
    last = mjd_at(known[-1].epoch) if known else mjd_at(now)
    kept = []
    for point in known:
        age = last - mjd_at(point.epoch)
        if age <= FINE_DAYS or (age <= PAST_DAYS and mjd_at(point.epoch) % COARSE == COARSE - 1):
            kept.append(point)
    return kept
