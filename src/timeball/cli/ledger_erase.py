"""`timeball ledger erase`: payloads erased, through the recorder while it runs, or in a folder that nobody writes."""

from __future__ import annotations

from pathlib import Path

import click

from timeball.cli.output import CannotReachError, CommandError, print_json


@click.command("erase")
@click.argument("indices", type=click.IntRange(min=0), nargs=-1, required=True, metavar="INDEX...")
@click.option("--state", type=click.Path(path_type=Path), help="state folder; default: the user's XDG state folder")
@click.option("--reason", required=True, help="why; it is recorded, so it must name nobody")
@click.option("--force", is_flag=True, help="also entries by which time was decided: a replay cannot check them then")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(indices: tuple[int, ...], state: Path | None, reason: str, force: bool, as_json: bool) -> None:
    """Erase the payloads of the entries INDEX...: zeros in their place, and an entry that says which and why.

    The tree stays whole and verifies. Backups and mirrors keep their copies until they follow the erasure.
    """
    from timeball.station.keeping.offline import erase
    from timeball.station.paths import default_state_dir
    from timeball.station.recording.errors import EntryRefusedError, StoreDamagedError, StoreLockedError

    folder = (default_state_dir() if state is None else state).absolute()
    if not (folder / "ledger" / "checkpoint").exists():
        raise CannotReachError(f"{folder}: no ledger here (no ledger/checkpoint)")
    try:
        entry = erase(folder, indices, reason, force=force)
    except (EntryRefusedError, StoreDamagedError) as error:
        raise CommandError(str(error)) from error
    except StoreLockedError as error:
        raise CannotReachError(f"{error}, and does not answer on its socket") from error
    erased = sorted(set(indices))
    if as_json:
        print_json({"ok": True, "entry": entry, "indices": erased, "reason": reason})
        return
    click.echo(f"erased: {len(erased)} payload{'s' if len(erased) > 1 else ''}; entry {entry} says so")
