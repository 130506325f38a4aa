"""`timeball ledger backup`: a copy of a state folder that is good although the station is running."""

from __future__ import annotations

from pathlib import Path

import click

from timeball.cli.output import CannotReachError, print_json
from timeball.cli.progress import progress_bar


@click.command("backup")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--state", type=click.Path(path_type=Path), help="state folder; default: the user's XDG state folder")
@click.option("--keys", is_flag=True, help="also the private keys: then the backup is as secret as they are")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(folder: Path, state: Path | None, keys: bool, as_json: bool) -> None:
    """Copy the ledger and what else is lasting into FOLDER, or bring the copy there up to date.

    The station may be running. What is there already is not copied again.
    """
    from timeball.station.keeping.backup import back_up
    from timeball.station.keeping.lock import KeepingBusyError
    from timeball.station.paths import default_state_dir

    path = (default_state_dir() if state is None else state).absolute()
    if not (path / "ledger" / "checkpoint").exists():
        raise CannotReachError(f"{path}: no ledger here (no ledger/checkpoint)")
    try:
        with progress_bar("entries") as progress:
            head = back_up(path, folder, keys=keys, progress=progress)
    except KeepingBusyError as error:
        raise CannotReachError(str(error)) from error
    if as_json:
        print_json({"ok": True, "folder": str(folder), "origin": head.origin, "size": head.size, "keys": keys})
        return
    click.echo(f"backed up: {head.size} entries of {head.origin} in {folder}, {'with' if keys else 'without'} keys")
