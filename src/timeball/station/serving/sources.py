"""The table of sources in a file, STATE/run/sources: who asked, how often, when last, and how often in vain.

The server writes it in place while it answers, without a lock; whoever reads it takes what stands. Layout, in 64-bit
words of the host's byte order: a page of 4096 bytes, then a row of eight words for each place of the table:

| word of the head | meaning |
|---|---|
| 0 | magic, 8 ASCII bytes: `TBALL-SO` |
| 1 | layout version: 1 |
| 2 | rows |
| 3, 4 | boot id |

| word of a row | meaning |
|---|---|
| 0, 1 | the address, 128 bits; of IPv4 as ::ffff:a.b.c.d; both 0: nobody |
| 2 | requests, all of them |
| 3 | of these, over a limit |
| 4 | of these, accepted over NTS |
| 5, 6 | RAW at the first and at the last request, ns |
| 7 | unused, 0 |

A place is given to another address when the table is full, so the file never grows. Where several loops answer, counts
of one address may miss a few requests that two of them took at the same instant.
"""

from __future__ import annotations

import ipaddress
import mmap
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from timeball.station.hosttime.hostclocks import BootId
from timeball.station.paths import run_dir

Words = NDArray[np.int64]

MAGIC = int(np.frombuffer(b"TBALL-SO", np.int64)[0])
VERSION = 1
HEAD_BYTES = 4096
ROW_WORDS = 8
ADDRESS_HIGH, ADDRESS_LOW, REQUESTS, LIMITED, NTS, FIRST_RAW, LAST_RAW = range(7)
MAPPED_LOW = 0xFFFF << 32
"""The low word of an IPv4 address 0.0.0.0 in its IPv6 form."""
V4_PREFIX, V6_PREFIX = 24, 48
_READS = 3


class SourcesError(ValueError):
    """No table of sources of this layout is there; the sentence says why."""


@dataclass(frozen=True)
class Sources:
    """One row an address, in no order: all columns have the same length.

    `prefix` is the network that shares a limit. `first_seen_ns` and `last_seen_ns` are readings of
    CLOCK_MONOTONIC_RAW on the boot `boot_id`.
    """

    boot_id: tuple[int, int]
    address: tuple[str, ...]
    prefix: tuple[str, ...]
    requests: Words
    limited: Words
    nts: Words
    first_seen_ns: Words
    last_seen_ns: Words


def sources_file(state: Path) -> Path:
    """STATE/run/sources, mode 0600: addresses of people."""
    return run_dir(state) / "sources"


def create_sources(path: Path, rows: int, boot: BootId) -> Words:
    """Put an empty table in place of the old one; int64[rows, ROW_WORDS] mapped from the file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        size = HEAD_BYTES + 8 * ROW_WORDS * rows
        os.ftruncate(descriptor, size)
        words = np.frombuffer(mmap.mmap(descriptor, size), np.int64)
        words[:5] = MAGIC, VERSION, rows, *boot.words
        beside.replace(path)
    finally:
        os.close(descriptor)
    return words[HEAD_BYTES // 8 :].reshape(rows, ROW_WORDS)


def read_sources(path: Path) -> Sources:
    """Everybody in the table. A row that changes hands while it is read is left out. Raises SourcesError."""
    head, rows = _read(path)
    for _ in range(_READS):
        again = _read(path)[1]
        same = len(again) == len(rows) and (again[:, :2] == rows[:, :2]).all(axis=1)
        rows = again
        if np.all(same):
            break
    kept = rows[np.logical_and(same, rows[:, :2].any(axis=1))]
    addresses = [address_of(high, low) for high, low in kept[:, :2].tolist()]
    return Sources(
        boot_id=(int(head[3]), int(head[4])),
        address=tuple(str(address) for address in addresses),
        prefix=tuple(prefix_of(address) for address in addresses),
        requests=kept[:, REQUESTS],
        limited=kept[:, LIMITED],
        nts=kept[:, NTS],
        first_seen_ns=kept[:, FIRST_RAW],
        last_seen_ns=kept[:, LAST_RAW],
    )


def address_of(high: int, low: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address of two words."""
    if high == 0 and low >> 32 == 0xFFFF:
        return ipaddress.IPv4Address(low & 0xFFFFFFFF)
    return ipaddress.IPv6Address((high % 2**64) << 64 | low % 2**64)


def words_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> tuple[int, int]:
    """The two signed words of an address."""
    if isinstance(address, ipaddress.IPv4Address):
        return 0, MAPPED_LOW | int(address)
    high, low = divmod(int(address), 2**64)
    return (high + 2**63) % 2**64 - 2**63, (low + 2**63) % 2**64 - 2**63


def prefix_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """The network that shares a limit with this address: IPv4 /24, IPv6 /48."""
    length = V4_PREFIX if address.version == 4 else V6_PREFIX
    return str(ipaddress.ip_network((address, length), strict=False))


def _read(path: Path) -> tuple[Words, Words]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourcesError(f"{path}: {error.strerror}; the server writes it while it runs") from None
    try:
        return table_in(data)
    except SourcesError as error:
        raise SourcesError(f"{path}: {error}") from None


def table_in(data: bytes) -> tuple[Words, Words]:
    """The words of the head, and the rows int64[n, ROW_WORDS], of a table's bytes. Raises SourcesError."""
    words = np.frombuffer(data[: len(data) // 8 * 8], np.int64)
    if len(data) < HEAD_BYTES or words[0] != MAGIC or words[1] != VERSION:
        raise SourcesError(f"no table of sources of layout {VERSION}")
    rows = int(words[2])
    if not 0 <= rows <= (len(data) - HEAD_BYTES) // (8 * ROW_WORDS):
        raise SourcesError(f"{rows} rows do not fit {len(data)} bytes")
    return words, words[HEAD_BYTES // 8 :][: rows * ROW_WORDS].reshape(rows, ROW_WORDS)
