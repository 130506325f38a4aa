"""`timeball ledger archive`: payloads older than a time go to cold storage, in Parquet; the ledger stays as it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from timeball.cli.output import CannotReachError, CommandError, print_json
from timeball.cli.progress import progress_bar


@click.command("archive")
@click.option("--state", type=click.Path(path_type=Path), help="state folder; default: the user's XDG state folder")
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="cold storage")
@click.option("--before", metavar="TIME", help="what was recorded before this UTC time, as 2026-11-22 or with a time")
@click.option("--keep-days", type=click.FloatRange(0, 36500), help="what is older than so many days")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(state: Path | None, folder: Path, before: str | None, keep_days: float | None, as_json: bool) -> None:
    """Move payloads into cold storage: readings as a table of numbers, everything else beside it.

    Everything is read back and compared with the ledger before anything is removed. `verify` and `replay` read on from
    cold storage by themselves. A running station may be archived.
    """
    from timeball.station.keeping.lock import KeepingBusyError
    from timeball.station.keeping.retention import archive_state
    from timeball.station.paths import default_state_dir

    if (before is None) == (keep_days is None):
        raise CommandError("say either --before TIME or --keep-days N")
    path = (default_state_dir() if state is None else state).absolute()
    if not (path / "ledger" / "checkpoint").exists():
        raise CannotReachError(f"{path}: no ledger here (no ledger/checkpoint)")
    limit = _parse_utc(before) if before is not None else datetime.now(UTC) - timedelta(days=keep_days or 0)
    try:
        with progress_bar("bundles") as progress:
            done = archive_state(path, folder, limit, progress)
    except KeepingBusyError as error:
        raise CannotReachError(str(error)) from error
    if as_json:
        names = ("bundles", "present", "bytes_before", "bytes_after", "parts")
        print_json({"ok": True, "folder": str(folder), **{name: getattr(done, name) for name in names}})
        return
    if not done.bundles and not done.present:
        click.echo(f"nothing to archive: no whole bundle of 256 entries is older than {limit:%Y-%m-%d %H:%M:%S} UTC")
        return
    ratio = f", {done.bytes_before / done.bytes_after:.1f} times smaller" if done.bytes_after else ""
    click.echo(f"archived: {done.bundles} bundles, {done.bytes_before} bytes as {done.bytes_after} in {folder}{ratio}")
    if done.present:
        click.echo(f"  {done.present} bundles had been archived before, and are now removed beside the ledger")


def _parse_utc(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--before: not a time such as 2026-11-22 or 2026-11-22T09:31:07Z: {text!r}") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
