"""`timeball clients`: who asks the NTP server of a station, how often, and in vain."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from timeball.cli.output import CannotReachError, format_seconds, format_table, print_json

if TYPE_CHECKING:
    from timeball.station.reporting.clients import Client

SORTS = ("requests", "limited", "nts", "rate", "seen", "address")


@click.command("clients", epilog="Example: timeball clients --prefix --sort limited --top 10")
@click.option(
    "--state", type=click.Path(path_type=Path), help="state folder of the station [default: XDG state folder]"
)
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True, help="rows to show")
@click.option("--sort", "by", type=click.Choice(SORTS), default="requests", show_default=True, help="order of the rows")
@click.option("--prefix", "networks", is_flag=True, help="a row a network (IPv4 /24, IPv6 /48), not an address")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(state: Path | None, top: int, by: str, networks: bool, as_json: bool) -> None:
    """Show who asks the NTP server: requests, over a limit, over NTS, how often and when last.

    The table is the server's own: addresses are forgotten when it is full (ntp.sources) and when the server starts.
    They belong to people: only the station's user may read them, and they go no further than this.
    """
    from timeball.station import paths
    from timeball.station.hosttime.hostclocks import boot_id, raw_ns
    from timeball.station.reporting.clients import clients_of, networks_of, sort_clients
    from timeball.station.serving.sources import SourcesError, read_sources, sources_file

    folder = state if state is not None else paths.default_state_dir()
    try:
        sources = read_sources(sources_file(folder))
    except SourcesError as error:
        raise CannotReachError(str(error)) from None
    found = sort_clients((networks_of if networks else clients_of)(sources, boot_id(), raw_ns()), by)
    if as_json:
        requests = sum(client.requests for client in found)
        print_json({"known": len(found), "requests": requests, "clients": [asdict(client) for client in found[:top]]})
    else:
        click.echo(table(found, top, networks=networks))


def table(found: list[Client], top: int, *, networks: bool) -> str:
    """The first rows, and how many there are."""
    what = "network" if networks else "address"
    headers = [what, *(["addresses"] if networks else []), "requests", "limited", "NTS", "a second", "last seen"]
    rows = [
        [
            one.address,
            *([str(one.addresses)] if networks else []),
            str(one.requests),
            str(one.limited),
            str(one.nts),
            "-" if one.rate_hz is None else f"{one.rate_hz:.3g}",
            "-" if one.seen_s is None else f"{format_seconds(one.seen_s, 3)} ago",
        ]
        for one in found[:top]
    ]
    total = sum(one.requests for one in found)
    known = f"1 {what}" if len(found) == 1 else f"{len(found)} {'networks' if networks else 'addresses'}"
    return f"{known}, {total} requests since the server started\n\n{format_table(headers, rows)}"
