"""`timeball psfs`: the rate of TAI, or of a laboratory's scale, from reports of frequency standards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from timeball.cli.inputs import report_defects
from timeball.cli.numbers import MJD, FiniteRange
from timeball.cli.output import CommandError, print_json
from timeball.cli.plotting import PLOT
from timeball.cli.reading import read_bounded

if TYPE_CHECKING:
    from timeball.ensemble.standards import Correction
    from timeball.formats import PSFSReport, TAIEstimate

INTERVAL_DAYS = 30.0
NOISE = FiniteRange(max=1)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--interval",
    nargs=2,
    type=MJD,
    metavar="MJD MJD",
    help="Where the rate is wanted (the last 30 days).",
)
@click.option("--every", "every_days", type=float, metavar="DAYS", help="A rate for every DAYS of the reports' span.")
@click.option("--standards", metavar="A,B,...", help="Only these standards.")
@click.option("--all", "with_unused", is_flag=True, help="Also reports marked N, which the BIPM does not steer by.")
@click.option("--free", is_flag=True, help="The scale is not steered: leave out what the files say of EAL and TAI.")
@click.option("--wfm", type=NOISE, metavar="Y", help="White FM of the free scale: ADEV at 1 s (default: EAL's).")
@click.option("--ffm", type=NOISE, metavar="Y", help="Its flicker FM, ADEV.")
@click.option("--rwfm", type=NOISE, metavar="Y", help="Its random-walk FM, ADEV at 1 s.")
@click.option("--plot", type=PLOT, help="Draw to a file (.png, .svg, .pdf).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    files: tuple[Path, ...],
    interval: tuple[float, float] | None,
    every_days: float | None,
    standards: str | None,
    with_unused: bool,
    free: bool,
    wfm: float | None,
    ffm: float | None,
    rwfm: float | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Estimate the scale's rate from the reports in FILES: Circular T (section 3), or plain columns.

    One best estimate from all reports, weighted by their uncertainties, what they share, and the scale's noise
    between their days and those asked for. Each report is then held against all others.

    \b
    timeball psfs cirt.445.txt cirt.456.txt --interval 61009 61039
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.cli.psfs_report import RateReport, print_rate, write_plot
    from timeball.ensemble.noise import ClockNoise
    from timeball.ensemble.standards import EAL_NOISE, estimate_rate

    if interval is not None and every_days is not None:
        raise click.UsageError("--interval asks for one rate, --every for many: give one of them")
    reports, published, corrections, rejected = _read(files)
    reports = _chosen(reports, standards, with_unused)
    given = {"wfm": wfm, "ffm": ffm, "rwfm": rwfm}
    own = {name: value or 0.0 for name, value in given.items()}
    noise = EAL_NOISE if {*given.values()} == {None} else ClockNoise(wfm=own["wfm"], ffm=own["ffm"], rwfm=own["rwfm"])
    steering = () if free else tuple(corrections)
    estimates = [
        estimate_rate(reports, start, end, noise, steering) for start, end in _intervals(reports, interval, every_days)
    ]
    report = RateReport(tuple(reports), tuple(estimates), tuple(published), noise, steering, rejected)
    if as_json:
        print_json(report.as_json())
    else:
        print_rate(report)
    if plot is not None:
        write_plot(report, plot)
        click.echo(f"plot written to {plot}", err=True)


def _read(files: tuple[Path, ...]) -> tuple[list[PSFSReport], list[TAIEstimate], list[Correction], int]:
    """Read reports, the BIPM's own estimates, f(EAL) − f(TAI), and the number of lines left out."""
    from timeball import formats
    from timeball.ensemble.standards import Correction
    from timeball.formats.circular_t import is_circular_t
    from timeball.formats.compression import plain_bytes
    from timeball.station.hosttime.leaps import load_leap_table

    reports: list[PSFSReport] = []
    published: list[TAIEstimate] = []
    corrections: dict[tuple[int, int], float] = {}
    rejected = 0
    for file in files:
        data, _ = plain_bytes(read_bounded(file), str(file))
        if is_circular_t(data):
            circular = formats.read_circular_t(data, str(file), load_leap_table())
            corrections |= {(each.start_mjd, each.end_mjd): each.eal_minus_tai for each in circular.steering}
            table = circular.psfs or formats.PSFSTable((), (), ())
        else:
            table = formats.read_psfs(data, str(file))
        report_defects(table.defects)
        rejected += len(table.defects)
        reports += [each for each in table.reports if each not in reports]
        published += table.estimates
    if not reports:
        raise CommandError("no report of a frequency standard in these files; of Circular T it is section 3")
    return reports, published, [Correction(*days, y) for days, y in sorted(corrections.items())], rejected


def _chosen(reports: list[PSFSReport], standards: str | None, with_unused: bool) -> list[PSFSReport]:
    """Take the reports of some standards, without those marked N unless they are asked for."""
    wanted = None if standards is None else {name.strip() for name in standards.split(",") if name.strip()}
    known = {report.standard for report in reports}
    if wanted is not None and not (wanted and wanted <= known):
        missing = ", ".join(sorted(wanted - known)) or "no name in it"
        raise click.BadParameter(f"{missing}: the files have {', '.join(sorted(known))}", param_hint="--standards")
    kept = [
        report
        for report in reports
        if (wanted is None or report.standard in wanted) and (with_unused or report.steer is not False)
    ]
    if not kept:
        raise CommandError("every report is marked N, not to be steered by: --all takes them too")
    return kept


def _intervals(
    reports: list[PSFSReport], interval: tuple[float, float] | None, every_days: float | None
) -> list[tuple[float, float]]:
    """Give the intervals for which a rate is wanted."""
    if interval is not None:
        if not interval[0] < interval[1]:
            raise click.BadParameter("the first MJD comes before the second", param_hint="--interval")
        return [interval]
    first, last = min(each.start_mjd for each in reports), max(each.end_mjd for each in reports)
    if every_days is None:
        return [(max(first, last - INTERVAL_DAYS), last)]
    count = round((last - first) / every_days) if every_days > 0 else 0
    if not 1 <= count <= 10_000:
        raise click.BadParameter(f"the reports span {last - first:g} days", param_hint="--every")
    return [(last - (k + 1) * every_days, last - k * every_days) for k in reversed(range(count))]
