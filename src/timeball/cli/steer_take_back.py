"""`timeball steer take-back`: a person's decision that the last steer of UTC(k) is taken back, recorded."""

from __future__ import annotations

from pathlib import Path

import click

from timeball.cli.output import print_json


@click.command("take-back", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--state", type=click.Path(path_type=Path), help="State folder; default: the user's XDG state folder.")
@click.option("--why", required=True, help="Why; it is recorded for good and may be published, so it must name nobody.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(state: Path | None, why: str, as_json: bool) -> None:
    """Take the last steer of a running station's UTC(k) back: an entry of the ledger says so, and a replay obeys it.

    With the next steer the rate before it holds again. The phase it has moved stays: nothing is stepped, and the law
    brings it home. The bulletin or reading that it answered is not answered again.

    \b
    timeball steer take-back --why "UTCr of week 47 was withdrawn"
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.cli.steer_approving import approve
    from timeball.instants import Instant, format_utc
    from timeball.station.hosttime.leaps import load_leap_table
    from timeball.station.recording.approving import ask_take_back
    from timeball.steering.envelope import NS_PER_DAY

    entry, memory = approve(state, lambda memory: ask_take_back(memory, why))
    undo = memory.undo
    assert undo is not None
    if as_json:
        print_json({"ok": True, "entry": entry, "steer_tai_ns": str(undo.epoch), "rate": undo.rate, "why": why})
        return
    click.echo(
        f"Entry {entry} asks for it: the steer decided at {format_utc(Instant.from_ns(undo.epoch), load_leap_table())} "
        f"is taken back. With the next steer the rate of UTC(k) against TA(k) is {undo.rate * NS_PER_DAY:+.4f} ns/day "
        "again; the phase it has moved stays."
    )
