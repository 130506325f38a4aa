"""`timeball steer approve`: a person's decision that what is doubted of a bulletin counts, recorded."""

from __future__ import annotations

from pathlib import Path

import click

from timeball.cli.output import print_json


@click.command("approve", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("entry", type=click.IntRange(min=0))
@click.option("--state", type=click.Path(path_type=Path), help="State folder; default: the user's XDG state folder.")
@click.option("--why", required=True, help="Why; it is recorded for good and may be published, so it must name nobody.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(entry: int, state: Path | None, why: str, as_json: bool) -> None:
    """Approve the bulletin in ENTRY of a running station's ledger: its doubted values count from now on.

    Which are doubted, and by how much they are off, stands in the log of the timekeeper and in `doubt` entries.

    \b
    timeball steer approve 1204 --why "UTC(TB) was stepped by 1 us on MJD 61361"
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.cli.steer_approving import approve
    from timeball.station.recording.approving import ask_accept

    recorded, memory = approve(state, lambda memory: ask_accept(memory, entry, why))
    epochs = [str(one.epoch) for one in memory.doubted or () if one.entry == entry]
    if as_json:
        print_json({"ok": True, "entry": recorded, "bulletin": entry, "epochs_tai_ns": epochs, "why": why})
        return
    click.echo(f"Entry {recorded} says so: {len(epochs)} value(s) of the bulletin in entry {entry} count from now on.")
