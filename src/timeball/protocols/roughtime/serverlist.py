"""Server lists: which servers there are, with their long-term keys and addresses, as JSON (RFC 10049, 8.3)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from timeball.protocols.roughtime.delegation import KEY_BYTES, decode_base64, encode_base64
from timeball.protocols.roughtime.errors import ServerListError

MEDIA_TYPE = "application/roughtime-server+json"
KEY_TYPE = "ed25519"
PROTOCOLS = ("udp", "tcp")
MOST_SERVERS = 10_000
# IPv6 in brackets and without a zone, else a name or dotted decimals; a port of decimal digits
_ADDRESS = re.compile(r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):([0-9]{1,5})$")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is asked; `protocol` udp or tcp."""

    protocol: str
    host: str
    port: int

    @property
    def text(self) -> str:
        """As it stands in a list."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Server:
    """One server; `version` is the highest it speaks."""

    name: str
    version: int
    public_key: bytes
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class ServerList:
    """A list; `sources` where newer ones are had, `reports` where malfeasance is reported (empty: nowhere)."""

    servers: tuple[Server, ...]
    sources: tuple[str, ...] = ()
    reports: str = ""


def parse_address(protocol: str, text: str) -> Address:
    """An address `host:port` or `[v6]:port`. Raises ServerListError."""
    found = _ADDRESS.match(text) if isinstance(text, str) else None
    if protocol not in PROTOCOLS:
        raise ServerListError(f"the protocol {protocol!r} is neither udp nor tcp")
    if found is None or int(found[2]) > 65535:
        raise ServerListError(f"{text!r} is no address host:port or [v6]:port")
    return Address(protocol, found[1].strip("[]"), int(found[2]))


def parse_list(text: str | bytes) -> ServerList:
    """Read a list. Raises ServerListError. Servers with keys of another type than ed25519 are left out."""
    try:
        document = json.loads(text)
        rows = document["servers"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ServerListError("this is no server list: no JSON with a list of servers") from error
    if not isinstance(rows, list) or len(rows) > MOST_SERVERS:
        raise ServerListError(f"this is no server list: its servers are no list of at most {MOST_SERVERS}")
    servers = tuple(_server(row, index) for index, row in enumerate(rows) if _of_our_type(row))
    sources, reports = document.get("sources", []), document.get("reports", "")
    if not isinstance(sources, list):
        raise ServerListError("sources is no list of URLs")
    for url in [*sources, *([reports] if reports else [])]:
        if not isinstance(url, str) or not url.startswith("https://"):
            raise ServerListError(f"{url!r} is no https URL")
    return ServerList(servers, tuple(sources), reports)


def write_list(servers: ServerList) -> str:
    """Write a list."""
    document: dict[str, Any] = {
        "servers": [
            {
                "name": server.name,
                "version": server.version,
                "publicKeyType": KEY_TYPE,
                "publicKey": encode_base64(server.public_key),
                "addresses": [{"protocol": each.protocol, "address": each.text} for each in server.addresses],
            }
            for server in servers.servers
        ]
    }
    if servers.sources:
        document["sources"] = list(servers.sources)
    if servers.reports:
        document["reports"] = servers.reports
    return json.dumps(document, indent=1) + "\n"


def _of_our_type(row: Any) -> bool:
    return not isinstance(row, dict) or row.get("publicKeyType", KEY_TYPE) == KEY_TYPE


def _server(row: Mapping[str, Any], index: int) -> Server:
    try:
        name, version, addresses = row["name"], row["version"], row["addresses"]
        key = decode_base64(row["publicKey"])
        if not isinstance(name, str) or not _is_integer(version) or len(key) != KEY_BYTES:
            raise ServerListError(f"server {index + 1}: name, version or publicKey is not what it should be")
        return Server(name, version, key, _addresses(addresses))
    except (KeyError, TypeError, ValueError) as error:
        raise ServerListError(f"server {index + 1}: something is missing or of another kind") from error


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32


def _addresses(rows: Sequence[Mapping[str, str]]) -> tuple[Address, ...]:
    found = tuple(parse_address(row["protocol"], row["address"]) for row in rows)
    if not found:
        raise ServerListError("a server has no address")
    return found
