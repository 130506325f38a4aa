"""`timeball roughtime server-list`: show a server list, or add a server to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from timeball.cli.output import CommandError, format_table, print_json

if TYPE_CHECKING:
    from timeball.protocols.roughtime.serverlist import ServerList


@click.command("server-list")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--add", help="name of a server to add or replace; the file is made when there is none")
@click.option("--key", help="its long-term public key, base64")
@click.option("--address", "addresses", multiple=True, help="where it is asked: udp:host:port or tcp:host:port")
@click.option("--version", "text", default="1", show_default=True, help="the highest version it speaks")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(file: Path, add: str | None, key: str | None, addresses: tuple[str, ...], text: str, as_json: bool) -> None:
    """Check and show the server list FILE (RFC 10049, application/roughtime-server+json).

    \b
    timeball roughtime server-list servers.json
    timeball roughtime server-list servers.json --add Ours --key Ixu7gqjJ9TU6IxsO8wxZxAFT5te6FcZZQq5vXFl35JE= \\
        --address udp:roughtime.example:5319 --address tcp:roughtime.example:5319
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.protocols.roughtime.delegation import encode_base64
    from timeball.protocols.roughtime.serverlist import ServerList, parse_list, write_list
    from timeball.protocols.roughtime.versions import version_name

    servers = parse_list(file.read_bytes()) if add is None or file.exists() else ServerList(())
    if add is not None:
        servers = _with(servers, add, key, addresses, text)
        file.write_text(write_list(servers), "utf-8")
    rows = [
        [one.name, version_name(one.version), " ".join(f"{each.protocol}:{each.text}" for each in one.addresses)]
        for one in servers.servers
    ]
    keys = [encode_base64(one.public_key) for one in servers.servers]
    if as_json:
        documents = [
            {"name": row[0], "version": row[1], "addresses": row[2].split(), "public_key": public_key}
            for row, public_key in zip(rows, keys, strict=True)
        ]
        print_json({"servers": documents, "sources": servers.sources, "reports": servers.reports or None})
        return
    table = [[*row, public_key] for row, public_key in zip(rows, keys, strict=True)]
    click.echo(format_table(["server", "version", "addresses", "public key"], table, left=4))


def _with(servers: ServerList, name: str, key: str | None, addresses: tuple[str, ...], text: str) -> ServerList:
    from dataclasses import replace

    from timeball.cli.roughtime_words import public_key_option, versions_option
    from timeball.protocols.roughtime.serverlist import Server, parse_address

    if key is None or not addresses:
        raise CommandError("--add needs --key and at least one --address")
    split = [address.partition(":") for address in addresses]
    places = tuple(parse_address(protocol, place) for protocol, _, place in split)
    server = Server(name, versions_option((text,))[0], public_key_option(key), places)
    others = tuple(one for one in servers.servers if one.name != name)
    return replace(servers, servers=(*others, server))
