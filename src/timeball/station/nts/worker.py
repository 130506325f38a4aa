"""A process that shakes hands: `python -m timeball.station.nts.worker`, started by the keyexchange process alone.

It is given descriptors and nothing else: the listening sockets, the channel its orders come by, the counts. It reads no
file of the station, knows the one key that cookies are sealed under, and ends when the channel's other end is closed,
so it never outlives the process that started it.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from OpenSSL import SSL

from timeball.station.nts.certificate import CertificateError
from timeball.station.nts.control import Orders, receive_orders, service_of
from timeball.station.nts.counting import map_counts
from timeball.station.nts.loop import ExchangeLoop
from timeball.station.nts.networks import Limits
from timeball.station.nts.secretfile import Owner

if TYPE_CHECKING:  # a worker needs no settings of its own: it is told what it needs
    from timeball.station.configuration.serving import NTS

DRAIN_S = 1.0
GARBAGE_EVERY = 20000
log = logging.getLogger("keyexchange")


def worker_command(
    channel: int, counts: int, row: int, settings: NTS, listeners: Sequence[int], user: Owner | None = None
) -> list[str]:
    """The command line of a worker on these descriptors, which it must inherit; `user`: who it becomes."""
    words = [channel, counts, row, settings.connections, settings.handshake_s, *listeners]
    network = ["--network", settings.prefix_connections, settings.prefix_rate, settings.prefix_burst]
    become = [] if user is None else ["--become", *user]
    return [sys.executable, "-m", "timeball.station.nts.worker", *map(str, [*words, *network, *become])]


def drop(user: Owner) -> None:
    """Become this user and group for good; what was imported stays, what is not yet need not be readable."""
    from timeball.station.serving.dropping import forbid_new_privileges

    os.setgroups([])
    os.setresgid(user[1], user[1], user[1])
    os.setresuid(user[0], user[0], user[0])
    forbid_new_privileges()


def main(arguments: Sequence[str] | None = None) -> int:
    """Shake hands until the channel is closed."""
    parser = argparse.ArgumentParser()
    for name in ("channel", "counts", "row", "most"):
        parser.add_argument(name, type=int)
    parser.add_argument("limit_s", type=float)
    parser.add_argument("listeners", type=int, nargs="+")
    parser.add_argument("--network", type=float, nargs=3, required=True)
    parser.add_argument("--become", type=int, nargs=2)
    given = parser.parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", level=logging.INFO, stream=sys.stderr)
    # the terminal's ^C reaches the whole group; when to end is said by the channel
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = socket.socket(fileno=given.channel)
    channel.setblocking(True)
    first = _first(channel)
    if first is None:
        return 0
    channel.setblocking(False)
    listeners = [socket.socket(fileno=each) for each in given.listeners]
    counts = map_counts(given.counts, given.row)
    limits = Limits(int(given.network[0]), given.network[1], given.network[2])
    loop = ExchangeLoop(listeners, service_of(first), counts, given.most, given.limit_s, limits)
    loop.watch(channel.fileno())
    if given.become:
        drop((given.become[0], given.become[1]))
    # what stands here stays: the collector need not look at it over and over, nor after every few connections
    gc.freeze()
    gc.set_threshold(GARBAGE_EVERY)
    while _follow(channel, loop):
        loop.turn()
    loop.drain(DRAIN_S)
    return 0


def _first(channel: socket.socket) -> Orders | None:
    """The first orders: without them there is nothing to hand out."""
    channel.recv(1, socket.MSG_PEEK)
    channel.setblocking(False)
    return receive_orders(channel)


def _follow(channel: socket.socket, loop: ExchangeLoop) -> bool:
    """Take new orders, if there are any; false when the channel is closed."""
    try:
        orders = receive_orders(channel)
    except BlockingIOError:
        return True
    except OSError:
        return False
    if orders is None:
        return False
    try:
        loop.service = service_of(orders)
    except (CertificateError, SSL.Error):
        log.exception("orders that cannot be followed; going on as before")
    return True


if __name__ == "__main__":
    sys.exit(main())
