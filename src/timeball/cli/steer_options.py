"""What `steer simulate` and `steer propose` share: options of laws and limits, and series of published values.

Sign: x is UTC(k) − UTC; files hold UTC − UTC(k), as the bulletins do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from timeball.cli.numbers import FiniteRange
from timeball.cli.output import CommandError
from timeball.cli.plotting import PLOT

if TYPE_CHECKING:
    from timeball.ensemble.noise import ClockNoise
    from timeball.instants import LeapTable
    from timeball.steering.bulletins import PublishedPoint
    from timeball.steering.envelope import Envelope
    from timeball.steering.laws import Law
    from timeball.steering.minimum_step import MinimumStep

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
LAWS = ("weekly", "monthly", "pole", "lqg", "none")
# a paper scale may need any rate to begin with; what one steer may do is the limit that counts here
MAX_RATE = 1e-11
U_UTCR_S, U_CIRCULAR_T_S = 0.5e-9, 0.3e-9

POSITIVE = FiniteRange(min=0, min_open=True)
GAIN = FiniteRange(min=0, max=10)
_OPTIONS = (
    click.option(
        "--law", type=click.Choice(LAWS), default="weekly", show_default=True, help="How it is steered (none: not)."
    ),
    click.option("--gain-rate", type=GAIN, default=0.5, show_default=True, help="weekly: gain of the week's slope."),
    click.option("--gain-offset", type=GAIN, default=0.5, show_default=True, help="weekly: gain of the offset."),
    click.option(
        "--as-printed", is_flag=True, help="weekly, monthly: slope and offset as printed, own steers left in."
    ),
    click.option("--time-constant", type=POSITIVE, metavar="D", help="monthly, pole: days (default 45 and 20)."),
    click.option("--offset", type=POSITIVE, default=1.0, show_default=True, metavar="NS", help="lqg: offset (ns)…"),
    click.option("--change", type=POSITIVE, default=1e-15, show_default=True, help="lqg: … that weighs as this step."),
    click.option(
        "--max-change", type=POSITIVE, default=5e-15, show_default=True, help="Largest change of rate in one steer."
    ),
    click.option("--least-change", type=FiniteRange(min=0), default=0.0, help="A change below this is not ordered."),
    click.option(
        "--resolution", type=FiniteRange(min=0), default=0.0, help="Rates are multiples of this (the stepper's)."
    ),
    click.option(
        "--confidence",
        type=FiniteRange(min=0.5, max=0.99),
        default=0.95,
        show_default=True,
        help="Of the band.",
    ),
    click.option("--drift", is_flag=True, help="Let the band allow for a constant drift of the free scale."),
    click.option("--lab", metavar="K", help="Laboratory, where the files do not say or hold many."),
    click.option("--plot", type=PLOT, help="Draw it: .png, .svg or .pdf."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
)


class Choice(NamedTuple):
    """What the options of the laws say."""

    law: str
    gain_rate: float
    gain_offset: float
    as_printed: bool
    time_constant: float | None
    offset: float
    change: float
    max_change: float
    least_change: float
    resolution: float

    def law_for(self, noise: ClockNoise) -> Law | None:
        """The law; pole placement and LQG estimate with `noise`."""
        from timeball.steering.laws import MonthlyOnCircularT, OnEstimate, WeeklyOnUTCr
        from timeball.steering.lqg import LQG
        from timeball.steering.pole_placement import PolePlacement

        if self.law == "weekly":
            return WeeklyOnUTCr(gain_rate=self.gain_rate, gain_offset=self.gain_offset, carried=not self.as_printed)
        if self.law == "monthly":
            return MonthlyOnCircularT(time_constant_s=(self.time_constant or 45.0) * DAY_S, carried=not self.as_printed)
        if self.law == "pole":
            return OnEstimate(gains=PolePlacement(WEEK_S, (self.time_constant or 20.0) * DAY_S), noise=noise)
        if self.law == "lqg":
            return OnEstimate(gains=LQG(WEEK_S, self.offset * 1e-9, self.change), noise=noise)
        return None

    def limits(self) -> tuple[Envelope, MinimumStep]:
        """Envelope and smallest step."""
        from timeball.steering.envelope import Envelope
        from timeball.steering.minimum_step import MinimumStep

        envelope = Envelope(self.max_change, MAX_RATE, MAX_RATE * DAY_S)
        return envelope, MinimumStep(resolution=self.resolution, least_change=self.least_change)


def choice(options: dict[str, Any]) -> Choice:
    """Take the options of the laws out of click's."""
    return Choice(**{name: options.pop(name) for name in Choice._fields})


def law_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the shared options, in their order."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def read_points(files: Sequence[Path], lab: str | None) -> list[PublishedPoint]:
    """Published values of one laboratory from Circular T, UTCr, or series of UTCr; raises ``CommandError``."""
    from timeball.cli.inputs import report_defects
    from timeball.formats import FormatError
    from timeball.station.hosttime.leaps import load_leap_table

    leaps, points = load_leap_table(), []
    for path in files:
        try:
            found, defects = _points_of(path.read_bytes(), str(path), lab, leaps)
        except OSError as error:
            raise CommandError(f"{path}: cannot be read: {error.strerror}") from error
        except FormatError as error:
            raise CommandError(str(error)) from error
        report_defects(defects)
        points += found
    return points


def _points_of(data: bytes, name: str, lab: str | None, leaps: LeapTable) -> tuple[list[PublishedPoint], list[Any]]:
    from timeball.formats.circular_t import CircularT, is_circular_t, read_circular_t
    from timeball.formats.utcr import named_lab, read_utcr
    from timeball.readings.names import did_you_mean
    from timeball.steering.bulletins import CIRCULAR_T, UTCR, PublicationCalendar, PublishedPoint

    monthly = is_circular_t(data)
    named = lab or named_lab(data, name) or "LAB"
    bulletin = read_circular_t(data, name, leaps) if monthly else read_utcr(data, name, leaps, named)
    wanted = lab or (next(iter(bulletin.labs)) if len(bulletin.labs) == 1 else None)
    if wanted is None or wanted not in bulletin.labs:
        if wanted is None:
            raise CommandError(f"{name}: of many laboratories: say --lab K")
        raise CommandError(f"{name}: no values of {wanted}{did_you_mean(wanted, bulletin.labs)}")
    row, source = bulletin.labs[wanted], CIRCULAR_T if monthly else UTCR
    stated = row.u_a_s if row.u_a_s > 0.0 else (U_CIRCULAR_T_S if monthly else U_UTCR_S)
    rows = zip(bulletin.mjd, bulletin.epochs.tolist(), row.values_s.tolist(), strict=True)
    calendar = PublicationCalendar()
    known = bulletin.published_ns if isinstance(bulletin, CircularT) else 0
    points = [
        PublishedPoint(epoch, -value, stated, known or calendar.published(source, mjd), source)
        for mjd, epoch, value in rows
        if not math.isnan(value)
    ]
    return points, list(bulletin.defects)
