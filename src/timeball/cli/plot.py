"""`timeball plot`: phase and frequency of records in files, drawn over one time axis.

It parses its arguments and calls: `measured.py` reads the records, `stability.views` makes what is drawn of them,
`record_report.py` tells it, `record_plot.py` draws it.
"""

from __future__ import annotations

from pathlib import Path

import click

from timeball.cli.measured import POSITIVE, Choices, measured_records, record_options, short_names
from timeball.cli.output import print_documents
from timeball.cli.plotting import PLOT


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=PLOT, required=True, help="File to draw to (.png, .svg, .pdf).")
@click.option(
    "--show",
    type=click.Choice(["phase", "frequency", "both"]),
    default="both",
    show_default=True,
    help="What is drawn.",
)
@click.option("--average", "average_s", type=POSITIVE, metavar="S", help="Frequency over this time (else each).")
@click.option("--from-start", is_flag=True, help="Each record from its own first value, not by date.")
@record_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object, or a list when there are several.")
def command(
    files: tuple[Path, ...],
    output: Path,
    show: str,
    average_s: float | None,
    from_start: bool,
    as_json: bool,
    **reading: object,
) -> None:
    """Draw phase and frequency of the records in FILES, one curve each: any format that is read, gz or not.

    A gap stays a gap. Take a straight line off the phase with --recipe rate, a parabola with --recipe drift.

    \b
    timeball plot maser.txt --recipe rate -o maser.png
    timeball plot hm1.dat hm2.dat --show frequency --average 3600 -o masers.svg
    """  # noqa: D301 (click's mark of a block that is not rewrapped)
    from timeball.cli.record_plot import write_plot
    from timeball.cli.record_report import views_of

    records = list(measured_records(files, Choices(**reading)))  # type: ignore[arg-type]
    views = [
        views_of(record, name, show, average_s) for record, name in zip(records, short_names(records), strict=True)
    ]
    write_plot(views, output, from_start=from_start)
    if as_json:
        print_documents([each.as_json() for each in views])
    else:
        click.echo("\n".join(each.sentence() for each in views))
    click.echo(f"plot written to {output}", err=True)
