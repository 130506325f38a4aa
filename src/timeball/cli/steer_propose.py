"""`timeball steer propose`: the next steer from published values, as a dry run; or how the last one is taken back.

Sign: x is UTC(k) − UTC; rates are those of UTC(k) against its free scale. It moves nothing and records nothing.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timeball.cli.numbers import WHOLE_MJD
from timeball.cli.output import CommandError, format_table, print_json
from timeball.cli.steer_options import choice, law_options, read_points

if TYPE_CHECKING:
    from timeball.cli.steer_next import Next
    from timeball.steering.stepper import StepperCommand


@click.command("propose", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--steers", type=click.Path(path_type=Path), help="Steers so far: lines of MJD, change of rate and a remark."
)
@click.option("--at", "at_mjd", type=WHOLE_MJD, metavar="MJD", help="0 h of this day (default: all FILES are out).")
@click.option("--take-back", is_flag=True, help="Take the last steer back instead of asking the law.")
@law_options
def command(
    files: tuple[Path, ...],
    steers: Path | None,
    at_mjd: int | None,
    take_back: bool,
    confidence: float,
    drift: bool,
    lab: str | None,
    plot: Path | None,
    as_json: bool,
    **laws: Any,
) -> None:
    """Propose the next steer of UTC(k) from FILES of UTC − UTC(k), and say where it leads. Nothing is moved.

    FILES are Circular T, UTCr, or a series of UTCr; only what was out by then is looked at. The rate that follows is
    held by the largest change, the smallest step and the stepper's resolution.

    \b
    timeball steer propose cirt.456.txt --lab OP --law monthly
    timeball steer propose utcr.txt --lab AUS --steers steers.txt --law weekly --resolution 1e-16
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.cli.steer_next import look_ahead

    points, record = read_points(files, lab), _record(steers)
    options = choice(laws)
    if options.law == "none" and not take_back:
        raise CommandError("a proposal needs a law")
    assumed = "" if take_back else answered(options.law, {point.source for point in points})
    following = look_ahead(options, points, record, at_mjd, take_back, confidence, drifts=drift)
    if plot is not None:
        from timeball.cli.steer_plot import draw_next

        draw_next(following, plot)
    if as_json:
        law = "take back" if take_back else options.law
        print_json(
            {
                "law": law,
                "dry_run": True,
                "assumed": assumed or None,
                **following.to_json(),
                "plot": str(plot) if plot else None,
            }
        )
        return
    _print(following, confidence, assumed)
    if plot is not None:
        click.echo(f"\nDrawn: {plot}")


def answered(law: str, sources: Set[str]) -> str:
    """What a law that waits for UTCr has answered where the files have none; empty where they have."""
    from timeball.steering.bulletins import CIRCULAR_T, UTCR

    if law == "monthly" or UTCR in sources or CIRCULAR_T not in sources:
        return ""
    return f"The files hold {CIRCULAR_T} alone, and this law answers {UTCR}: it has taken the one for the other."


def _print(following: Next, confidence: float, assumed: str) -> None:
    from timeball.cli.steer_study import day_text

    click.echo(f"Proposal, nothing is moved: {following.why}.")
    if assumed:
        click.echo(assumed)
    if following.band is None:
        click.echo(f"No band: {following.no_band}.")
        return
    last = following.band
    click.echo(
        f"\nOn {day_text(following.mjds[-1])}, the last day of the next Circular T that it tells on, UTC(k) − UTC will "
        f"lie between {last.low_s[-1] * 1e9:+.1f} ns and {last.high_s[-1] * 1e9:+.1f} ns with probability "
        f"{confidence:.0%} if no other steer follows.\n"
    )
    assert following.without is not None
    columns = (last.x_s, last.low_s, last.high_s, following.without.x_s)
    rows = [[day_text(mjd), *(f"{column[i] * 1e9:+.2f}" for column in columns)] for i, mjd in enumerate(following.mjds)]
    click.echo(format_table(["UTC(k) − UTC at", "median (ns)", "from (ns)", "to (ns)", "without it (ns)"], rows))


def _record(path: Path | None) -> list[StepperCommand]:
    """Rates in force from a list of changes; raises ``CommandError``."""
    from timeball.cli.inputs import report_defects
    from timeball.formats import FormatError
    from timeball.formats.steers import read_steers
    from timeball.station.hosttime.leaps import load_leap_table
    from timeball.steering.stepper import StepperCommand

    if path is None:
        return []
    try:
        found, defects = read_steers(path.read_bytes(), str(path), load_leap_table())
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror}") from error
    except FormatError as error:
        raise CommandError(str(error)) from error
    report_defects(defects)
    rates = _running([steer.change for steer in found])
    return [StepperCommand(i + 1, steer.epoch, rate) for i, (steer, rate) in enumerate(zip(found, rates, strict=True))]


def _running(changes: Sequence[float]) -> list[float]:
    total, rates = 0.0, []
    for change in changes:
        total += change
        rates.append(total)
    return rates
