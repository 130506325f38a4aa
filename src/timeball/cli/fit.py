"""`timeball fit`: the noise of every clock from files of their comparisons, with intervals, and its drift.

It parses its arguments, calls `ensemble.fitting`, and prints. `fit_plot.py` draws.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timeball.cli.numbers import FiniteRange
from timeball.cli.output import format_seconds, format_table, print_json
from timeball.cli.plotting import PLOT
from timeball.cli.progress import progress_bar

if TYPE_CHECKING:
    from timeball.ensemble.fitting import NoiseFit

DAY_S, HOUR_S = 86_400.0, 3600.0
# How people see a coefficient: what it is called, and what turns the ADEV at 1 s into it.
SHOWN = {
    "wpm": ("reading noise", 3.0**-0.5),
    "wfm": ("white FM, 1 s", 1.0),
    "ffm": ("flicker floor", 1.0),
    "rwfm": ("random walk, 1 d", DAY_S**0.5),
}
POORLY = 3.0
Intervals = dict[tuple[str, str], tuple[float, float]]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--clocks", metavar="A,B,…", help="Only these clocks (default: every clock in the files).")
@click.option("--reference", metavar="R", help="Clock the readings are put against; the fit does not depend on it.")
@click.option(
    "--confidence", type=FiniteRange(50, 99.9), default=95.0, show_default=True, help="Of the intervals, in %."
)
@click.option("--plot", type=PLOT, help="Draw it: .png, .svg or .pdf.")
@click.option("--toml", "as_toml", is_flag=True, help="Print the [[clock]] tables of a station's configuration.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    files: tuple[Path, ...],
    clocks: str | None,
    reference: str | None,
    confidence: float,
    plot: Path | None,
    as_toml: bool,
    as_json: bool,
) -> None:
    """Fit the noise coefficients and drift of every clock in FILES (RINEX clock, plain columns; .gz too).

    Only differences of clocks are measured, so all clocks are solved for together, with intervals that hold near zero.
    Single bad readings and phase steps are taken out before. At least three clocks tell each other apart.

    \b
    timeball fit year.txt --plot noise.png
    """  # noqa: D301 (click wants the backspace itself)
    if as_toml and as_json:
        raise click.UsageError("--toml and --json are two documents: give one of them")
    from timeball.cli.scale import _names, read_table
    from timeball.ensemble.fitting import fit_noise

    table, defects = read_table(files, _names(clocks), reference)
    fit = fit_noise(table)
    if plot is not None:
        from timeball.cli.fit_plot import draw_fit

        draw_fit(fit, plot)
    if as_toml:
        click.echo(as_configuration(fit))
        return
    with progress_bar("intervals") as tell:
        intervals = all_intervals(fit, confidence / 100.0, tell)
    if as_json:
        drawn = {"rejected_lines": len(defects), "plot": str(plot) if plot else None}
        print_json({**to_json(fit, intervals, confidence, len(table.epochs)), **drawn})
        return
    print_fit(fit, intervals, confidence, len(table.epochs))
    if plot is not None:
        click.echo(f"\nDrawn: {plot}")


def all_intervals(fit: NoiseFit, confidence: float, tell: Callable[[int, int], None] | None = None) -> Intervals:
    """Interval of every coefficient, by (clock, coefficient)."""
    found = {}
    for done, clock in enumerate(fit.clocks, start=1):
        for kind in fit.kinds:
            found[clock, kind] = fit.interval(clock, kind, confidence)
        if tell is not None:
            tell(done, len(fit.clocks))
    return found


def print_fit(fit: NoiseFit, intervals: Intervals, confidence: float, epochs: int) -> None:
    """Print the verdict in words, the table, and what does not fit."""
    click.echo(
        f"Noise of {len(fit.clocks)} clocks from {epochs} epochs every {fit.interval_s:g} s over "
        f"{fit.span_s / DAY_S:.4g} d, with intervals that hold the true value in {confidence:g} % of cases."
    )
    click.echo(_verdict(fit) + "\n")
    rows = []
    for clock in fit.clocks:
        cells = [_cell(fit, clock, kind, intervals[clock, kind]) for kind in fit.kinds]
        rows.append([clock, *cells, _drift(fit, clock)])
    click.echo(format_table(["clock", *(SHOWN[kind][0] for kind in fit.kinds), "drift a day"], rows))
    click.echo(
        "\nAllan deviation of each noise alone; reading noise is one standard deviation of a reading, of clock and"
        " channel.\n“<”: the record does not tell it from none; the bound is the interval's upper end. Drift (k = 1) is"
        " against the mean of the clocks."
    )
    _print_remarks(fit)


def _verdict(fit: NoiseFit) -> str:
    told = []
    for tau_s in (fit.interval_s, fit.span_s / 8.0):
        quiet = min(fit.clocks, key=lambda clock: fit.noise[clock].avar(tau_s))
        told.append(f"{quiet} at {_duration(tau_s)} ({fit.noise[quiet].avar(tau_s) ** 0.5:.1e})")
    drifting = [clock for clock in fit.clocks if fit.noise[clock].drifts]
    verb = "drifts" if len(drifting) == 1 else "drift"
    beyond = f"beyond doubt {', '.join(drifting)} {verb}" if drifting else "no clock drifts beyond doubt"
    if len(fit.clocks) == 2:
        return f"Which of the two is the quieter their difference does not say; {beyond}."
    return f"The quietest are {' and '.join(told)}; {beyond}."


def _duration(tau_s: float) -> str:
    if tau_s < HOUR_S:
        return f"{tau_s:.3g} s"
    return f"{tau_s / HOUR_S:.2g} h" if tau_s < DAY_S else f"{tau_s / DAY_S:.2g} d"


def _cell(fit: NoiseFit, clock: str, kind: str, ends: tuple[float, float]) -> str:
    """`8.51 (8.43…8.60)e-12`, or `<1.2e-14` where the interval begins at zero; times in their own units."""
    factor = SHOWN[kind][1]
    value, low, high = (factor * each for each in (getattr(fit.noise[clock], kind), *ends))
    if kind == "wpm":
        if low <= 0.0:
            return f"<{format_seconds(high, 2)}"
        number, unit = format_seconds(value, 3).split()
        scale = value / float(number)
        return f"{number} ({low / scale:.3g}…{high / scale:.3g}) {unit}"
    if low <= 0.0:
        return f"<{high:.1e}"
    exponent = int(f"{value:.2e}".split("e")[1])
    return f"{value / 10.0**exponent:.2f} ({low / 10.0**exponent:.2f}…{high / 10.0**exponent:.2f})e{exponent:+03d}"


def _drift(fit: NoiseFit, clock: str) -> str:
    drift, u = fit.drift[clock] * DAY_S, fit.u_drift[clock] * DAY_S
    return f"{drift:+.1e} ± {u:.0e}" + (" *" if fit.noise[clock].drifts else "  ")


def _print_remarks(fit: NoiseFit) -> None:
    mended = {clock: count for clock, count in fit.mended.items() if count}
    if mended:
        told = ", ".join(f"{clock} {count}" for clock, count in mended.items())
        click.echo(f"Bad readings and phase steps taken out before the fit: {told}.")
    poorly = [clock for clock in fit.clocks if fit.goodness[clock] > POORLY]
    if poorly:
        click.echo(f"Not well explained by these noises (daily waves, steps of rate?): {', '.join(poorly)}.")
    for clock, why in fit.unfitted.items():
        click.echo(f"{clock} was not fitted: {why}.")
    if len(fit.clocks) == 2:
        click.echo("Two clocks cannot be told apart: “<” is what they had together, either may have all of it.")


def as_configuration(fit: NoiseFit) -> str:
    """The fitted clocks as `[[clock]]` tables of a configuration file."""
    tables = []
    for clock in fit.clocks:
        levels = [f"{kind} = {getattr(fit.noise[clock], kind):.4g}" for kind in fit.kinds]
        tables.append("\n".join(["[[clock]]", f'name = "{clock}"', *levels]))
    return "\n\n".join(tables)


def to_json(fit: NoiseFit, intervals: Intervals, confidence: float, epochs: int) -> dict[str, Any]:
    """The fit for `--json`: SI units, coefficients as ADEV at 1 s."""
    return {
        "epochs": epochs,
        "interval_s": fit.interval_s,
        "span_s": fit.span_s,
        "confidence": confidence / 100.0,
        "coefficients": list(fit.kinds),
        "clocks": [_clock_json(fit, clock, intervals) for clock in fit.clocks],
        "unfitted": fit.unfitted,
    }


def _clock_json(fit: NoiseFit, clock: str, intervals: Intervals) -> dict[str, Any]:
    noise = {
        kind: {
            "value": getattr(fit.noise[clock], kind),
            "low": intervals[clock, kind][0],
            "high": intervals[clock, kind][1],
        }
        for kind in fit.kinds
    }
    return {
        "name": clock,
        "noise": noise,
        "drift_per_s": fit.drift[clock],
        "u_drift_per_s": fit.u_drift[clock],
        "drifts": fit.noise[clock].drifts,
        "goodness": fit.goodness[clock],
        "mended": fit.mended[clock],
    }
