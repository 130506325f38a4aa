"""A UDP socket whose datagrams the kernel stamps as they leave and come, told on CLOCK_MONOTONIC_RAW.

Kernel stamps are of CLOCK_REALTIME (Linux SO_TIMESTAMPING, software). Each is carried to RAW by a bracket RAW–REALTIME–
RAW taken next to it; where the pair moved by more than slewing can, or a stamp does not lie between the readings of RAW
around it, a reading of RAW takes its place. Such a reading errs to the outside, so that a delay grows and no bound
shrinks. Nothing here knows NTP.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
from dataclasses import dataclass

from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.hostclocks import Bracket

# linux/net_tstamp.h, asm-generic/socket.h
SO_TIMESTAMPING = 37
TX_SOFTWARE, RX_SOFTWARE, SOFTWARE, OPT_TSONLY = 1 << 1, 1 << 3, 1 << 4, 1 << 11
FLAGS = TX_SOFTWARE | RX_SOFTWARE | SOFTWARE | OPT_TSONLY
PACKET_BYTES = 2048
_CONTROL_BYTES = 512
_TIMESPEC = struct.Struct("@qq")
SLEW_DIVISOR = 1000
"""REALTIME may run a thousandth faster or slower than RAW (Linux: 500 ppm, and a tick of its own)."""
MOVED_NS = 2000


@dataclass(frozen=True, slots=True)
class Stamped:
    """A datagram that came, with both stamps on RAW (ns); `width_ns` what the brackets leave open, 0 without them.

    `kernel_sent`, `kernel_received`: whether the kernel's stamp was used.
    """

    data: bytes
    sent_raw_ns: int
    received_raw_ns: int
    width_ns: int
    kernel_sent: bool
    kernel_received: bool


class _Keeper:
    """Holds one stamping socket open: the kernel stamps arrivals only while somebody wants it, and takes a while."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def hold(self) -> None:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            _want_stamps(self._socket)


_KEEPER = _Keeper()


def _want_stamps(sock: socket.socket) -> None:
    # a kernel without software stamps leaves readings of RAW
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, FLAGS)


class StampedSocket:
    """A socket connected to one server, for one question at a time; its port is the kernel's choice (RFC 9109).

    `source` is the address to ask from, if this host has it; empty: the kernel's choice.
    """

    def __init__(self, family: int, address: object, source: str = "") -> None:
        _KEEPER.hold()
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._sent = (0, 0)
        self._pair: Bracket | None = None
        self._transmit_ns: int | None = None
        try:
            self._socket.setblocking(False)
            _want_stamps(self._socket)
            if source:
                with contextlib.suppress(OSError):
                    self._socket.bind((source, 0))
            self._socket.connect(address)  # type: ignore[arg-type]
        except OSError:
            self._socket.close()
            raise

    def send(self, data: bytes) -> None:
        """Send a question. Raises OSError."""
        self._transmit_ns = None
        self._pair = hostclocks.bracket(3)
        before = hostclocks.raw_ns()
        self._socket.send(data)
        self._sent = (before, hostclocks.raw_ns())

    def receive(self, until_raw_ns: int) -> Stamped | None:
        """The next datagram, waited for no longer than RAW `until_raw_ns`; None when none came. Raises OSError."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while True:
            left_ns = until_raw_ns - hostclocks.raw_ns()
            ready = dict(poll.poll(max(0.0, left_ns / 1e6)))
            events = ready.get(self._socket.fileno(), 0)
            if events & select.POLLERR:
                self._take_error()
                self._raise_refusal()
            if events & select.POLLIN:
                with contextlib.suppress(BlockingIOError):
                    return self._take()
            if left_ns <= 0:
                return None

    def close(self) -> None:
        """Let go of the port."""
        self._socket.close()

    def _take(self) -> Stamped:
        data, ancillary, _, _ = self._socket.recvmsg(PACKET_BYTES, _CONTROL_BYTES)
        came = hostclocks.raw_ns()
        pair = hostclocks.bracket(3)
        self._take_error()
        moved = self._pair is None or _moved(self._pair, pair)
        sent = None if self._pair is None or moved else _on_raw(self._transmit_ns, self._pair)
        received = None if moved else _on_raw(_stamp(ancillary), pair)
        if received is not None and not self._sent[0] <= received <= came:
            received = None
        # a transmit stamp may be later than the call's return, never later than the reply
        if sent is not None and not self._sent[0] <= sent <= (came if received is None else received):
            sent = None
        width = pair.width_ns if received is not None else 0
        if sent is not None and self._pair is not None:
            width = max(width, self._pair.width_ns)
        return Stamped(
            data,
            self._sent[0] if sent is None else sent,
            came if received is None else received,
            width // 2,
            sent is not None,
            received is not None,
        )

    def _take_error(self) -> None:
        """Read a transmit stamp from the error queue, if one stands there."""
        with contextlib.suppress(BlockingIOError):
            _, ancillary, _, _ = self._socket.recvmsg(1, _CONTROL_BYTES, socket.MSG_ERRQUEUE)
            self._transmit_ns = _stamp(ancillary) or self._transmit_ns

    def _raise_refusal(self) -> None:
        """What the network says of the last question (nobody listens there, no way there): raises OSError."""
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise OSError(number, os.strerror(number))


def _stamp(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """The software stamp (REALTIME, ns) among control messages; None when there is none."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPING and len(data) >= _TIMESPEC.size:
            seconds, ns = _TIMESPEC.unpack_from(data)
            return seconds * 10**9 + ns if seconds else None
    return None


def _on_raw(realtime_ns: int | None, pair: Bracket) -> int | None:
    return None if realtime_ns is None else realtime_ns - pair.realtime_minus_raw_ns


def _moved(first: Bracket, second: Bracket) -> bool:
    """Whether REALTIME moved against RAW by more than slewing and the brackets' widths explain."""
    allowed_ns = (second.raw_ns - first.raw_ns) // SLEW_DIVISOR + first.width_ns + second.width_ns + MOVED_NS
    return abs(second.realtime_minus_raw_ns - first.realtime_minus_raw_ns) > allowed_ns
