"""The server's loop without compiled code: numpy over batches, recvmmsg and sendmmsg through ctypes.

The same loop as kernels.serve, with the same bytes for the same stamps and the same counters, for hosts without numba:
nothing here or below imports it. Plain requests are answered a batch at a time; interleaved ones and refusals one by
one; MACs, version 5 and NTS are left to Python's hands as the compiled loop leaves them.

One difference: a whole batch shares one transmit stamp, read when all else of its replies is known, and put ahead by
what the rest takes as learned from batches of one.
"""

from __future__ import annotations

import ctypes
import logging
import math
import os
import socket
import time
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from timeball.protocols.ntp.extensions import classify_request
from timeball.protocols.ntp.packet import PACKET_BYTES
from timeball.protocols.ntp.reasons import Reason
from timeball.protocols.ntp.version5 import UPGRADE
from timeball.station.page.pagelayout import IN_SYNC
from timeball.station.serving import counters as count
from timeball.station.serving.access import NTS_ONLY
from timeball.station.serving.arrays_bracket import BOOTTIME, RAW, Bracket, measured_cost_ns
from timeball.station.serving.arrays_interleaved import RECEIVE_MANY, KeptStamps, SentStamps
from timeball.station.serving.arrays_page import TRIES, PlainPair
from timeball.station.serving.arrays_refusing import DROPPED, leaving_from, refusal
from timeball.station.serving.arrays_screen import Screen
from timeball.station.serving.arrays_wire import (
    HEADER_WORDS,
    ORIGIN,
    RECEIVE,
    REFERENCE,
    SENT,
    Head,
    HeadMaker,
    receive_words,
    smear_of,
    swapped,
    write_replies,
)
from timeball.station.serving.buffers import (
    CONTROL_LENGTH,
    LENGTH,
    MESSAGE_WORDS,
    MSG_TRUNC,
    MSG_WAITFORONE,
    NAME_LENGTH,
    make_buffers,
)
from timeball.station.serving.byhand import Hands, rest
from timeball.station.serving.interleaved import OPT_ID, OPT_TSONLY, PER_BATCH, SO_TIMESTAMPING, SOFTWARE
from timeball.station.serving.loop import Loop, make_loop, room_for_hands
from timeball.station.serving.settings import KEPT_STAMPS, KEYS, STAMP_MASK, VERSION5, WILDCARD, WORKER
from timeball.station.serving.stamping import LONGEST_WAKE_UP_NS, STAMP_BYTES, STAMP_KIND

__all__ = ["ArrayLoop", "measured_cost_ns", "nts_by_hand", "run_loop", "warm"]

Words = NDArray[np.int64]
Flags = NDArray[np.bool_]

BATCH = 192
"""Three times the compiled loop's: what numpy costs is by the call, not by the datagram."""
FEW = 8
"""So many replies at most get their transmit stamp once more, at the very end."""
LEAD_STEP_NS = 500

SEND_MANY = ctypes.CDLL(None, use_errno=True).sendmmsg
SEND_MANY.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)

UPGRADE_MARK = swapped(UPGRADE)
VERSION_BITS, VERSION_4 = 0x38, 4 << 3
STAMP_HEADER = np.array([STAMP_BYTES, STAMP_KIND])
TO_NS = np.array([-1_000_000_000, -1])
PLAIN = np.array([first & 7 == 3 and 1 <= first >> 3 & 7 <= 4 for first in range(256)])
"""By first byte: a client's request of versions 1 to 4."""


