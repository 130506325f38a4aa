"""`timeball diag`: everything that can be checked about a running station, a line each."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from timeball.cli.output import CannotReachError, ExitCode, format_duration, format_table, print_json

if TYPE_CHECKING:
    from timeball.station.reporting.diag import Check

BYTE_UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


@click.command("diag", epilog="Example: timeball diag --state /var/lib/timeball --seconds 10")
@click.option(
    "--state", type=click.Path(path_type=Path), help="state folder of the station [default: XDG state folder]"
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.0, 3600.0),
    default=1.0,
    show_default=True,
    help="time between the two looks that rates are taken from",
)
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(state: Path | None, seconds: float, as_json: bool) -> int:
    """Check a running station: state, value, limit and a sentence for each check.

    A state is ok, warn, fail or unknown (cannot be told here). Exit code 0 when nothing failed, else 3. It reads files
    and asks no process, but for one empty connection to the recorder.
    """
    from timeball.station import paths
    from timeball.station.reporting.diag import FAIL, diagnose, worst
    from timeball.station.reporting.view import Viewer

    folder = state if state is not None else paths.default_state_dir()
    if not paths.config_file(folder).exists():
        raise CannotReachError(f"{folder}: no station has run here (no run/config.json)")
    viewer = Viewer(folder)
    before = viewer.look()
    time.sleep(seconds)
    checks = diagnose(before, viewer.look())
    if as_json:
        print_json({"state": worst(checks), "checks": [asdict(check) for check in checks]})
    else:
        click.echo(table(checks))
    return ExitCode.OUT_OF_LIMITS if worst(checks) == FAIL else ExitCode.FINE


def table(checks: list[Check]) -> str:
    """The verdict in words, then a line a check."""
    from timeball.station.reporting.diag import STATES

    counts = Counter(check.state for check in checks)
    verdict = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    rows = [
        [check.state, check.name, figure(check.value, check.unit), figure(check.limit, check.unit), check.sentence]
        for check in checks
    ]
    return f"{verdict}\n\n" + _aligned(["state", "check", "value", "limit", "in words"], rows)


def _aligned(headers: list[str], rows: list[list[str]]) -> str:
    """As format_table, with the last column to the left again: sentences are read from their beginning."""
    figures = format_table(headers[:-1], [row[:-1] for row in rows], left=2).splitlines()
    width = max(len(line) for line in figures)
    sentences = [headers[-1], *(row[-1] for row in rows)]
    return "\n".join(f"{line.ljust(width)}  {words}".rstrip() for line, words in zip(figures, sentences, strict=True))


def figure(value: float | None, unit: str) -> str:
    """A figure with its unit for people; a dash where there is none."""
    if value is None:
        return "-"
    if unit == "s":
        return format_duration(value)
    if unit == "ratio":
        return f"{100 * value:.3g} %"
    if unit == "B":
        scale, name = next(((scale, name) for scale, name in BYTE_UNITS if abs(value) >= scale), (1.0, "B"))
        return f"{value / scale:.3g} {name}"
    return f"{value:g}"
