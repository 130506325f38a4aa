"""The sockets of an NTP address: bound once to find out whether it is free, then by as many loops as answer on it."""

from __future__ import annotations

import socket
import struct
import sys
from contextlib import suppress

from timeball.station.serving.interleaved import report_transmit_stamps
from timeball.station.serving.lanes import part_lanes
from timeball.station.supervision.process import CannotStartError

SO_TIMESTAMPNS = 35
IP_PKTINFO = 8
IP_MTU_DISCOVER, IP_PMTUDISC_PROBE = 10, 3
SO_MEMINFO, MEMINFO_WORDS, MEMINFO_DROPS = 55, 9, 8
RECEIVE_TIMEOUT_US = 200_000


def split_address(address: str) -> tuple[str, int]:
    """`host:port` or `[v6]:port` as (host, port). Raises ValueError."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def open_listener(address: str, *, shared: bool = False, transmit_stamps: bool = False) -> socket.socket:
    """A UDP socket on `host:port` with kernel receive stamps, `shared` or not. Raises CannotStartError in words."""
    try:
        host, port = split_address(address)
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        listener = socket.socket(family, kind, protocol)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        else:
            never_fragment(listener)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, RECEIVE_TIMEOUT_US))
        listener.bind(place)
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else str(error)
        raise CannotStartError(f"cannot serve NTP on {address}: {words}; change ntp.listen or free it") from error
    if wildcard_family(listener) != 0:
        tell_asked_address(listener)
    if transmit_stamps:
        report_transmit_stamps(listener)
    return listener


def never_fragment(listener: socket.socket) -> None:
    """Let IPv4 datagrams leave with DF set, whatever messages of ICMP say of a path.

    No reply is longer than its request, so it fits; nobody can have replies fragmented in order to forge a part of one,
    and the kernel need not look for an identification of each (RFC 6864 section 4.1).
    """
    listener.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE)


def open_lanes(address: str, plain: int, *, transmit_stamps: bool) -> list[socket.socket]:
    """Sockets that share an address: `plain` for short requests and one for long ones, which then have a queue apart.

    Where the kernel cannot part them all of them get everything. Raises CannotStartError in words.
    """
    # another process must not share it with us: who else holds the address is found out without sharing
    open_listener(address).close()
    lanes = [open_listener(address, shared=True, transmit_stamps=transmit_stamps) for _ in range(plain + 1)]
    with suppress(OSError):
        part_lanes(lanes)
    return lanes


def wildcard_family(listener: socket.socket) -> int:
    """4 or 6 for a socket bound to all addresses of the host, else 0."""
    host = listener.getsockname()[0]
    if host not in ("0.0.0.0", "::"):
        return 0
    return 4 if listener.family == socket.AF_INET else 6


def tell_asked_address(listener: socket.socket) -> None:
    """Have the kernel say with each datagram which of the host's addresses it was sent to."""
    if listener.family == socket.AF_INET:
        listener.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    else:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)


def lost_datagrams(listener: socket.socket) -> int:
    """How many datagrams found the socket's queue full (SK_MEMINFO_DROPS); 0 where the kernel does not tell."""
    with suppress(OSError):
        data = listener.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4 * MEMINFO_WORDS)
        return int.from_bytes(data[4 * MEMINFO_DROPS :][:4], sys.byteorder)
    return 0
