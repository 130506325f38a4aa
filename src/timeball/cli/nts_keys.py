"""`timeball nts keys`: which cookie keys there are, by number; never a key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from timeball.cli.output import CannotReachError, format_duration, format_table, print_json


@click.command("keys", epilog="Example: timeball nts keys --state /var/lib/timeball")
@click.option(
    "--state", type=click.Path(path_type=Path), help="state folder of the station [default: XDG state folder]"
)
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(state: Path | None, as_json: bool) -> None:
    """Show the cookie keys: the one in use, the one to come, the older ones, and since when.

    Reads the file of the keys, so only the station's user may. Keys are never shown, only their numbers.
    """
    from timeball.station import paths
    from timeball.station.configuration.settings import Config
    from timeball.station.hosttime.realtime import station_leaps
    from timeball.station.nts.keyfile import KeyFileError, keys_file, read_key_set
    from timeball.station.nts.moments import Clock, age_s

    folder = state if state is not None else paths.default_state_dir()
    try:
        keys = read_key_set(keys_file(folder))
    except KeyFileError as error:
        raise CannotReachError(f"{error}; is nts.listen set, and was the station ever started?") from None
    now = Clock(folder, station_leaps(Config())).moment()
    document: dict[str, Any] = {
        "current": keys.current.id,
        "used_s": age_s(keys.used, now),
        "next": None if keys.next is None else keys.next.id,
        "announced_s": None if keys.announced is None else age_s(keys.announced, now),
        "older": [key.id for key in keys.older],
        "source": keys.source,
    }
    if as_json:
        print_json(document)
    else:
        click.echo(table(document))


def table(document: dict[str, Any]) -> str:
    """A row a key, in the order in which they were and will be used."""
    rows = [["next", str(document["next"]), age(document["announced_s"])]] if document["next"] is not None else []
    rows.append(["in use", str(document["current"]), age(document["used_s"])])
    rows += [["older", str(number), ""] for number in document["older"]]
    made = f"\nfetched from {document['source']}" if document["source"] else ""
    return format_table(["key", "number", "since"], rows) + made


def age(seconds: float) -> str:
    """An age for people."""
    return format_duration(seconds) if seconds < float("inf") else "unknown"
