"""`timeball replay`: recompute scale and steers from the recorded readings, and compare."""

from __future__ import annotations

from pathlib import Path

import click

from timeball.cli.output import CannotReachError, print_json
from timeball.cli.progress import progress_bar


@click.command("replay")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(path: Path, as_json: bool) -> None:
    """Replay the ledger of the state folder PATH.

    Recorded scale steps, steers and snapshots are removed and computed again from the recorded readings. Decisions
    must be equal exactly, phases to 1 fs; exit code 4 and one sentence that says which entry when they are not.
    """
    from timeball.station.replay import replay

    if not (path / "ledger" / "checkpoint").exists():
        raise CannotReachError(f"{path}: no ledger here (no ledger/checkpoint)")
    with progress_bar("replaying") as progress:
        report = replay(path, progress)
    if as_json:
        print_json(
            {
                "ok": True,
                "path": str(path),
                "entries": report.entries,
                "agreed": report.agreed,
                "pending": report.pending,
                "cannot_check": report.cannot_check,
            }
        )
        return
    agreed = ", ".join(f"{count} {name}" for name, count in report.agreed.items()) or "no decisions"
    click.echo(f"replayed: {agreed} follow from the recorded readings, decisions exactly and phases to 1 fs")
    if report.pending:
        click.echo(f"  not yet recorded: {report.pending} decisions that follow from the newest readings")
    for sentence in report.cannot_check:
        click.echo(f"  cannot check: {sentence}")
