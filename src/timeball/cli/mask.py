"""`timeball mask`: MTIE and TDEV of records against the limits that ITU-T sets for primary clocks.

It parses its arguments, calls `stability.masks`, and prints; `mask_report.py` tells and draws.
"""

from __future__ import annotations

from pathlib import Path

import click

from timeball.cli.measured import Choices, measured_records, record_options
from timeball.cli.output import ExitCode, print_documents
from timeball.cli.plotting import PLOT


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--mask",
    "names",
    multiple=True,
    required=True,
    metavar="NAME",
    help="Which of those above (repeatable).",
)
@click.option("--time-error", is_flag=True, help="Zero of the record is the standard's: judge max|TE|, too.")
@record_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object, or a list when there are several.")
@click.option("--plot", type=PLOT, help="Draw to a file (.png, .svg, .pdf).")
def command(
    files: tuple[Path, ...],
    names: tuple[str, ...],
    time_error: bool,
    as_json: bool,
    plot: Path | None,
    **reading: object,
) -> int:
    """Judge MTIE and TDEV of the records in FILES: PASS, FAIL, or too short to say. Exit code 3 when one fails.

    Masks: g811 (PRC), prtc-a, prtc-b (G.8272), eprtc (G.8272.1), eprc (G.811.1).

    \b
    timeball mask pps.txt --unit ns --mask prtc-b --plot pps.png
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.cli.mask_report import as_text, judge_record, write_plot
    from timeball.stability.masks import find_mask

    masks = [find_mask(name) for name in names]
    records = measured_records(files, Choices(**reading))  # type: ignore[arg-type]
    reports = [judge_record(record, mask, time_error=time_error) for record in records for mask in masks]
    if as_json:
        print_documents([report.as_json() for report in reports])
    else:
        click.echo("\n\n".join(as_text(report) for report in reports))
    if plot is not None:
        write_plot(reports, plot)
        click.echo(f"plot written to {plot}", err=True)
    return ExitCode.OUT_OF_LIMITS if any(report.verdict == "FAIL" for report in reports) else ExitCode.FINE
