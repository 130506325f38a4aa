"""`timeball replay`: recompute scale and steers from the recorded readings, and compare."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timeball.cli.output import CannotReachError, EvidenceFailedError, print_json
from timeball.cli.progress import progress_bar

if TYPE_CHECKING:
    from timeball.station.fold.replay import ReplayReport


@click.command("replay")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(path: Path, as_json: bool) -> None:
    """Replay the ledger of the state folder PATH.

    Recorded scale steps, steers and snapshots are removed and computed again from the recorded readings. Decisions
    must be equal exactly, phases to 1 fs; exit code 4 and one sentence that says which entry when they are not.
    """
    from timeball.station.fold.replay import ReplayError, replay

    if not (path / "ledger" / "checkpoint").exists():
        raise CannotReachError(f"{path}: no ledger here (no ledger/checkpoint)")
    try:
        with progress_bar("replaying") as progress:
            report = replay(path, progress)
    except ReplayError as error:
        if as_json:
            print_json({"ok": False, "path": str(path), "index": error.index, "reason": error.reason})
        raise EvidenceFailedError(f"{path}: replay failed: {error}") from error
    if as_json:
        print_json({"ok": True, "path": str(path), **report_document(report)})
        return
    for line in sentences(report):
        click.echo(line)


def report_document(report: ReplayReport) -> dict[str, Any]:
    """What a replay compared, for JSON."""
    return {name: getattr(report, name) for name in ("entries", "agreed", "pending", "unchecked", "cannot_check")}


def sentences(report: ReplayReport) -> Iterator[str]:
    """What a replay compared, in words."""
    agreed = ", ".join(f"{count} {name}" for name, count in report.agreed.items()) or "no decisions"
    yield f"replayed: {agreed} follow from the recorded readings, decisions exactly and phases to 1 fs"
    if report.pending:
        yield f"  not yet recorded: {report.pending} decisions that follow from the newest readings"
    if report.unchecked:
        yield f"  not checked: {report.unchecked} recorded decisions"
    for sentence in report.cannot_check:
        yield f"  cannot check: {sentence}"
