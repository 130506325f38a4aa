"""The UDP side of the Roughtime server: one socket, one thread, a batch of what is queued at a time.

`CompiledBatches` and `PlainBatches` take the same packets and give the same replies; the plain one needs neither numba
nor libcrypto. A reply leaves from the socket's own address: name addresses one by one on a host that has several.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from timeball.protocols.roughtime.replies import reply_template
from timeball.protocols.roughtime.server import LARGEST_REQUEST, Reason, refusal
from timeball.station.page.roughtimepage import REPLIES, SEND_FAILURES
from timeball.station.timesigning.answering import Answering

RECEIVE_TIMEOUT_US = 200_000
RECEIVE_BUFFER_BYTES = 1 << 22
"""Asked for; the system grants what net.core.rmem_max allows."""


class Batches(Protocol):
    """A way to answer what is queued on a socket."""

    def step(self) -> None:
        """Answer one batch, or return after the receive timeout."""


MakeBatches = Callable[[socket.socket, Answering], Batches]


def prepare_socket(listener: socket.socket) -> None:
    """A blocking socket that looks up at least every receive timeout."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, RECEIVE_TIMEOUT_US))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)


class PlainBatches:
    """Datagrams one system call each, answered in plain Python."""

    def __init__(self, listener: socket.socket, answering: Answering) -> None:
        self._socket, self._answering = listener, answering

    def step(self) -> None:
        """Answer one batch, or return after the receive timeout."""
        packets: list[bytes] = []
        senders: list[Any] = []
        flags = 0
        with contextlib.suppress(BlockingIOError):
            while len(packets) < self._answering.host.batch:
                packet, sender = self._socket.recvfrom(LARGEST_REQUEST + 1, flags)
                packets.append(packet)
                senders.append(sender)
                flags = socket.MSG_DONTWAIT
        if not packets:
            return
        for reply, sender in zip(self._answering.answer(packets), senders, strict=True):
            if reply is not None:
                self._send(reply, sender)

    def _send(self, reply: bytes, sender: Any) -> None:
        try:
            self._socket.sendto(reply, sender)
            self._answering.counters[REPLIES] += 1
        except OSError:
            self._answering.counters[SEND_FAILURES] += 1


class CompiledBatches:
    """Batches through recvmmsg and sendmmsg, read, hashed and composed by compiled code; signed here."""

    def __init__(self, listener: socket.socket, answering: Answering) -> None:
        from timeball.station.timesigning import kernels

        identity, batch = answering.host.identity, answering.host.batch
        self._kernels, self._answering, self._socket = kernels, answering, listener
        self._buffers = kernels.make_buffers(batch, len(identity.versions))
        self._srv = np.frombuffer(identity.srv, np.uint8)
        self._versions = np.array(identity.versions, np.int64)
        self._templates = np.zeros((len(identity.versions), self._buffers.replies.shape[1]), np.uint8)
        self._lengths = np.zeros(len(identity.versions), np.int64)
        # the same memory as bytes, which costs less to look at
        self._roots = [row.data for row in self._buffers.roots]
        self._rows = [row.data for row in self._templates]

    def step(self) -> None:
        """Answer one batch, or return after the receive timeout."""
        kernels, buffers, counters = self._kernels, self._buffers, self._answering.counters
        descriptor, least = self._socket.fileno(), self._answering.host.identity.least_request
        received = kernels.receive(descriptor, buffers, self._srv, self._versions, least, counters)
        if received == 0 or not self._sign():
            return
        if self._answering.host.grease <= 0.0:
            kernels.reply(descriptor, buffers, received, self._templates, self._lengths, counters)
            return
        count = kernels.compose(buffers, received, self._templates, self._lengths)
        for place in self._answering.greased(count):
            self._make_wrong(place)
        kernels.send(descriptor, buffers, count, counters)

    def _sign(self) -> bool:
        """One signature a version, as templates; False when there is nothing to answer, or no answer."""
        leaves = self._buffers.leaves.tolist()
        if not any(leaves):
            return False
        signer, moment = self._answering.now()
        if (reason := refusal(signer, moment)) is not Reason.ANSWERED or signer is None or moment is None:
            self._answering.count_refused(reason, sum(leaves))
            return False
        versions = self._answering.host.identity.versions
        for version, count in enumerate(leaves):
            if count:
                root = self._roots[version].tobytes()
                template = reply_template(versions, versions[version], signer, moment, root, count)
                self._rows[version][: len(template)] = template
                self._lengths[version] = len(template)
                self._answering.count_signed(version, count)
        return True

    def _make_wrong(self, place: int) -> None:
        lengths = self._buffers.vectors[1, :, 1]
        reply = self._answering.made_wrong(self._buffers.replies[place, : lengths[place]].tobytes())
        self._buffers.replies[place, : len(reply)] = np.frombuffer(reply, np.uint8)
        lengths[place] = len(reply)


class DatagramThread:
    """One socket and the thread that answers on it."""

    def __init__(self, listener: socket.socket, answering: Answering, make: MakeBatches) -> None:
        self.answering = answering
        self._socket = listener
        self._batches = make(listener, answering)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End the thread (it looks up at least every receive timeout) and close the socket."""
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._batches.step()
