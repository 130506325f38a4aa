"""`timeball transfer closure`: links around triangles, which should add up to nothing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from timeball.cli.output import CommandError, format_table, print_json

if TYPE_CHECKING:
    from timeball.transfer.closure import Triangle

NS = 1e-9


@click.command("closure", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(files: tuple[Path, ...], as_json: bool) -> None:
    """Add up links around every triangle of clocks in FILES: (a − b) + (b − c) + (c − a), at the epochs all share.

    FILES are links as `--out` writes them, or any readings; put them on common epochs with --every or --at.

    \b
    timeball transfer closure ab.txt bc.txt ca.txt
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.cli.inputs import load_files
    from timeball.transfer.closure import triangles

    readings, inputs = load_files(files)
    found = triangles(readings)
    if not found:
        raise CommandError("no three clocks in these files are compared pair by pair at an epoch they share")
    if as_json:
        rows = [
            {
                "clocks": list(each.clocks), "mean_s": each.mean_s, "u_s": each.u_a_s, "rms_s": each.rms_s,
                "expected_s": each.expected_s, "n": int(each.epoch.size),
            }
            for each in found
        ]  # fmt: skip
        print_json({"triangles": rows, "rejected_lines": sum(each.rejected_lines for each in inputs)})
        return
    table = [
        (" → ".join(each.clocks), *(_ns(value) for value in _values(each)), str(each.epoch.size)) for each in found
    ]
    click.echo(format_table(("triangle", "mean/ns", "uA/ns", "rms/ns", "expected rms/ns", "n"), table))
    click.echo("\nexpected: from the uncertainties in the files; a mean of several uA is a calibration that is off.")


def _values(each: Triangle) -> tuple[float, ...]:
    return each.mean_s, each.u_a_s, each.rms_s, each.expected_s


def _ns(value_s: float) -> str:
    return f"{value_s / NS:.3f}" if math.isfinite(value_s) else "?"
