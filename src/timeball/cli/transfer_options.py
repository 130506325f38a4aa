"""What the links of `timeball transfer` share: options for tracks, for smoothing, and for what is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timeball.cli.numbers import FiniteRange
from timeball.cli.output import CommandError
from timeball.cli.plotting import PLOT

if TYPE_CHECKING:
    from timeball.transfer import Limits

NS = 1e-9
HOUR_S = 3600.0
WORDS = {"common-view": "common view", "all-in-view": "all in view", "two-way": "two-way"}
POSITIVE = FiniteRange(min=0, min_open=True)
NOT_NEGATIVE = FiniteRange(min=0)
FILE = click.Path(path_type=Path, dir_okay=False)

_LIMITS = (
    click.option("--elevation", type=FiniteRange(0, 90), default=10.0, show_default=True, help="Lowest, in degrees."),
    click.option("--max-dsg", type=POSITIVE, default=20.0, show_default=True, help="Largest DSG of a track, in ns."),
    click.option("--min-track", type=NOT_NEGATIVE, default=750.0, show_default=True, help="Shortest track, in s."),
    click.option("--max-slope", type=POSITIVE, default=1000.0, show_default=True, help="Largest |SRSYS|, in ps/s."),
    click.option("--codes", metavar="L3P,L3E,…", help="Only these codes (default: one a system, L3… first)."),
    click.option(
        "--ionosphere", type=click.Choice(["filed", "measured"]), default="filed", show_default=True,
        help="As filed, or MSIO in place of MDIO.",
    ),
    click.option("--calibration", type=FILE, help="TOML table of delays with dates and uncertainties."),
)  # fmt: skip
_TRACKS = (
    click.option("--systems", metavar="G,E,…", help="Only these satellite systems, by letter (default: all)."),
    click.option(
        "--weights", type=click.Choice(["elevation", "dsg", "equal"]), default="elevation", show_default=True,
        help="Of the tracks.",
    ),
)  # fmt: skip
_SHARED = (
    click.option("--names", metavar="A,B", help="Names of the two clocks (default: REF of the headers)."),
    click.option(
        "--sigmas", type=NOT_NEGATIVE, default=5.0, show_default=True, help="An outlier is further off (0: none is)."
    ),
    click.option("--smooth", type=click.Choice(["kalman", "vondrak"]), help="Smooth the link (default: not)."),
    click.option(
        "--cutoff",
        type=POSITIVE,
        default=24.0,
        show_default=True,
        metavar="H",
        help="vondrak: period halved, in hours.",
    ),
    click.option("--every", type=POSITIVE, metavar="S", help="Smoothed at multiples of this from 0h UTC, in s."),
    click.option("--at", type=FILE, help="Smoothed at the epochs of these readings."),
    click.option("--out", type=FILE, help="Write the link as readings, .tfex in the BIPM's format."),
    click.option("--plot", type=PLOT, help="Draw link, residuals and sky to a .png, .svg or .pdf."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
)


def limit_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which tracks count, and with which delays."""
    return _with(_LIMITS, function)


def track_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add these and the options that say how tracks are put together."""
    return _with(_LIMITS, _with(_TRACKS, function))


def link_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every link has."""
    return _with(_SHARED, function)


def _with(options: Sequence[Callable[..., Any]], function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to become of a link: smoothing, and where it goes."""

    smooth: str | None
    cutoff: float
    every: float | None
    at: Path | None
    out: Path | None
    plot: Path | None
    as_json: bool

    @classmethod
    def of(cls, options: dict[str, Any]) -> Wanted:
        """Take them out of a command's options. Raises ``UsageError`` for those that exclude each other."""
        wanted = cls(**{name: options.pop(name) for name in cls.__slots__})
        if wanted.every is not None and wanted.at is not None:
            raise click.UsageError("--every and --at name two sets of epochs: choose one")
        return wanted

    @property
    def method(self) -> str | None:
        """The smoothing: other epochs need one, and get the Kalman smoother when none is named."""
        return self.smooth or ("kalman" if self.every is not None or self.at is not None else None)


def limits_of(options: dict[str, Any]) -> Limits:
    """Take the limits out of a command's options."""
    from timeball.transfer import Limits

    return Limits(
        elevation_deg=options.pop("elevation"),
        dsg_s=options.pop("max_dsg") * NS,
        track_s=options.pop("min_track"),
        srsys=options.pop("max_slope") * 1e-12,
        systems=listed(options.pop("systems")),
        codes=listed(options.pop("codes")),
    )


def listed(text: str | None) -> tuple[str, ...]:
    """Split a list at its commas."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def names_of(text: str | None) -> tuple[str | None, str | None]:
    """Read `--names A,B`. Raises ``CommandError``."""
    if text is None:
        return None, None
    names = listed(text)
    if len(names) != 2 or names[0] == names[1] or any(len(name.split()) != 1 for name in names):
        raise CommandError("--names takes two different names without blanks, joined by a comma")
    return names[0], names[1]
