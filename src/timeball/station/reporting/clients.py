"""Who asks the NTP server: its table of sources as rows, by address or by network, sorted and cut to the first few.

The table holds addresses of people: its file has mode 0600, and what is read here goes to whoever may read that. Ages
are by CLOCK_MONOTONIC_RAW; None for a table that an earlier boot has left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from timeball.station.hosttime.hostclocks import BootId
from timeball.station.serving.sources import Sources


@dataclass(frozen=True)
class Client:
    """An address, or a network of `addresses` of them.

    `limited` and `nts` are parts of `requests`. `rate_hz` is the mean between the first and the last request, `seen_s`
    the age of the last; None where it cannot be told.
    """

    address: str
    prefix: str
    addresses: int
    requests: int
    limited: int
    nts: int
    rate_hz: float | None
    seen_s: float | None


SORTS: Final = ("requests", "limited", "nts", "rate", "seen", "address")


def clients_of(sources: Sources, boot: BootId, raw_ns: int) -> list[Client]:
    """A row an address, in the order of the table, as seen at `raw_ns` of this boot."""
    rows = _rows(sources)
    known = boot.known and sources.boot_id == boot.words
    return [_client(address, prefix, [row], raw_ns if known else None) for address, prefix, row in rows]


def networks_of(sources: Sources, boot: BootId, raw_ns: int) -> list[Client]:
    """A row a network that shares a limit (IPv4 /24, IPv6 /48)."""
    found: dict[str, list[Row]] = {}
    for _, prefix, row in _rows(sources):
        found.setdefault(prefix, []).append(row)
    known = boot.known and sources.boot_id == boot.words
    return [_client(prefix, prefix, rows, raw_ns if known else None) for prefix, rows in found.items()]


def sort_clients(clients: Sequence[Client], by: str) -> list[Client]:
    """By one of `SORTS`: the greatest first, of `seen` the newest, `address` as text; ties by address."""
    ordered = sorted(clients, key=lambda one: one.address)
    if by == "address":
        return ordered
    if by == "seen":
        return sorted(ordered, key=lambda one: float("inf") if one.seen_s is None else one.seen_s)
    name = "rate_hz" if by == "rate" else by
    return sorted(ordered, key=lambda one: -(getattr(one, name) or 0))


Row = tuple[int, int, int, int, int]
"""Requests, limited, nts, first and last RAW (ns)."""


def _rows(sources: Sources) -> list[tuple[str, str, Row]]:
    columns = (sources.requests, sources.limited, sources.nts, sources.first_seen_ns, sources.last_seen_ns)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return list(zip(sources.address, sources.prefix, rows, strict=True))


def _client(name: str, prefix: str, rows: Sequence[Row], raw_ns: int | None) -> Client:
    requests, limited, nts = (sum(row[column] for row in rows) for column in range(3))
    first_ns, last_ns = min(row[3] for row in rows), max(row[4] for row in rows)
    rate_hz = (requests - 1) / ((last_ns - first_ns) * 1e-9) if requests > 1 and last_ns > first_ns else None
    seen_s = max(0.0, (raw_ns - last_ns) / 1e9) if raw_ns is not None else None
    return Client(name, prefix, len(rows), requests, limited, nts, rate_hz, seen_s)
