"""`timeball stability`: Allan deviations of phase or frequency records in files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from timeball.cli.deviation_report import Report, as_text, need_matplotlib, write_plot
from timeball.cli.inputs import Input, load_file, report_defects
from timeball.cli.output import print_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from timeball.stability import Grid
    from timeball.stability.series import Series

TYPES = ("adev", "oadev", "mdev", "tdev")
UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "fs": 1e-15}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--type", "deviation", type=click.Choice(TYPES), default="oadev", show_default=True, help="Deviation.")
@click.option(
    "--tau",
    default="octave",
    show_default=True,
    metavar="octave|decade|all|S,S,...",
    help="Averaging times: a spacing, or times in seconds (multiples of the interval).",
)
@click.option("--kind", type=click.Choice(["phase", "frequency"]), help="What plain columns hold (else as they say).")
@click.option(
    "--tau0", "tau0_s", type=float, metavar="S", help="Interval between samples (else from the time tags, or 1)."
)
@click.option("--unit", type=click.Choice(list(UNITS_S)), help="Unit of phase in plain columns.")
@click.option("--nominal", "nominal_hz", type=float, metavar="HZ", help="Frequency is in hertz, about this value.")
@click.option("--clock", "clocks", multiple=True, metavar="NAME", help="Clock of a file that has several (repeatable).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object, or a list when there are several.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw to a file (.png, .svg, .pdf).")
def command(
    files: tuple[Path, ...],
    deviation: str,
    tau: str,
    kind: str | None,
    tau0_s: float | None,
    unit: str | None,
    nominal_hz: float | None,
    clocks: tuple[str, ...],
    as_json: bool,
    plot: Path | None,
) -> None:
    """Compute ADEV, OADEV, MDEV or TDEV of the records in FILES (RINEX clock or plain columns, gz or not).

    A bad line is told and left out. A missing value takes with it the terms that touch it; n counts those used.
    """
    if plot is not None:
        need_matplotlib()
    if kind == "phase" and nominal_hz is not None:
        raise click.UsageError("--nominal is for frequency in hertz, not for phase")
    kind = "frequency" if nominal_hz is not None else kind
    reports = []
    for file in files:
        data, found_kind = _load(file, kind, tau0_s, unit, clocks)
        for clock in clocks or (None,):
            reports.append(_report(data, clock, deviation, tau, tau0_s, found_kind, nominal_hz))
    if as_json:
        documents = [report.as_json() for report in reports]
        print_json(documents[0] if len(documents) == 1 else documents)
    else:
        click.echo("\n\n".join(as_text(report) for report in reports))
    if plot is not None:
        write_plot(reports, plot)
        click.echo(f"plot written to {plot}", err=True)


def _load(
    file: Path, kind: str | None, tau0_s: float | None, unit: str | None, clocks: tuple[str, ...]
) -> tuple[Input, str]:
    """Read a file; frequency comes as the numbers of the file, not summed to phase.

    Readings are phases, so the parser sums frequencies and bridges their gaps with the mean. A deviation must not use
    what was made up; read as if they were phases of unit 1, the values come as they are, and gaps stay gaps.
    """
    from timeball.formats import ColumnOptions

    wanted = clocks or None
    if kind != "frequency":
        options = ColumnOptions(kind=kind, tau0_s=tau0_s, unit_s=None if unit is None else UNITS_S[unit])
        data = load_file(file, clocks=wanted, columns=options, tell=False)
        if data.header.get("kind") != "frequency":
            report_defects(data.defects)
            return data, "phase"
    raw = load_file(file, clocks=wanted, columns=ColumnOptions(kind="phase", tau0_s=tau0_s, unit_s=1.0))
    return raw, "frequency" if raw.kind == "columns" else "phase"


def _report(
    data: Input, clock: str | None, deviation: str, tau: str, tau0_s: float | None, kind: str, nominal_hz: float | None
) -> Report:
    from timeball import stability
    from timeball.stability.series import series_of

    series = series_of(data.readings, clock)
    grid = stability.on_grid(series.epoch, _values(series, nominal_hz), tau0_s)
    compute = getattr(stability, deviation)
    deviations = compute(grid.values, grid.tau0_s, _factors(tau, grid), kind=kind)
    return Report(
        file=str(data.path),
        clock=series.clock,
        against=series.against,
        type=deviation,
        tau0_s=grid.tau0_s,
        points=grid.values.size - grid.missing,
        missing=grid.missing,
        rejected_lines=data.rejected_lines,
        off_grid=grid.off_grid + grid.repeated,
        deviations=deviations,
    )


def _values(series: Series, nominal_hz: float | None) -> NDArray[np.float64]:
    """Give phase or fractional frequency; hertz become y = (f − f₀)/f₀, in this order, which costs no digits."""
    if nominal_hz is None:
        return series.x
    if not nominal_hz > 0:
        raise click.BadParameter("must be above 0", param_hint="--nominal")
    fraction: NDArray[np.float64] = (series.x - nominal_hz) / nominal_hz
    return fraction


def _factors(tau: str, grid: Grid) -> str | list[int]:
    """Turn `--tau` into a spacing, or times into averaging factors of this record's interval."""
    from timeball.stability import SPACINGS

    if tau in SPACINGS:
        return tau
    factors = []
    for text in tau.split(","):
        try:
            ratio = float(text) / grid.tau0_s
        except ValueError:
            raise click.BadParameter(
                f"{text!r} is neither a spacing nor a time in seconds", param_hint="--tau"
            ) from None
        if not (ratio >= 0.5 and abs(ratio - round(ratio)) <= 1e-6 * ratio):
            message = f"{text.strip()} s is not a multiple of the interval, {grid.tau0_s:g} s"
            raise click.BadParameter(message, param_hint="--tau")
        factors.append(round(ratio))
    return factors
