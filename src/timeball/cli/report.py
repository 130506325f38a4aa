"""`timeball report`: a laboratory's daily, weekly or monthly report, from its ledger or from files.

It parses its arguments, calls the room `station.bulletin`, and prints. `report_sources.py` holds what is read.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timeball.cli.output import CommandError, format_table, print_json
from timeball.cli.progress import progress_bar

if TYPE_CHECKING:
    from timeball.instants import LeapTable
    from timeball.station.bulletin.contents import Report
    from timeball.station.bulletin.period import Period
    from timeball.station.bulletin.record import Record

ALGORITHMS = ("at1", "algos", "kalman")
KINDS = ("daily", "weekly", "monthly")
A_FILE = click.Path(path_type=Path, dir_okay=False)
SUFFIXES = (".html", ".pdf")


@click.command("report", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--period", type=click.Choice(KINDS), default="monthly", show_default=True, help="How long it covers.")
@click.option("--date", "day", metavar="DATE", help="A day (YYYY-MM-DD) of the period [default: the last one covered].")
@click.option("--output", multiple=True, type=A_FILE, help="Write it: .html or .pdf (repeatable).")
@click.option("--laboratory", metavar="K", help="k of UTC(k), as in Circular T [default: the ledger's own].")
@click.option("--circular-t", multiple=True, type=A_FILE, help="A Circular T to take UTC − UTC(k) from (repeatable).")
@click.option("--utcr", multiple=True, type=A_FILE, help="A file of UTCr, the same way (repeatable).")
@click.option("--clocks", metavar="A,B,…", help="Files: only these clocks.")
@click.option("--algorithm", type=click.Choice(ALGORITHMS), default="at1", show_default=True, help="Files: of TA(k).")
@click.option("--utck", metavar="NAME", help="Files: the column that is UTC(k); it carries no weight.")
@click.option("--steers", type=A_FILE, help="Files: a list of frequency steers (MJD, change of rate, remark).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    sources: tuple[Path, ...], period: str, day: str | None, output: tuple[Path, ...], as_json: bool, **options: Any
) -> None:
    """Write the report of a laboratory from SOURCES: the state folder of a station, or files of clock comparisons.

    In it: UTC − UTC(k) with Circular T, UTCr and the laboratory's own link drawn apart, a bulletin, the clocks with
    their weights over time and their stability, the frequency steers and the anomalies. From a ledger nothing is
    computed again: the numbers are those that were recorded and signed.

    \b
    timeball report lab-state --period weekly --output week.html --output week.pdf
    timeball report november.clk --laboratory OP --circular-t cirt.467.txt --output november.html
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.cli.report_sources import read_record, unused
    from timeball.station.bulletin.contents import make_contents
    from timeball.station.hosttime.leaps import load_leap_table

    for path in output:
        if path.suffix.lower() not in SUFFIXES:
            raise click.BadParameter(f"{path}: a report is written as .html or .pdf", param_hint="--output")
    leaps = load_leap_table()
    record, files = read_record(sources, leaps, **options)
    chosen = _period(record, period, day, leaps)
    with progress_bar("each clock against the others") as tell:
        report = make_contents(record, chosen, tell)
    left = unused(files, record.laboratory, chosen.begins, chosen.ends)
    for path in output:
        _write(report, path)
    if as_json:
        print_json({**report.to_json(), "unused": left, "written": [str(path) for path in output]})
    else:
        _print(report, output)
    for sentence in left:
        click.echo(f"not used: {sentence}", err=True)


def _period(record: Record, kind: str, day: str | None, leaps: LeapTable) -> Period:
    from timeball.instants.scalars import day_number
    from timeball.station.bulletin.period import newest_period, period_of

    if day is None:
        return newest_period(kind, int(record.epochs[0]), int(record.epochs[-1]), leaps)
    try:
        asked = date.fromisoformat(day)
    except ValueError as error:
        raise click.BadParameter(f"{day!r} is no day like 2026-11-22", param_hint="--date") from error
    return period_of(kind, day_number(asked.year, asked.month, asked.day), leaps)


def _write(report: Report, path: Path) -> None:
    from timeball import __version__
    from timeball.station.bulletin.page import render_page
    from timeball.station.bulletin.sheets import write_sheets

    made = f"Made {datetime.now(UTC):%Y-%m-%d} by Timeball {__version__}."
    if path.suffix.lower() == ".pdf":
        write_sheets(report, made, path)
        return
    try:
        path.write_text(render_page(report, made), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path}: cannot be written: {error.strerror}") from error


def _print(report: Report, output: tuple[Path, ...]) -> None:
    """The verdict in words, then the bulletin and the clocks."""
    from timeball.station.bulletin.tables import bulletin_table, clock_table

    simulated = " (simulated laboratory: nothing here is traceable)" if report.record.simulated else ""
    click.echo(f"{report.heading}: {report.period.kind} report, {report.period.title}{simulated}")
    click.echo(f"{report.headline}\n")
    bulletin, clocks = bulletin_table(report), clock_table(report)
    click.echo(format_table([cell.replace("\n", " ") for cell in bulletin.headers], bulletin.rows))
    width = max((len(row[-1]) for row in clocks.rows), default=0)
    rows = [[*row[:-1], row[-1].ljust(width)] for row in clocks.rows]
    click.echo("\n" + format_table(clocks.headers, rows, left=clocks.left))
    steers, events = len(report.record.steers), len(report.record.events)
    told = f"{steers} frequency steer{'s' * (steers != 1)}, {events} anomal{'y' if events == 1 else 'ies'}"
    click.echo(f"\n{told}. Source: {report.record.source}.")
    for path in output:
        click.echo(f"Written: {path}")
