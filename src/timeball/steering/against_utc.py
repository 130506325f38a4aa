"""A laboratory's record in Circular T: what it comes to, and where it will be at the next one.

Sign: values are UTC − UTC(k) as printed (s). The steps that notes name are those of UTC(k).

For rate, deviations and prediction a named step is taken out: what was before it is put where it would be had
UTC(k) always been as it is now. What it does not do: find steps that nobody named, or know future steers (the
prediction takes UTC(k) to go on as it has so far, steered or not).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from timeball.ensemble.noise import ClockNoise
from timeball.formats.bulletin import LabPoints
from timeball.formats.circular_t.notes import Step
from timeball.instants import DAY_NS
from timeball.readings import FloatArray, Readings
from timeball.stability import Deviations, oadev, on_grid
from timeball.steering.bulletins import GRID_DAYS, PublicationCalendar, date_of, mjd_at, month_grid
from timeball.steering.prediction import predict_band

DAY_S = 86_400.0
LEAST_FOR_DEVIATIONS = 3
PAST_POINTS = 73  # a year on the 5-day grid; what is older says little of the next month, and costs its cube
LONGEST_BETWEEN_NS = 2 * DAY_NS  # readings beside a bulletin are interpolated over no longer gap


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """A record in figures: mean, rms and largest of the values as printed (s), of the last u_a_s and u_s.

    rate: of UTC(k) − UTC, by least squares with steps taken out, dimensionless. deviations: OADEV of the same on the
    5-day grid, None for fewer than three points.
    """

    mean_s: float
    rms_s: float
    largest_s: float
    rate: float
    deviations: Deviations | None


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """UTC − UTC(k) on the dates of the next Circular T, about ``published`` (ns of TAI): medians and a band, in s.

    mjd: the dates; epochs: int64[m], ns of TAI; value_s: medians; u_s: half of what holds 68.3 %; low_s to high_s
    holds ``confidence``. noise: what the past suggests of the clock's.
    """

    published: int
    mjd: tuple[int, ...]
    epochs: npt.NDArray[np.int64]
    value_s: FloatArray
    u_s: FloatArray
    low_s: FloatArray
    high_s: FloatArray
    confidence: float
    noise: ClockNoise


def without_steps(points: LabPoints, steps: Sequence[Step]) -> FloatArray:
    """Give UTC(k) − UTC in s, the steps of this laboratory taken out of what was before them."""
    x_s = -points.values_s
    for step in steps:
        if step.lab == points.lab:
            x_s = x_s + np.where(points.epochs < step.epoch, step.step_s, 0.0)
    return x_s


def summary(points: LabPoints, steps: Sequence[Step] = ()) -> Summary:
    """Sum up a record of at least one point."""
    values_s, x_s = points.values_s, without_steps(points, steps)
    days = np.array([mjd_at(epoch) for epoch in points.epochs.tolist()], dtype=np.float64)
    return Summary(
        float(np.mean(values_s)),
        float(np.sqrt(np.mean(values_s**2))),
        float(np.max(np.abs(values_s))),
        float(np.polyfit((days - days[0]) * DAY_S, x_s, 1)[0]) if len(days) > 1 else float("nan"),
        _deviations(days, x_s),
    )


def _deviations(days: FloatArray, x_s: FloatArray) -> Deviations | None:
    if len(days) < LEAST_FOR_DEVIATIONS:
        return None
    step = GRID_DAYS if np.all((days - days[0]) % GRID_DAYS == 0) else float(np.min(np.diff(days)))
    grid = on_grid((days * DAY_NS).astype(np.int64), x_s, step * DAY_S)
    return oadev(grid.values, grid.tau0_s, "octave")


def next_dates(last_mjd: int) -> list[int]:
    """Give the MJDs of the Circular T that follows one whose last date is ``last_mjd``, the common date left out."""
    following = date_of(last_mjd + GRID_DAYS)
    return [mjd for mjd in month_grid(following.year, following.month) if mjd > last_mjd]


def outlook(
    points: LabPoints,
    steps: Sequence[Step] = (),
    *,
    confidence: float = 0.95,
    drifts: bool = False,
    calendar: PublicationCalendar | None = None,
) -> Outlook:
    """Predict UTC − UTC(k) on the dates of the next Circular T; the band allows for what the past does not tell.

    Of the past the newest year on the dates of Circular T is used. Raises ``PredictionError`` for fewer than six
    points.
    """
    points = _newest_year(points)
    days = next_dates(mjd_at(int(points.epochs[-1])))
    at = points.epochs[-1] + (np.array(days, dtype=np.int64) - mjd_at(int(points.epochs[-1]))) * DAY_NS
    known = bool(np.all(np.isfinite(points.u_a_s)))
    band = predict_band(
        points.epochs,
        without_steps(points, steps),
        at,
        u_s=points.u_a_s if known else None,
        u_at_s=float(points.u_a_s[-1]) if known else 0.0,
        confidence=confidence,
        drifts=drifts,
    )
    published = (calendar or PublicationCalendar()).circular_t_published(days[-1])
    return Outlook(
        published, tuple(days), band.epochs, -band.x_s, band.u_s, -band.high_s, -band.low_s, confidence, band.noise
    )


def _newest_year(points: LabPoints) -> LabPoints:
    """Keep the dates of Circular T where there are enough of them, and a year of points."""
    grid = np.array([mjd_at(epoch) % GRID_DAYS == GRID_DAYS - 1 for epoch in points.epochs.tolist()])
    chosen = np.flatnonzero(grid if int(grid.sum()) > PAST_POINTS // 2 else np.ones(grid.size, dtype=np.bool_))
    kept = chosen[-PAST_POINTS:]
    return LabPoints(points.lab, points.epochs[kept], points.values_s[kept], points.u_a_s[kept], points.u_s[kept])


def beside(points: LabPoints, readings: Readings) -> dict[str, LabPoints]:
    """Give UTC − X on the dates of a record for every X that the readings compare with UTC(k).

    X is a scale or clock of the laboratory, or UTCr; readings are interpolated between two that are at most two days
    apart. Where the readings do not name UTC(k), the second of their only pair stands for it. Dates without a reading
    nearby are left out, and so is an X without any.
    """
    found: dict[str, LabPoints] = {}
    for name, (epochs, x_s) in _against(readings, f"UTC({points.lab})").items():
        nearby = _interpolated(epochs, x_s, points.epochs)
        kept = np.isfinite(nearby)
        if kept.any():
            values_s = (points.values_s - nearby)[kept]
            found[name] = LabPoints(name, points.epochs[kept], values_s, points.u_a_s[kept], points.u_s[kept])
    return found


def _against(readings: Readings, utck: str) -> dict[str, tuple[npt.NDArray[np.int64], FloatArray]]:
    """Give X − UTC(k) by name of X, in order of time."""
    pairs = sorted(set(zip(readings.a.tolist(), readings.b.tolist(), strict=True)))
    if utck not in readings.clocks and len(pairs) != 1:
        return {}
    result = {}
    for a, b in pairs:
        turned = readings.clocks[a] == utck
        if not turned and readings.clocks[b] != utck and utck in readings.clocks:
            continue
        rows = np.flatnonzero((readings.a == a) & (readings.b == b) & np.isfinite(readings.x))
        rows = rows[np.argsort(readings.epoch[rows], kind="stable")]
        x_s = -readings.x[rows] if turned else readings.x[rows]
        result[readings.clocks[b if turned else a]] = (readings.epoch[rows], x_s)
    return result


def _interpolated(epochs: npt.NDArray[np.int64], x_s: FloatArray, at: npt.NDArray[np.int64]) -> FloatArray:
    """Interpolate linearly between the readings around each epoch; NaN where there are none or they are far apart."""
    if not epochs.size:
        return np.full(at.size, np.nan)
    after = np.clip(np.searchsorted(epochs, at, side="left"), 0, epochs.size - 1)
    before = np.clip(np.searchsorted(epochs, at, side="right") - 1, 0, epochs.size - 1)
    gap = (epochs[after] - epochs[before]).astype(np.float64)
    inside = (epochs[before] <= at) & (at <= epochs[after]) & (gap <= LONGEST_BETWEEN_NS)
    share = np.divide(at - epochs[before], gap, out=np.zeros(at.size), where=gap > 0)
    return np.where(inside, x_s[before] + share * (x_s[after] - x_s[before]), np.nan)
