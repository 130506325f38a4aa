"""`timeball ledger restore`: a state folder from a backup or a mirror, when no witness has seen a newer head."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from timeball.cli.output import CommandError, print_json
from timeball.cli.progress import progress_bar

if TYPE_CHECKING:
    from timeball.station.keeping.restoring import Restored

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("restore")
@click.argument("source", type=_FOLDER, metavar="BACKUP")
@click.argument("state", type=click.Path(path_type=Path))
@click.option("--policy", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="who the witnesses are")
@click.option("--from-mirror", "mirror", type=_FOLDER, help="a mirror that has what the backup lacks")
@click.option("--keys", type=_FOLDER, help="where log.key and the other keys are (default: BACKUP/keys)")
@click.option("--without-witnesses", is_flag=True, help="go on although too few witnesses answer; it is recorded")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(
    source: Path,
    state: Path,
    policy: Path | None,
    mirror: Path | None,
    keys: Path | None,
    without_witnesses: bool,
    as_json: bool,
) -> None:
    """Make the state folder STATE from BACKUP, a backup, a copy of a state folder, or a mirror.

    Everything is verified first, and the witnesses are asked for the newest head. Exit code 4 when BACKUP does not
    verify, or when going on from it would be a fork: entries that a witness has seen are not in it.
    """
    from timeball.station.keeping.guard import load_policy
    from timeball.station.keeping.restoring import Plan, restore

    if policy is None and not without_witnesses:
        raise CommandError("say who is asked for the newest head (--policy FILE), or --without-witnesses")
    witnesses = None if policy is None else load_policy(str(policy))
    plan = Plan(source, keys, mirror, witnesses, without_witnesses)
    with progress_bar("entries") as progress:
        done = restore(plan, state.absolute(), progress)
    if as_json:
        said = {answer.witness: answer.words() for answer in done.answers}
        counts = {"size": done.size, "from_mirror": done.from_mirror, "erased": done.erased, "withheld": done.withheld}
        print_json({"ok": True, "state": str(state), **counts, "witnesses": said})
        return
    _tell(done, state)


def _tell(done: Restored, state: Path) -> None:
    click.echo(f"restored: {done.size} entries in {state}")
    if done.from_mirror:
        first = done.size - done.from_mirror
        click.echo(f"  mirror      entries {first} to {done.size - 1} come from there")
    if done.erased:
        click.echo(f"  erased      {done.erased} payloads, once more")
    if done.withheld:
        click.echo(f"  lost        {done.withheld} payloads: the mirror may not read them, and the backup is older")
    for answer in done.answers:
        click.echo(f"  witness     {answer.witness}: {answer.words()}")
    if not done.answers:
        click.echo("  witness     nobody was asked: the next start records that")
