"""Records for the statistics: files read, one clock of each put on a grid, and the recipe applied that was asked for.

Shared by `stability`, `mask` and `hat`. Sign: a record is clock minus what it was compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from timeball.cli.inputs import Input, load_file, report_defects
from timeball.cli.numbers import FiniteRange
from timeball.cli.output import CommandError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from timeball.stability import Grid
    from timeball.stability.recipe import Recipe, Treated
    from timeball.stability.series import Series

UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "fs": 1e-15}
# beyond it a float is no whole number of intervals any more
LONGEST_RATIO = 2.0**53
POSITIVE = FiniteRange(min=0.0, min_open=True)
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Choices:
    """How the files are to be read: the options that `record_options` adds to a command."""

    kind: str | None
    tau0_s: float | None
    unit: str | None
    nominal_hz: float | None
    clocks: tuple[str, ...]
    recipe: str | None

    def __post_init__(self) -> None:
        if self.kind == "phase" and self.nominal_hz is not None:
            raise click.UsageError("--nominal is for frequency in hertz, not for phase")


@dataclass(frozen=True, slots=True)
class Measured:
    """One clock of one file on an even grid, after the recipe."""

    file: str
    clock: str
    against: str
    kind: str
    grid: Grid
    treated: Treated
    rejected_lines: int

    @property
    def values(self) -> NDArray[np.float64]:
        """Phase (s) or fractional frequency, NaN where missing."""
        return self.treated.values

    @property
    def samples(self) -> int:
        """Values that are there."""
        return self.grid.values.size - self.grid.missing - self.treated.removed

    @property
    def span_s(self) -> float:
        """From the first to the last place of the grid; of frequencies, the time that they cover."""
        intervals = self.grid.values.size - (1 if self.kind == "phase" else 0)
        return intervals * self.grid.tau0_s


def short_names(records: Sequence[Measured]) -> list[str]:
    """Name records for a legend: clock − reference, with the file's name where that would not tell them apart."""
    names = [f"{each.clock} − {each.against}" for each in records]
    whole = [f"{name} ({Path(each.file).name})" for name, each in zip(names, records, strict=True)]
    alike = {name: {full for full, other in zip(whole, names, strict=True) if other == name} for name in names}
    return [name if len(alike[name]) == 1 else full for name, full in zip(names, whole, strict=True)]


def record_options(function: Function) -> Function:
    """Add the options by which records are read."""
    options = (
        click.option(
            "--kind", type=click.Choice(["phase", "frequency"]), help="What plain columns hold (else as they say)."
        ),
        click.option(
            "--tau0",
            "tau0_s",
            type=float,
            metavar="S",
            help="Interval between samples (else from the time tags, or 1).",
        ),
        click.option("--unit", type=click.Choice(list(UNITS_S)), help="Unit of phase in plain columns."),
        click.option(
            "--nominal", "nominal_hz", type=float, metavar="HZ", help="Frequency is in hertz, about this value."
        ),
        click.option(
            "--clock", "clocks", multiple=True, metavar="NAME", help="Clock of a file that has several (repeatable)."
        ),
        click.option(
            "--recipe",
            metavar="STEPS|FILE",
            help="First: exclude:FROM_S:TO_S, outliers[:SIGMAS], offset, rate, drift, with commas; or a JSON file.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def measured_records(files: Sequence[Path], choices: Choices) -> Iterator[Measured]:
    """Read every clock asked for of every file. CommandError (exit 1) when one cannot be read or used."""
    from timeball import stability
    from timeball.stability.recipe import apply_recipe
    from timeball.stability.series import series_of

    recipe = _recipe(choices.recipe)
    for file in files:
        data, kind = _load(file, choices)
        for clock in choices.clocks or (None,):
            series = series_of(data.readings, clock)
            grid = stability.on_grid(series.epoch, _values(series, choices.nominal_hz), choices.tau0_s)
            treated = apply_recipe(grid.values, grid.tau0_s, recipe, kind=kind)
            yield Measured(str(data.path), series.clock, series.against, kind, grid, treated, data.rejected_lines)


def _recipe(text: str | None) -> Recipe:
    """Take the recipe as it stands, or out of a JSON file: its own, or the result of `stability --json`."""
    from timeball.stability.recipe import parse_recipe, read_recipe

    if text is None:
        return ()
    if not text.endswith(".json"):
        return parse_recipe(text)
    import json

    try:
        document = json.loads(Path(text).read_bytes())
    except OSError as error:
        raise CommandError(f"{text}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CommandError(f"{text}: is not JSON: {error}") from error
    if isinstance(document, dict) and isinstance(document.get("recipe"), dict):
        document = document["recipe"]
    return read_recipe(document)


def _load(file: Path, choices: Choices) -> tuple[Input, str]:
    """Read a file; frequency comes as the numbers of the file, not summed to phase.

    Readings are phases, so the parser sums frequencies and bridges their gaps with the mean. A deviation must not use
    what was made up; read as if they were phases of unit 1, the values come as they are, and gaps stay gaps.
    """
    from timeball.formats import ColumnOptions

    wanted = choices.clocks or None
    kind = "frequency" if choices.nominal_hz is not None else choices.kind
    if kind != "frequency":
        unit_s = None if choices.unit is None else UNITS_S[choices.unit]
        options = ColumnOptions(kind=kind, tau0_s=choices.tau0_s, unit_s=unit_s)
        data = load_file(file, clocks=wanted, columns=options, tell=False)
        if data.header.get("kind") != "frequency":
            report_defects(data.defects)
            return data, "phase"
    raw = load_file(file, clocks=wanted, columns=ColumnOptions(kind="phase", tau0_s=choices.tau0_s, unit_s=1.0))
    return raw, "frequency" if raw.kind in ("columns", "stable32") else "phase"


def _values(series: Series, nominal_hz: float | None) -> NDArray[np.float64]:
    """Give phase or fractional frequency; hertz become y = (f − f₀)/f₀, in this order, which costs no digits."""
    if nominal_hz is None:
        return series.x
    if not nominal_hz > 0:
        raise click.BadParameter("must be above 0", param_hint="--nominal")
    fraction: NDArray[np.float64] = (series.x - nominal_hz) / nominal_hz
    return fraction


def chosen_factors(tau: str, tau0_s: float, tau_ratio: float = 1.0) -> str | list[int]:
    """Turn `--tau` into a spacing, or times into averaging factors: m = τ/(tau_ratio τ₀), a whole number.

    Raises click.BadParameter for what is neither.
    """
    from timeball.stability import SPACINGS

    if tau in SPACINGS:
        return tau
    factors = []
    for text in tau.split(","):
        try:
            ratio = float(text) / (tau_ratio * tau0_s)
        except ValueError:
            raise click.BadParameter(
                f"{text!r} is neither a spacing nor a time in seconds", param_hint="--tau"
            ) from None
        if not (ratio >= 0.5 and abs(ratio - round(ratio)) <= 1e-6 * ratio):
            message = f"{text.strip()} s is not a multiple of the interval, {tau_ratio * tau0_s:g} s"
            raise click.BadParameter(message, param_hint="--tau")
        if ratio >= LONGEST_RATIO:
            raise click.BadParameter(f"{text.strip()} s is longer than any record", param_hint="--tau")
        factors.append(round(ratio))
    return factors
