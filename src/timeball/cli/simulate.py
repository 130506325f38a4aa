"""`timeball simulate`: phases of simulated clocks, written to a file, and their OADEV beside the theory.

Sign: phases are clock minus TAI(TIMEBALL), the ideal time of the simulation.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timeball.cli.output import CommandError, format_table, format_tau, print_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from timeball.readings import Readings
    from timeball.simulation.models import ClockModel

TRUTH = "TAI(TIMEBALL)"
START_NS = 1_767_225_600 * 10**9  # 2026-01-01 00:00:00 TAI: a fixed day, so that the same command gives the same file
MOST_SAMPLES = 50_000_000


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--model", help="Simulate one clock of this model, called SIM1.")
@click.option("--clock", "named", multiple=True, metavar="NAME=MODEL", help="Simulate this clock too (repeatable).")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), default=30.0, show_default=True, help="How long.")
@click.option(
    "--interval",
    type=click.FloatRange(min=1e-6),
    default=60.0,
    show_default=True,
    metavar="S",
    help="One value every S.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of all noise.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write: .clk (RINEX) or columns."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: str | None,
    named: tuple[str, ...],
    days: float,
    interval: float,
    seed: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Simulate free-running clocks and compare their OADEV with the theory of their model.

    A name that ends in .clk or .clk.gz gets a RINEX clock file (any number of clocks), another one plain columns (one
    clock); with .gz it is compressed. Without --output nothing is written.
    """
    models = _models(model, named)
    steps = days * 86_400 / interval
    if not 2 <= steps < MOST_SAMPLES:  # so written, it refuses NaN too
        raise click.UsageError(f"{days:g} days every {interval:g} s: 3 to {MOST_SAMPLES} values can be made")
    samples = round(steps) + 1
    phases = {name: _simulate(name, kind, samples, interval, seed) for name, kind in models.items()}
    if output is not None:
        _write(phases, interval, output)
    comparisons = {name: _compare(phases[name], kind, interval) for name, kind in models.items()}
    if as_json:
        document = {"seed": seed, "days": days, "tau0_s": interval, "samples": samples}
        clocks = [{"name": name, "model": models[name].name, "oadev": rows} for name, rows in comparisons.items()]
        print_json({**document, "against": TRUTH, "clocks": clocks, "output": None if output is None else str(output)})
        return
    click.echo(f"{samples} values every {format_tau(interval)} s, seed {seed}")
    for name, rows in comparisons.items():
        click.echo(f"\n{name}: {models[name].name} against {TRUTH}\n\n{_table(rows)}")
    if output is not None:
        click.echo(f"\nwritten to {output}")


def _models(model: str | None, named: tuple[str, ...]) -> dict[str, ClockModel]:
    """Read `--model` and `--clock`; UsageError for an unknown model, a name given twice, or no clock at all."""
    from timeball.simulation.models import MODELS

    wanted = [("SIM1", model)] if model is not None else []
    for text in named:
        name, separator, kind = text.partition("=")
        if not (name and separator):
            raise click.BadParameter(f"{text!r} is not NAME=MODEL", param_hint="--clock")
        wanted.append((name, kind))
    if not wanted:
        raise click.UsageError(f"give --model or --clock NAME=MODEL; models: {', '.join(MODELS)}")
    found: dict[str, ClockModel] = {}
    for name, kind in wanted:
        if kind not in MODELS:
            raise click.UsageError(f"no model {kind!r}; there are: {', '.join(MODELS)}")
        if name in found:
            raise click.UsageError(f"two clocks are called {name!r}")
        found[name] = MODELS[kind]
    return found


def _simulate(name: str, model: ClockModel, samples: int, interval: float, seed: int) -> NDArray[np.float64]:
    """Simulate one clock; its noise hangs on seed and name, so another clock beside it changes nothing."""
    import numpy as np

    from timeball.simulation.noise import simulate_phase

    return simulate_phase(model, samples, interval, np.random.default_rng([seed, *name.encode()]))


def _compare(x: NDArray[np.float64], model: ClockModel, interval: float) -> list[dict[str, Any]]:
    from timeball.stability import oadev

    found = oadev(x, interval)
    theory = model.theory_adev(found.tau_s)
    rows = zip(*(array.tolist() for array in (found.tau_s, found.sigma, theory, found.n)), strict=True)
    return [{"tau_s": tau, "sigma": sigma, "theory": expected, "n": n} for tau, sigma, expected, n in rows]


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [
        (
            format_tau(r["tau_s"]),
            f"{r['sigma']:.3e}",
            f"{r['theory']:.3e}",
            f"{r['sigma'] / r['theory']:.3f}",
            str(r["n"]),
        )
        for r in rows
    ]
    return format_table(("tau (s)", "OADEV (1)", "theory (1)", "ratio", "n"), lines, left=0)


def _write(phases: dict[str, NDArray[np.float64]], interval: float, output: Path) -> None:
    from timeball.formats import WriteError, write_columns, write_rinex_clock

    rinex = ".clk" in [suffix.lower() for suffix in output.suffixes]
    try:
        readings = _readings(phases, interval)
        data = write_rinex_clock(readings) if rinex else write_columns(readings)
        # no name and no time in the gzip header: the same command gives the same bytes
        output.write_bytes(gzip.compress(data, mtime=0) if output.suffix == ".gz" else data)
    except WriteError as error:
        hint = "" if rinex else " (a name in .clk gets a RINEX clock file, which holds several)"
        raise CommandError(f"{output}: {error}{hint}") from error
    except OSError as error:
        raise CommandError(f"{output}: cannot be written: {error.strerror}") from error


def _readings(phases: dict[str, NDArray[np.float64]], interval: float) -> Readings:
    """Give the phases as readings against the truth, epoch by epoch."""
    import numpy as np

    from timeball.readings import Readings

    names = list(phases)
    table = np.array([phases[name] for name in names])
    clocks, samples = table.shape
    epochs = START_NS + np.rint(np.arange(samples) * (interval * 1e9)).astype(np.int64)
    first = np.tile(np.arange(clocks), samples)
    return Readings.from_columns(
        [*names, TRUTH], np.repeat(epochs, clocks), first, np.full(first.size, clocks), table.T.ravel()
    )
