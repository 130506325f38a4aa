"""The processes that shake hands: started, told what to hand out, started again when they have died, ended.

They share the listening sockets, so a connection that one of them did not take is taken by another, or by the next.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from timeball.station.configuration.serving import NTS
from timeball.station.nts.control import Orders, channel, send_orders
from timeball.station.nts.counting import Count, make_counts
from timeball.station.nts.secretfile import Owner
from timeball.station.nts.worker import DRAIN_S, worker_command

AGAIN_S = 1.0
log = logging.getLogger("keyexchange")


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    channel: socket.socket


class Workers:
    """`settings.processes` workers on `listeners`; `deaths` counts those that ended unasked.

    `user`: who they become, where root starts them.
    """

    def __init__(self, settings: NTS, listeners: Sequence[socket.socket], user: Owner | None = None) -> None:
        self.deaths = 0
        self._user = user
        self._settings, self._listeners = settings, listeners
        self._descriptor, self._counts = make_counts(settings.processes)
        self._workers: list[_Worker | None] = [None] * settings.processes
        self._orders: Orders | None = None
        self._again = float("-inf")

    def totals(self) -> list[int]:
        """The counts of all, by column."""
        return [sum(column) for column in zip(*self._counts, strict=True)]

    def running(self) -> int:
        """How many run."""
        return sum(worker is not None for worker in self._workers)

    def order(self, orders: Orders) -> None:
        """Tell all what to hand out from now on."""
        self._orders = orders
        for worker in self._workers:
            if worker is not None:
                self._tell(worker)

    def turn(self) -> None:
        """Start those that do not run."""
        for row, worker in enumerate(self._workers):
            if worker is not None and worker.process.poll() is not None:
                log.error("a worker ended with %d; another is started", worker.process.returncode)
                worker.channel.close()
                self._workers[row] = None
                self._counts[row][Count.OPEN] = 0  # what it had open is gone
                self.deaths += 1
                self._again = time.monotonic() + AGAIN_S
        if self._orders is not None and time.monotonic() >= self._again:
            for row, worker in enumerate(self._workers):
                if worker is None:
                    self._workers[row] = self._start(row)

    def stop(self) -> None:
        """Let each finish what it is at, and end it."""
        for worker in self._workers:
            if worker is not None:
                worker.channel.close()
        deadline = time.monotonic() + 2 * DRAIN_S
        for worker in self._workers:
            if worker is not None:
                with suppress(subprocess.TimeoutExpired):
                    worker.process.wait(max(0.0, deadline - time.monotonic()))
                worker.process.kill()
                worker.process.wait()
        os.close(self._descriptor)

    def _start(self, row: int) -> _Worker:
        ours, theirs = channel()
        descriptors = [listener.fileno() for listener in self._listeners]
        command = worker_command(theirs.fileno(), self._descriptor, row, self._settings, descriptors, self._user)
        inherited = (theirs.fileno(), self._descriptor, *descriptors)
        with theirs:
            worker = _Worker(subprocess.Popen(command, pass_fds=inherited, stdin=subprocess.DEVNULL), ours)
        self._tell(worker)
        return worker

    def _tell(self, worker: _Worker) -> None:
        assert self._orders is not None
        try:
            send_orders(worker.channel, self._orders)
        except OSError as error:
            # one that does not listen would hand out cookies under an old key for ever
            log.error("a worker could not be told what to hand out: %s", error)
            worker.process.kill()
