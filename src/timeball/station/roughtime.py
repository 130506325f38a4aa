"""The Roughtime server process: `python -m timeball.station.roughtime --state DIR`.

It opens the addresses of `roughtime.listen` over UDP and TCP and signs what the clock page says (RFC 10049). While the
page is absent, stale or withdrawn it answers nothing: Roughtime has no way to say "unsynchronised". It holds the online
key in memory, and the long-term key only where no file of delegations is configured. It writes the page of its
counters, and nothing else. Started by root it becomes `ntp.user` before it answers anybody.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from timeball.formats.defects import FormatError
from timeball.protocols.roughtime.delegation import encode_base64
from timeball.protocols.roughtime.errors import KeyFileError
from timeball.protocols.roughtime.server import make_identity
from timeball.protocols.roughtime.versions import parse_version
from timeball.station.configuration.serving import Roughtime
from timeball.station.hosttime.hostclocks import BootId, boot_id, boottime_ns
from timeball.station.hosttime.realtime import station_leaps
from timeball.station.page.clockpage import PageWriter
from timeball.station.page.roughtimepage import COUNTERS, RoughtimePage, roughtime_page
from timeball.station.serving.dropping import become
from timeball.station.supervision.process import CannotStartError, Process, run_process
from timeball.station.supervision.threads import answer_until_stopped
from timeball.station.timesigning.answering import Answering, Host
from timeball.station.timesigning.clock import CompiledClock, PlainClock
from timeball.station.timesigning.datagrams import (
    CompiledBatches,
    DatagramThread,
    MakeBatches,
    PlainBatches,
    prepare_socket,
)
from timeball.station.timesigning.keys import (
    Keys,
    KeysFromFile,
    KeysMadeHere,
    load_or_make_long_term_key,
    long_term_key_file,
)
from timeball.station.timesigning.streams import StreamThread

BACKLOG = 128

Threads = Sequence[DatagramThread | StreamThread]


def open_keys(settings: Roughtime, state: Path) -> Keys:
    """The online keys as configured. Raises CannotStartError in words."""
    versions = [parse_version(text) for text in settings.versions]
    try:
        if settings.delegation:
            return KeysFromFile(Path(settings.delegation).absolute(), versions)
        seed = load_or_make_long_term_key(long_term_key_file(state))
    except KeyFileError as error:
        raise CannotStartError(f"roughtime.delegation: {error}") from error
    return KeysMadeHere(seed, versions, settings.delegate_s)


def open_sockets(address: str) -> tuple[socket.socket, socket.socket]:
    """A UDP and a listening TCP socket on `host:port`. Raises CannotStartError in words."""
    host, _, port = address.rpartition(":")
    with ExitStack() as opened:
        try:
            family, _, _, _, place = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
            both = []
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                both.append(opened.enter_context(socket.socket(family, kind)))
                if family == socket.AF_INET6:
                    both[-1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            prepare_socket(both[0])
            both[1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            for each in both:
                each.bind(place)
            both[1].listen(BACKLOG)
        except (OSError, ValueError) as error:
            words = error.strerror if isinstance(error, OSError) else str(error)
            raise CannotStartError(
                f"cannot serve Roughtime on {address}: {words}; change roughtime.listen or free it"
            ) from error
        opened.pop_all()
    return both[0], both[1]


def choose_batches(loop: str) -> MakeBatches:
    """The compiled loop, or the plain one where it is asked for or where numba or libcrypto is missing.

    Raises CannotStartError when the compiled one is asked for and cannot be had.
    """
    if loop == "plain":
        return PlainBatches
    try:
        from timeball.protocols.roughtime.libcrypto import FOUND
    except ImportError:
        FOUND = False
    if FOUND:
        warm()
        return CompiledBatches
    if loop == "compiled":
        raise CannotStartError("roughtime.loop: there is no numba or no libcrypto here; write auto or plain")
    return PlainBatches


def give_up_rights(process: Process, keys: Keys) -> Path:
    """Become `ntp.user`; the path of the state folder from then on. A long-term key of this host stays in memory.

    Raises CannotStartError, also when that user could not read the next delegations.
    """
    user = process.config.ntp.user
    if not user:
        return process.state
    state = become(user, process.state)
    try:
        keys.check()
    except KeyFileError as error:
        raise CannotStartError(f"roughtime.delegation, as {user}: {error}; chown it to {user}") from error
    return state


def counters_page(boot: BootId, started_ns: int, threads: Threads) -> RoughtimePage:
    """The sum of all threads' counters, as a page."""
    totals = [sum(int(thread.answering.counters[i]) for thread in threads) for i in range(COUNTERS)]
    maxt_s = max(thread.answering.key_maxt_s for thread in threads)
    return RoughtimePage(boot.words, os.getpid(), started_ns, boottime_ns(), maxt_s, *totals)


def serve_until_stopped(process: Process) -> None:
    """Answer on every address of `roughtime.listen` until the process is told to stop."""
    settings, boot, started_ns = process.config.roughtime, boot_id(), boottime_ns()
    if not settings.listen:
        raise CannotStartError("roughtime.listen is empty: there is nothing to serve")
    # The sockets first: what cannot be bound is told before anything is compiled.
    sockets = [open_sockets(address) for address in settings.listen]
    keys = open_keys(settings, process.state)
    try:
        leaps = station_leaps(process.config)
    except FormatError as error:
        raise CannotStartError(str(error)) from error
    make = choose_batches(settings.loop)
    versions = [parse_version(text) for text in settings.versions]
    host = Host(make_identity(keys.public_key, versions, settings.batch), keys, settings.batch, settings.grease)

    writer = PageWriter(roughtime_page(process.state), RoughtimePage, plain=make is PlainBatches)
    state = give_up_rights(process, keys)

    def answering() -> Answering:
        return Answering(host, (PlainClock if make is PlainBatches else CompiledClock)(state, leaps))

    threads: list[DatagramThread | StreamThread] = [DatagramThread(udp, answering(), make) for udp, _ in sockets]
    threads.append(StreamThread([tcp for _, tcp in sockets], answering(), settings.tcp_idle_s))
    process.log.info(
        "answering Roughtime on %s, public key %s", ", ".join(settings.listen), encode_base64(keys.public_key)
    )

    def refresh() -> None:
        if words := keys.refresh():
            process.log.info("%s", words)

    answer_until_stopped(process, threads, refresh, writer, partial(counters_page, boot, started_ns, threads))


def warm() -> None:
    """Compile the batches into the cache: they are called on no socket and with nothing to answer."""
    import numpy as np

    from timeball.station.timesigning import kernels

    buffers, counters, versions = kernels.make_buffers(1, 2), np.zeros(COUNTERS, np.int64), np.zeros(2, np.int64)
    srv = np.frombuffer(bytes(32), np.uint8)
    kernels.receive(-1, buffers, srv, versions, 0, counters)
    kernels.compose(buffers, 0, np.zeros((2, 8), np.uint8), versions)
    kernels.send(-1, buffers, 0, counters)
    kernels.reply(-1, buffers, 0, np.zeros((2, 8), np.uint8), versions, counters)
    kernels.read_clock(versions, versions, counters, counters, versions)


if __name__ == "__main__":
    sys.exit(run_process("roughtime", serve_until_stopped))