class ArrayLoop:
    """One socket's loop. `addresses` int64[2] of the two pages, `boot` int64[2]; `loop` as the compiled one has it."""

    def __init__(self, descriptor: int, addresses: Words, boot: Words, loop: Loop) -> None:
        self._descriptor, self._addresses, self._boot = descriptor, addresses, boot
        self._loop = loop = with_buffers(loop, BATCH)
        self._incoming_at = int(loop.posts.incoming.ctypes.data)
        self._outgoing_at = int(loop.posts.outgoing.ctypes.data)
        # msg_len is the low half of its word
        self._lengths = loop.posts.incoming.view(np.uint32)[:, 2 * LENGTH]
        self._ports = loop.screening.names.view(np.uint16)[:, 1]
        self._firsts = loop.texts.requests[:, 0]
        self._stamp_kinds, self._stamp_times = loop.posts.controls[:, 1], loop.posts.controls[:, 2:4]
        self._control_lengths = loop.posts.incoming[:, CONTROL_LENGTH]
        # the kernel writes lengths into what it is given: it is made anew for each batch
        self._unused = loop.posts.incoming.copy()
        # headers of 48 bytes close together, for the processor's caches; longer replies leave from their rows
        self._headers = np.zeros((BATCH, HEADER_WORDS), np.int64)
        self._long_replies = loop.posts.vectors[1].copy()
        loop.posts.vectors[1, :, 0] = self._headers.ctypes.data + PACKET_BYTES * np.arange(BATCH)
        self._header_vectors = loop.posts.vectors[1].copy()
        settings = loop.settings
        self._smear, self._family = smear_of(settings), int(settings[WILDCARD])
        self._worker, self._mask = int(settings[WORKER]), int(settings[STAMP_MASK])
        self._keeps, self._upgrades = bool(settings[KEPT_STAMPS]), bool(settings[VERSION5])
        self._pair, self._bracket = PlainPair(), Bracket()
        self._screen = Screen(loop.access, loop.limiter, family_of(descriptor))
        self._heads = HeadMaker(settings)
        self._kept = KeptStamps(loop.memory.tables, self._worker, self._mask)
        self._sent = SentStamps(loop.memory, self._kept)
        self._wake_up, self._received, self._asked = 0, BATCH, 0
        self._plain_controls = True
        # so many replies in a row go where the requests of the same rows came from
        self._in_order = 0
        # when the transmit stamp of this batch was read; 0: none of its replies carries one
        self._read_ns, self._lead_ns = 0, 0
        loop.posts.vectors[1, :, 1] = PACKET_BYTES

    def serve_batch(self) -> int:
        """Receive a batch and answer it; gives how many of its datagrams are left to Python, in `loop.hand`."""
        loop, counters = self._loop, self._loop.counters
        self._read_ns = 0
        received = self._receive()
        self._bracket.take(emptied=received < BATCH)
        if not self._bracket.stood:
            counters[count.PAIR_MOVES] += 1
        if -1 in self._pair.sequences:
            self._pair.read(self._addresses, self._boot)
        if self._asked:
            self._take_sent()
        if received == 0:
            return 0
        counters[count.RECEIVED] += received
        codes = self._screen.codes(loop.screening.names[:received], self._bracket.raw_mid)
        plain = PLAIN.take(self._firsts[:received])
        plain &= self._lengths[:received] == PACKET_BYTES
        ages, stamped = self._arrivals(received)
        plain &= self._ports[:received] != 0
        if codes is None and np.count_nonzero(plain) == received:
            ready, left = self._answer(slice(0, received), received, ages, stamped), 0
        else:
            ready, left = self._sort_out(received, codes, plain, ages, stamped)
        self._send(ready)
        return left

    def answer_by_hand(self, hands: Hands, left: int) -> None:
        """Answer what was left in `loop.hand`."""
        began_ns, ready, loop = time.clock_gettime_ns(RAW), 0, self._loop
        for row, _, arrived_ns, stamped, margin_ns in loop.hand[:left].tolist():
            length = int(loop.posts.incoming[row, LENGTH]) & 0xFFFFFFFF
            datagram = loop.texts.requests[row, :length].tobytes()
            reply = hands.answer(datagram, arrived_ns, margin_ns if stamped else None)
            if reply is not None:
                loop.texts.reply_words.view(np.uint8)[ready, : len(reply)] = np.frombuffer(reply, np.uint8)
                self._address(slice(ready, ready + 1), np.array([row]), [0])
                loop.posts.vectors[1, ready] = self._long_replies[ready, 0], len(reply)
                ready += 1
        self._send(ready)
        loop.posts.vectors[1, :ready] = self._header_vectors[:ready]
        rest(loop.state, began_ns)

    def _receive(self) -> int:
        used = self._received
        self._loop.posts.incoming[:used] = self._unused[:used]
        self._received = max(
            RECEIVE_MANY(self._descriptor, self._incoming_at, BATCH, MSG_WAITFORONE | MSG_TRUNC, None), 0
        )
        return self._received

    def _arrivals(self, received: int) -> tuple[Words, Flags | None]:
        """How long before the bracket's middle each datagram arrived (ns), and where the kernel's stamp says so.

        None: everywhere.
        """
        bracket = self._bracket
        ages = self._stamp_times[:received] @ TO_NS
        ages += bracket.realtime
        lengths = self._control_lengths[:received]
        # an age that is negative is a large number without its sign
        if (
            int(np.maximum.reduce(ages.view(np.uint64))) <= bracket.oldest_ns
            and np.count_nonzero(self._stamp_kinds[:received] == STAMP_KIND) == received
            and int(np.minimum.reduce(lengths)) >= STAMP_BYTES
        ):
            if received == 1:
                self._learn_wake_up(bracket.raw_first - bracket.raw_mid + int(ages[0]))
            return ages, None
        kinds = (self._loop.posts.controls[:received, :2] == STAMP_HEADER).all(axis=1)
        fresh = ages.view(np.uint64) <= max(bracket.oldest_ns, 0)
        stamped = fresh & kinds & (lengths >= STAMP_BYTES) & (bracket.oldest_ns >= 0)
        return np.where(stamped, ages, bracket.raw_mid - bracket.raw_first + self._wake_up), stamped

    def _learn_wake_up(self, late_ns: int) -> None:
        if late_ns < LONGEST_WAKE_UP_NS:
            self._wake_up += (max(late_ns, 0) - self._wake_up) // 8

    def _sort_out(
        self, received: int, codes: Words | None, plain: Flags, ages: Words, stamped: Flags | None
    ) -> tuple[int, int]:
        """A batch that is not all plain: (replies written, datagrams left to Python)."""
        settings, counters = self._loop.settings, self._loop.counters
        lengths, ports = self._lengths[:received].tolist(), self._ports[:received].tolist()
        kernel = np.ones(received, np.bool_) if stamped is None else stamped
        basic: list[int] = []
        kisses: list[tuple[int, bytes]] = []
        left = 0
        for k, (is_plain, code) in enumerate(zip(plain.tolist(), self._codes(codes, received), strict=True)):
            if ports[k] == 0:
                # nothing can be sent there, and a reply that fails costs the stamps of those beside it
                counters[count.DROPPED_NO_PORT] += 1
                continue
            kind = Reason.BASIC if is_plain else self._kind_of(k, lengths[k])
            if code and (code != NTS_ONLY or kind in (Reason.BASIC, Reason.MAC, Reason.VERSION5)):
                kiss = refusal(self._datagram(k, lengths[k]), kind, code, settings, counters)
                if kiss is not None:
                    kisses.append((k, kiss))
            elif kind in DROPPED:
                counters[DROPPED[kind]] += 1
            elif kind is Reason.BASIC:
                basic.append(k)
            else:
                left += self._leave(left, received, k, kind, int(ages[k]), bool(kernel[k]))
        rows = np.array(basic, np.intp)
        ready = self._answer(rows, len(basic), ages[rows], kernel[rows]) if basic else 0
        for j, (k, kiss) in enumerate(kisses, start=ready):
            self._headers[j] = np.frombuffer(kiss, np.int64)
            self._address(slice(j, j + 1), np.array([k]), [0])
        return ready + len(kisses), left

    @staticmethod
    def _codes(codes: Words | None, received: int) -> list[int]:
        return [0] * received if codes is None else codes.tolist()

    def _datagram(self, k: int, length: int) -> bytes:
        requests = self._loop.texts.requests
        return requests[k, : min(length, requests.shape[1])].tobytes()

    def _kind_of(self, k: int, length: int) -> Reason:
        """What datagram k is, with the version and keys that are not configured left out."""
        if length > self._loop.texts.requests.shape[1]:
            length_and_more = self._datagram(k, length) + bytes(length - self._loop.texts.requests.shape[1])
            return classify_request(length_and_more)
        kind = classify_request(self._datagram(k, length))
        if kind is Reason.NTS:
            self._loop.counters[count.NTS_RECEIVED] += 1
        if kind is Reason.VERSION5 and not self._loop.settings[VERSION5]:
            return Reason.WRONG_VERSION
        return Reason.BASIC if kind is Reason.MAC and not self._loop.settings[KEYS] else kind

    def _leave(self, left: int, received: int, k: int, kind: Reason, age_ns: int, stamped: bool) -> bool:
        """Leave a datagram to Python, unless much else waits and Python has had its share."""
        state, counters, raw_mid = self._loop.state, self._loop.counters, self._bracket.raw_mid
        if left >= room_for_hands(state, received, raw_mid):
            counters[count.DROPPED_BUSY] += 1
            return False
        counters[count.BY_HAND] += 1
        margin_ns = math.ceil(self._bracket.margin_s * 1e9)
        self._loop.hand[left] = k, int(kind), raw_mid - age_ns, stamped, margin_ns
        return True

    def _answer(self, rows: slice | NDArray[np.intp], answers: int, ages: Words, stamped: Flags | None) -> int:
        """Write the replies to these rows, plain requests all of them, as the first replies of the batch."""
        asked = self._loop.texts.request_words[rows, :HEADER_WORDS]
        out = self._headers[:answers]
        head, receive = self._look(ages)
        write_replies(out, asked, head, receive, stamped)
        if self._upgrades:
            # the mark by which a client of version 4 asks whether version 5 is spoken (version5.UPGRADE)
            asks = (asked[:, REFERENCE] == UPGRADE_MARK) & (asked[:, 0] & VERSION_BITS == VERSION_4)
            out[asks, REFERENCE] = UPGRADE_MARK
        if stamped is not None:
            self._loop.counters[count.RAW_STAMPS] += answers - np.count_nonzero(stamped)
        controls = None
        if self._keeps and self._pair.timekeeper is not None and np.count_nonzero(asked[:, ORIGIN]):
            controls = self._interleave(asked, out, receive, head)
        self._loop.counters[count.REQUESTS] += answers
        in_sync = head.status == IN_SYNC
        self._loop.counters[count.REPLIES_IN_SYNC if in_sync else count.REPLIES_UNSYNCHRONISED] += answers
        self._address(slice(0, answers), rows, controls)
        if answers <= FEW and stamped is None and controls is None and head.status == IN_SYNC:
            self._stamp_late(out)
        return answers

    def _stamp_late(self, out: Words) -> None:
        """Put a later transmit stamp into a few replies that are otherwise ready, if all that they say still holds."""
        page = self._pair.timekeeper
        read_ns, boottime = time.clock_gettime_ns(RAW), time.clock_gettime_ns(BOOTTIME) + self._lead_ns
        raw = read_ns + self._lead_ns
        if page is None or page.leap_tai_ns != 0 or not self._pair.unchanged(self._addresses):
            return
        if self._pair.status(raw, boottime) == IN_SYNC:
            head = self._heads.make(page, IN_SYNC, raw, self._bracket.margin_s)
            out[:, 1] = swapped(head.second)
            out[:, SENT] = swapped(head.transmit)
            self._read_ns = read_ns

    def _look(self, ages: Words) -> tuple[Head, Words]:
        """The head and the receive stamps, from pages that stood unchanged after the clocks were read.

        The transmit stamp lies ahead of the reading by what the writing of one reply usually takes.
        """
        pair, bracket = self._pair, self._bracket
        receive = self._receive_words(ages)
        for _ in range(TRIES):
            self._read_ns, boottime = time.clock_gettime_ns(RAW), time.clock_gettime_ns(BOOTTIME) + self._lead_ns
            raw = self._read_ns + self._lead_ns
            if pair.unchanged(self._addresses):
                break
            pair.read(self._addresses, self._boot)
            receive = self._receive_words(ages)
        else:
            pair.forget()
            receive = self._receive_words(ages)
        if -1 in pair.sequences and pair.torn(self._addresses):
            self._loop.counters[count.TORN_PAGES] += 1
        status = pair.status(raw, boottime)
        return self._heads.make(pair.timekeeper, status, raw, bracket.margin_s), receive

    def _receive_words(self, ages: Words) -> Words:
        """Receive stamps with the loop's number in their lowest bits; zeros without a page."""
        page = self._pair.timekeeper
        if page is None:
            return np.zeros(len(ages), np.int64)
        self._heads.prepare(page)
        return receive_words(page, self._smear, self._bracket.raw_mid, ages, self._mask, self._worker)

    def _interleave(self, asked: Words, out: Words, receive: Words, head: Head) -> list[int]:
        """Answer those that named an origin in interleaved mode where it is known, and keep their stamps (RFC 9769).

        Gives the bytes of control messages written for each reply.
        """
        controls = [0] * len(out)
        origins, sent = asked.byteswap().view(np.uint64), self._loop.posts.sent_controls
        for j in np.flatnonzero(asked[:, ORIGIN]).tolist():
            given = self._kept.unused(int(receive[j]) % 2**64)
            out[j, RECEIVE] = swapped(given)
            if asked[j, RECEIVE] != asked[j, SENT]:
                earlier = self._kept.transmit_of(int(origins[j, ORIGIN]))
                if earlier is not None:
                    out[j, ORIGIN], out[j, SENT] = asked[j, RECEIVE], swapped(earlier)
                    self._loop.counters[count.INTERLEAVED] += 1
            self._kept.remember(given, head.transmit)
            if self._asked < PER_BATCH:
                controls[j] = self._sent.ask(sent, j, given, self._read_ns, self._bracket.pair_ns)
                self._asked += 1
        return controls

    def _take_sent(self) -> None:
        """Put the true transmit stamps of the batch before in place."""
        page = self._pair.timekeeper
        believed = self._bracket.stood and page is not None
        taken = self._sent.take(self._descriptor, self._stamp_at if believed else None)
        self._loop.counters[count.SENT_STAMPS] += taken
        self._asked = 0

    def _stamp_at(self, raw_ns: int) -> int:
        page = self._pair.timekeeper
        return int(receive_words(page, self._smear, raw_ns, np.zeros(1, np.int64))[0]) % 2**64 if page else 0

    def _address(self, replies: slice, rows: slice | NDArray[np.intp], controls: list[int] | None) -> None:
        """Send these replies where those requests came from, and from the address that was asked where it matters."""
        posts = self._loop.posts
        in_order = isinstance(rows, slice) and rows.start == replies.start == 0
        # row for row the names lie where they lay before, and are as long: a socket has one family
        if not in_order or replies.stop > self._in_order:
            posts.outgoing[replies, : NAME_LENGTH + 1] = posts.incoming[rows, : NAME_LENGTH + 1]
            self._in_order = replies.stop if in_order else 0
        if self._family == 0 and controls is None and self._plain_controls:
            return
        if self._family == 0:
            # who names the controls of one reply leaves those of others beside it
            posts.outgoing[slice(None) if controls is None else replies, CONTROL_LENGTH] = controls or 0
            self._plain_controls = controls is None
            return
        asked = posts.controls[rows].tolist()
        lengths = posts.incoming[rows, CONTROL_LENGTH].tolist()
        for at, (j, words) in enumerate(zip(range(replies.start, replies.stop), asked, strict=True)):
            written = controls[at] if controls is not None else 0
            leaving = leaving_from(words, lengths[at], self._family)
            posts.sent_controls[j, written // 8 : written // 8 + len(leaving)] = leaving
            posts.outgoing[j, CONTROL_LENGTH] = written + 8 * len(leaving)

    def _send(self, ready: int) -> None:
        """Send the first `ready` replies; one the kernel refuses is counted and passed over."""
        counters, done, failed = self._loop.counters, 0, 0
        calling_ns = time.clock_gettime_ns(RAW)
        while done < ready:
            sent = SEND_MANY(self._descriptor, self._outgoing_at + 8 * MESSAGE_WORDS * done, ready - done, 0)
            if sent > 0:
                done += sent
                counters[count.REPLIES] += sent
            else:
                done, failed = done + 1, failed + 1
        if ready == self._received == 1 and self._read_ns:
            # it left early in the call, by a fifth as measured; an interruption moves this no more than any other
            left_ns = calling_ns + (time.clock_gettime_ns(RAW) - calling_ns) // 5
            off_ns = (left_ns - self._read_ns - self._lead_ns) // 4
            self._lead_ns += min(max(off_ns, -LEAD_STEP_NS), LEAD_STEP_NS)
        if failed:
            counters[count.SEND_FAILURES] += failed
            if self._asked:
                self._number_anew()

    def _number_anew(self) -> None:
        """Whether the kernel numbered what it refused is not known: let it count from 0 again, and expect no stamp."""
        with suppress(OSError), socket.socket(fileno=os.dup(self._descriptor)) as listener:
            for flags in (SOFTWARE | OPT_TSONLY, SOFTWARE | OPT_TSONLY | OPT_ID):
                listener.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, flags)
        self._sent.number_anew()


def with_buffers(loop: Loop, batch: int) -> Loop:
    """The same loop with room for so many datagrams at once."""
    roomy = make_loop(loop.settings, make_buffers(batch), loop.access, loop.limiter, loop.memory)
    return loop._replace(texts=roomy.texts, posts=roomy.posts, screening=roomy.screening)


def family_of(descriptor: int) -> int:
    """The family of a socket's address."""
    with socket.socket(fileno=os.dup(descriptor)) as listener:
        return listener.family


def run_loop(descriptor: int, addresses: Words, boot: Words, stop: Words, loop: Loop, hands: Hands) -> None:
    """Answer on a socket until stop[0] is not 0."""
    arrays = ArrayLoop(descriptor, addresses, boot, loop)
    while stop[0] == 0:
        left = arrays.serve_batch()
        if left:
            arrays.answer_by_hand(hands, left)


def nts_by_hand(_log: logging.Logger) -> bool:
    """Whether NTS is left to Python: all of it."""
    return True


def warm() -> None:
    """Nothing is compiled here."""
