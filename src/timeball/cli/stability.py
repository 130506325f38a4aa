"""`timeball stability`: deviations of phase or frequency records in files, with the limits of each value.

It parses its arguments, calls the room `stability`, and prints: `measured.py` reads the records, `deviation_report.py`
tells the result, `deviation_plot.py` draws it, `dynamic_report.py` does both for windows that move.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import click

from timeball.cli.measured import POSITIVE, Choices, Measured, chosen_factors, measured_records, record_options
from timeball.cli.numbers import FiniteRange
from timeball.cli.output import print_documents
from timeball.cli.plotting import PLOT
from timeball.cli.progress import progress_bar

if TYPE_CHECKING:
    from timeball.cli.deviation_report import Report
    from timeball.stability import Deviation

# Names that people have in their fingers, and the one that the room has.
ALIASES = {"mtot": "mtotdev", "ttot": "ttotdev", "htot": "htotdev", "tot": "totdev", "tierms": "tierms"}
NOISES = {"wpm": 2, "fpm": 1, "wfm": 0, "ffm": -1, "rwfm": -2, "fwfm": -3, "rrfm": -4}
CONFIDENCE = FiniteRange(min=0.0, max=1.0, min_open=True, max_open=True)


class WithOptionalValue(click.Command):
    """A command whose `--ci` may stand alone: the number after it is its value, a file after it is a file."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give a lone --ci the value that it stands for."""
        whole = [
            f"{each}={ONE_SIGMA}" if each == "--ci" and not _is_number(args[k + 1 : k + 2]) else each
            for k, each in enumerate(args)
        ]
        return super().parse_args(ctx, whole)


ONE_SIGMA = 0.683


def _is_number(following: list[str]) -> bool:
    try:
        float(following[0])
    except (IndexError, ValueError):
        return False
    return True


@click.command(cls=WithOptionalValue, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--type", "types", default="oadev", show_default=True, metavar="KEY,KEY,...", help="Deviations, of those above."
)
@click.option(
    "--tau",
    default="octave",
    show_default=True,
    metavar="octave|decade|all|S,S,...",
    help="Averaging times: a spacing, or times in seconds (multiples of the interval).",
)
@click.option(
    "--ci",
    "confidence",
    type=CONFIDENCE,
    metavar="[P]",
    help=f"Limits of each value at this confidence, alone {ONE_SIGMA}.",
)
@click.option("--noise", type=click.Choice(list(NOISES)), help="The noise, where it is known (else it is identified).")
@click.option("--raw", is_flag=True, help="Leave the bias in total and Theo1 deviations (else it is removed).")
@click.option(
    "--dynamic", "window_s", type=POSITIVE, metavar="S", help="Of windows this long that move along the record."
)
@record_options
@click.option("--mask", "masks", multiple=True, metavar="NAME", help="Draw this mask with tdev or mtie (repeatable).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object, or a list when there are several.")
@click.option("--plot", type=PLOT, help="Draw to a file (.png, .svg, .pdf).")
def command(
    files: tuple[Path, ...],
    types: str,
    tau: str,
    confidence: float | None,
    noise: str | None,
    raw: bool,
    window_s: float | None,
    masks: tuple[str, ...],
    as_json: bool,
    plot: Path | None,
    **reading: object,
) -> None:
    """Compute deviations of the records in FILES: any format that is read, gz or not.

    Types: adev oadev mdev tdev hdev ohdev totdev mtotdev ttotdev htotdev theo1 theobr theoh pdev tierms mtie. A bad
    line is told and left out. A missing value takes with it the terms that touch it; n counts those used.

    \b
    timeball stability maser.txt --type oadev,mdev --ci 0.95 --plot maser.png
    timeball stability counter.txt --nominal 1e7 --recipe outliers:5,drift --json
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.cli.deviation_report import as_text, reports_of
    from timeball.stability.masks import find_mask

    deviations = _deviations(types)
    drawn_masks = [find_mask(name) for name in masks]
    choices = Choices(**reading)  # type: ignore[arg-type]
    records = list(measured_records(files, choices))
    if window_s is not None:
        _dynamic(records, deviations, tau, window_s, as_json, plot)
        return
    alpha = None if noise is None else NOISES[noise]
    # bars are drawn whether or not they are asked for in the table
    wanted = confidence if confidence is not None else (ONE_SIGMA if plot is not None else None)
    reports: list[Report] = []
    with progress_bar("deviations") as tell:
        for record, deviation in product(records, deviations):
            factors = chosen_factors(tau, record.grid.tau0_s, deviation.tau_ratio)
            reports.append(reports_of(record, deviation, factors, wanted, alpha, raw=raw))
            if tell is not None:
                tell(len(reports), len(records) * len(deviations))
    shown = reports if confidence is not None else [report.without_limits() for report in reports]
    if as_json:
        print_documents([report.as_json() for report in shown])
    else:
        click.echo("\n\n".join(as_text(report) for report in shown))
    if plot is not None:
        from timeball.cli.deviation_plot import write_plot

        write_plot(reports, plot, drawn_masks)
        click.echo(f"plot written to {plot}", err=True)


def _deviations(types: str) -> list[Deviation]:
    from timeball.stability import DEVIATIONS

    keys = [ALIASES.get(each.strip().lower(), each.strip().lower()) for each in types.split(",")]
    unknown = [key for key in keys if key not in DEVIATIONS]
    if unknown:
        raise click.BadParameter(f"no deviation {unknown[0]!r}: {', '.join(DEVIATIONS)}", param_hint="--type")
    return [DEVIATIONS[key] for key in dict.fromkeys(keys)]


def _dynamic(
    records: list[Measured], deviations: list[Deviation], tau: str, window_s: float, as_json: bool, plot: Path | None
) -> None:
    from timeball.cli.dynamic_report import as_table, moving_report, write_moving_plot

    if len(deviations) != 1:
        raise click.UsageError("--dynamic is of one --type")
    found = [moving_report(record, deviations[0], tau, window_s) for record in records]
    if as_json:
        print_documents([each.as_json() for each in found])
    else:
        click.echo("\n\n".join(as_table(each) for each in found))
    if plot is not None:
        write_moving_plot(found, plot)
        click.echo(f"plot written to {plot}", err=True)
