"""What the kernel says of a station's processes and sockets: memory, processor time, descriptors, dropped datagrams.

Read from proc(5); what cannot be read is None, never 0. Nothing here is judged.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
UDP_TABLES = ("udp", "udp6")


@dataclass(frozen=True)
class ProcessFacts:
    """One process: resident memory (bytes), processor time since its start (s), open descriptors, threads."""

    resident_bytes: int
    cpu_s: float
    descriptors: int | None
    threads: int


@dataclass(frozen=True)
class SocketFacts:
    """One UDP socket by its local port: bytes that wait to be read, and datagrams lost because its buffer was full."""

    port: int
    family: int
    waiting_bytes: int
    drops: int


def process_facts(pid: int | None, proc: Path = PROC) -> ProcessFacts | None:
    """What the kernel says of a process; None when it does not run."""
    folder = proc / str(pid)
    try:
        fields = (folder / "stat").read_text("ascii", "replace").rsplit(")", 1)[1].split()
        resident = int((folder / "statm").read_text("ascii").split()[1]) * PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return None
    if fields[0] in ("Z", "X"):
        return None
    cpu_s = (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return ProcessFacts(resident, cpu_s, _descriptors(folder), int(fields[17]))


def _descriptors(folder: Path) -> int | None:
    """Open descriptors; None where another user's process does not show them."""
    try:
        return len(os.listdir(folder / "fd"))
    except OSError:
        return None


def udp_sockets(ports: set[int], proc: Path = PROC) -> list[SocketFacts]:
    """Every UDP socket of this network namespace on one of the ports, in the kernel's order."""
    found = []
    for family, table in zip((4, 6), UDP_TABLES, strict=True):
        try:
            lines = (proc / "net" / table).read_text("ascii", "replace").splitlines()[1:]
        except OSError:
            continue
        sockets = (_socket(line.split(), family) for line in lines)
        found += [one for one in sockets if one is not None and one.port in ports]
    return found


def _socket(columns: list[str], family: int) -> SocketFacts | None:
    """A line of /proc/net/udp: sl, local address:port, remote, state, tx:rx queue, ... , drops last (proc(5))."""
    try:
        port, waiting = int(columns[1].rpartition(":")[2], 16), int(columns[4].partition(":")[2], 16)
        return SocketFacts(port, family, waiting, int(columns[-1]))
    except (IndexError, ValueError):
        return None


def port_of(address: str) -> int:
    """The port of host:port; 0 where there is none."""
    port = address.rpartition(":")[2]
    return int(port) if port.isdigit() else 0
