"""`timeball scale`: an ensemble time scale from files of clock comparisons, and each clock judged against the others.

It parses its arguments, calls the rooms `formats` and `ensemble`, and prints. `scale_report.py` holds what is computed,
`scale_plot.py` what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timeball.cli.output import CommandError, format_table, format_tau, print_json
from timeball.cli.plotting import PLOT
from timeball.cli.progress import progress_bar

ALGORITHMS = ("at1", "algos", "kalman", "all")

if TYPE_CHECKING:
    from timeball.cli.scale_report import ScaleReport
    from timeball.formats import Defect
    from timeball.readings import Closure, PhaseTable

COLUMNS_SHOWN = 7
REJECTIONS_SHOWN = 12


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--clocks", metavar="A,B,…", help="Only these clocks (default: every clock in the files).")
@click.option("--reference", metavar="R", help="Clock the readings are put against; the scale does not depend on it.")
@click.option("--algorithm", type=click.Choice(ALGORITHMS), default="at1", show_default=True)
@click.option("--plot", type=PLOT, help="Draw it: .png, .svg or .pdf.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    files: tuple[Path, ...], clocks: str | None, reference: str | None, algorithm: str, plot: Path | None, as_json: bool
) -> None:
    """Compute an ensemble time scale from FILES (RINEX clock, plain columns; .gz too) and judge every clock.

    Weights come from how well each clock could be predicted. The deviations of a clock are taken against the scale
    computed without that clock, so none is measured against itself. `--algorithm all` puts the algorithms side by
    side, and beside the plain mean and the best single partner.

    \b
    timeball scale day.clk.gz --clocks AMC2,WTZR,YELL --plot scale.png
    timeball scale day.clk.gz --algorithm all
    """  # noqa: D301 (click wants the backspace itself)
    if algorithm == "all":
        _all_algorithms(*read_table(files, _names(clocks), reference), plot, as_json=as_json)
        return
    from timeball.cli.scale_report import make_report

    table, defects = read_table(files, _names(clocks), reference)
    with progress_bar("each clock against the others") as tell:
        report = make_report(table, algorithm, tell)
    if plot is not None:
        from timeball.cli.scale_plot import draw_scale

        draw_scale(report, plot)
    if as_json:
        print_json({**report.to_json(), **_defects_json(defects), "plot": str(plot) if plot else None})
    else:
        print_report(report)
        if plot is not None:
            click.echo(f"\nDrawn: {plot}")


def _all_algorithms(table: PhaseTable, defects: list[Defect], plot: Path | None, *, as_json: bool) -> None:
    from timeball.cli.scale_compare import compare
    from timeball.cli.scale_compare_print import print_comparison

    with progress_bar("each clock against the others, by each algorithm") as tell:
        comparison = compare(table, tell)
    if plot is not None:
        from timeball.cli.scale_compare_plot import draw_comparison

        draw_comparison(comparison, plot)
    if as_json:
        print_json({**comparison.to_json(), **_defects_json(defects), "plot": str(plot) if plot else None})
        return
    print_comparison(comparison)
    if plot is not None:
        click.echo(f"\nDrawn: {plot}")


def read_table(
    files: Sequence[Path], clocks: list[str] | None, reference: str | None
) -> tuple[PhaseTable, list[Defect]]:
    """Read files into one phase table, bad lines and what several comparators are worth told on stderr.

    Raises ``CommandError``.
    """
    from timeball.cli.inputs import load_files
    from timeball.readings import ReadingsError, adjusted_table, parts_of

    wanted = None if clocks is None else [*clocks, *([reference] if reference else [])]
    readings, inputs = load_files(files, clocks=wanted)
    try:
        table, closures = adjusted_table(readings, reference, clocks)
    except ReadingsError as error:
        raise CommandError(str(error)) from error
    _tell_comparators(closures, parts_of(readings))
    return table, [defect for each in inputs for defect in each.defects]


def _tell_comparators(closures: list[Closure], parts: list[tuple[str, ...]]) -> None:
    """Say on stderr how well redundant comparisons agree, and which clocks were not compared with the rest."""
    from timeball.ensemble.steps import si_time

    if closures:
        worst = max(closures, key=lambda each: each.rms_s)
        click.echo(
            f"{len(closures)} pairs of clocks are compared in loops, adjusted by least squares: residuals of "
            f"{si_time(worst.rms_s)} rms at most ({worst.a} − {worst.b}).",
            err=True,
        )
    apart = [name for part in parts[1:] if len(part) > 1 for name in part]
    if apart:
        shown = ", ".join(apart[:COLUMNS_SHOWN]) + (", …" if len(apart) > COLUMNS_SHOWN else "")
        click.echo(f"Never compared with the others, and so not in the scale: {shown}.", err=True)


def print_report(report: ScaleReport) -> None:
    """Print the verdict in words, then the table, then what was left out and why."""
    click.echo(_headline(report))
    click.echo(_verdict(report) + "\n")
    taus = sorted({tau_s for clock in report.clocks for tau_s, _ in clock.oadev})[:COLUMNS_SHOWN]
    rows = []
    for clock in report.by_weight():
        sigma = dict(clock.oadev)
        cells = [f"{sigma[tau_s]:.2e}" if tau_s in sigma else "–" for tau_s in taus]
        rows.append([clock.name, f"{clock.weight:.3f}", *cells, clock.why])
    headers = ["clock", "weight", *(f"{format_tau(tau_s)} s" for tau_s in taus), "last epoch, and before"]
    click.echo(format_table(headers, _last_left(rows)))
    click.echo(
        "\nweight: mean over the record. Columns: overlapping Allan deviation against the scale without the clock."
    )
    _print_rejections(report)


def _last_left(rows: list[list[str]]) -> list[list[str]]:
    """Pad the words of the last column, which the table aligns right, so that they start in one line."""
    width = max((len(row[-1]) for row in rows), default=0)
    return [[*row[:-1], row[-1].ljust(width)] for row in rows]


def _headline(report: ScaleReport) -> str:
    hours = report.span_s / 3600
    return (
        f"{report.algorithm} scale of {len(report.clocks)} clocks: {len(report.epochs)} epochs every "
        f"{report.interval_s:g} s over {hours:.4g} h from {tai_text(int(report.epochs[0]))}; "
        f"readings put against {report.reference}, which does not matter."
    )


def _verdict(report: ScaleReport) -> str:
    ranked = report.by_weight()
    least = ", ".join(clock.name for clock in ranked[-3:][::-1])
    return f"It leans most on {ranked[0].name} (weight {ranked[0].weight:.2f}) and least on {least}."


def tai_text(epoch_ns: int) -> str:
    """An epoch as date and time of day of TAI."""
    return datetime.fromtimestamp(epoch_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S TAI")


def _print_rejections(report: ScaleReport) -> None:
    found = report.rejections
    if not found:
        click.echo("No reading was left out or reduced.")
        return
    click.echo(f"\n{len(found)} decisions out of the ordinary" + (", the last of them:" if len(found) > 1 else ":"))
    for epoch, clock, _, why in found[-REJECTIONS_SHOWN:]:
        click.echo(f"  {tai_text(epoch)}  {clock:12s} {why}")
    if len(found) > REJECTIONS_SHOWN:
        click.echo("  all of them: --json")


def _names(clocks: str | None) -> list[str] | None:
    if clocks is None:
        return None
    names = [name.strip() for name in clocks.split(",") if name.strip()]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if not names or doubled:
        raise click.BadParameter(
            f"named twice: {', '.join(doubled)}" if doubled else "no name in it", param_hint="--clocks"
        )
    return names


def _defects_json(defects: Sequence[Defect]) -> dict[str, Any]:
    return {
        "rejected_lines": len(defects),
        "defects": [
            {"file": d.file, "line": d.line, "field": d.field, "text": d.text, "reason": d.reason} for d in defects
        ],
    }
