"""The compiled loop of the server: datagrams in batches through libc's recvmmsg and sendmmsg.

Each datagram passes the access list and the limits (kernels_screen.py), is told what it is (protocols.ntp.kernels), and
ends in exactly one outcome of serverpage.ServerPage: the time, a kiss of death, a reason why not, or the hands of
Python, for what is rare (loop.HAND a batch, byhand.py).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from timeball.protocols.ntp import kernels as ntp
from timeball.protocols.ntp.kiss import DENY, RATE, RSTR
from timeball.protocols.nts import kernels as nts
from timeball.protocols.nts.kernels import Ring, Work
from timeball.station.page.kernels import TRIES, pair_unchanged, read_pair, sync_status
from timeball.station.page.lean import lean
from timeball.station.page.pagelayout import IN_SYNC, NO_TIMEKEEPER_PAGE
from timeball.station.serving.access import DENIED, NTS_ONLY
from timeball.station.serving.bitwise import swap_bytes
from timeball.station.serving.buffers import (
    BATCH,
    CONTROL_LENGTH,
    CONTROL_WORDS,
    LENGTH,
    MESSAGE_WORDS,
    MSG_TRUNC,
    MSG_WAITFORONE,
    NAME,
    NAME_BYTES,
    NAME_LENGTH,
    PORT,
)
from timeball.station.serving.counters import (
    BY_HAND,
    DROPPED_BUSY,
    DROPPED_DENIED,
    DROPPED_LIMITED,
    DROPPED_MALFORMED_FIELDS,
    DROPPED_MALFORMED_MAC,
    DROPPED_NO_PORT,
    DROPPED_NTS_MALFORMED,
    DROPPED_TOO_LONG,
    DROPPED_TOO_SHORT,
    INTERLEAVED,
    KISSES_DENY,
    KISSES_RATE,
    KISSES_RSTR,
    NTS_ACCEPTED,
    NTS_FORGED,
    NTS_NAKS,
    NTS_RECEIVED,
    PAIR_MOVES,
    RAW_STAMPS,
    RECEIVED,
    REPLIES,
    REPLIES_IN_SYNC,
    REPLIES_UNSYNCHRONISED,
    REQUESTS,
    SEND_FAILURES,
    SENT_STAMPS,
    TORN_PAGES,
)
from timeball.station.serving.interleaved import (
    ASK_BYTES,
    NUMBER,
    OPT_ID,
    OPT_TSONLY,
    PER_BATCH,
    SO_TIMESTAMPING,
    SOFTWARE,
    StampMemory,
)
from timeball.station.serving.kernels_interleaved import ask_for_stamp, recall, remember, take_sent_stamps, unused_stamp
from timeball.station.serving.kernels_pktinfo import answer_from_asked
from timeball.station.serving.kernels_screen import LIMITED, PLACE, TOLD, screen
from timeball.station.serving.kernels_stamps import (
    oldest_stamp,
    pair_moved,
    read_bracket,
    read_clock,
    receive_stamp,
    stamp_of,
)
from timeball.station.serving.kernels_wire import (
    ORIGIN,
    RAW_READ,
    RECEIVE,
    SECOND,
    SECOND_RAW,
    SENT,
    STATUS,
    TRANSMIT,
    fill_head,
    receive_word,
    write_kiss,
    write_reply,
)
from timeball.station.serving.libc import recvmmsg, sendmmsg, setsockopt
from timeball.station.serving.loop import (
    ARRIVED,
    AWAITED,
    DISTRUSTED_UNTIL,
    EMPTY,
    KIND,
    LAST_PAIR,
    LAST_RAW,
    LAST_RECEIVED,
    LAST_WIDTH,
    LEAD,
    MARGIN,
    ROW,
    SEALED_LEAD,
    STAMPED,
    STARTED,
    WAKE_UP,
    Clock,
    Loop,
    Posts,
    Texts,
    room_for_hands,
)
from timeball.station.serving.settings import (
    KEPT_STAMPS,
    KEYS,
    LEAST_POLL,
    NTS_BY_HAND,
    STAMP_MASK,
    TELL,
    VERSION5,
    WILDCARD,
    WORKER,
)
from timeball.station.serving.sources import NTS
from timeball.station.serving.stamping import (
    CLOCK_BOOTTIME,
    CLOCK_MONOTONIC_RAW,
    DISTRUST_NS,
    LONGEST_WAKE_UP_NS,
    OLDEST_STAMP_NS,
)

Words = NDArray[np.int64]

# The word of the reference stamp, and what a client of version 4 puts there to ask for version 5 (version5.UPGRADE).
MARK_AT, MARK, VERSION_4 = 2, int.from_bytes(b"NTP5DRFT", "little"), 4 << 3
SOL_SOCKET = 1
# So many replies share a reading of the clocks, which then is some microseconds old, as it is in a queue anyway.
HEAD_REPLIES = 16
# A lone reply is stamped ahead by what its writing and sealing took lately: an average over so many, and no more than
# so long. It is by far the longest part of the way, where the code has left the caches of the processor meanwhile.
LEAD_MEMORY = 8
LONGEST_LEAD_NS = 20_000
PLAIN_BITS, PLAIN_CLIENT = 0x07, 3

hands_room = lean(room_for_hands)


@lean
def take_bracket(
    state: Words, timespec: Words, received: int, counters: Words
) -> tuple[int, int, int, int, float, bool]:
    """The bracket of a batch just received, against the one before it.

    Gives (first RAW, middle RAW, REALTIME, age a stamp may have, margin in s, whether REALTIME stood).
    """
    raw_first, raw_mid, realtime, width = read_bracket(timespec)
    if state[STARTED] == 0:
        state[STARTED] = 1
        state[LAST_RAW], state[LAST_PAIR], state[LAST_WIDTH] = raw_mid, realtime - raw_mid, width
        state[EMPTY] = raw_mid - OLDEST_STAMP_NS
    last_raw = state[LAST_RAW]
    moved = realtime - raw_mid - state[LAST_PAIR]
    stood = not pair_moved(moved, raw_mid - last_raw, (width + state[LAST_WIDTH]) // 2)
    if not stood:
        counters[PAIR_MOVES] += 1
        state[DISTRUSTED_UNTIL] = raw_mid + DISTRUST_NS
    oldest = oldest_stamp(raw_mid, state[EMPTY], state[DISTRUSTED_UNTIL])
    if received < BATCH:
        # the call found the queue empty, and it began after the bracket before it: what comes next is younger
        state[EMPTY] = last_raw
    state[LAST_PAIR], state[LAST_RAW], state[LAST_WIDTH] = realtime - raw_mid, raw_mid, width
    # what the pair moved may have been a step in miniature: it is added, not hidden
    return raw_first, raw_mid, realtime, oldest, (width // 2 + abs(moved)) * 1e-9, stood


@lean
def renew_head(
    addresses: Words,
    boot: Words,
    clock: Clock,
    settings: Words,
    counters: Words,
    present: int,
    margin_s: float,
    lead: int,
) -> int:
    """Read RAW and BOOTTIME, then see that both pages stand unchanged, then compare the leases with those readings.

    So whatever is said under this head was true at its transmit stamp, which is `lead` ns after the reading. `present`
    as read_pair gave it, and gives it.
    """
    timekeeper, observer, sequences, head, timespec = clock
    raw = read_clock(CLOCK_MONOTONIC_RAW, timespec)
    boottime = read_clock(CLOCK_BOOTTIME, timespec)
    for _ in range(TRIES):
        if pair_unchanged(addresses, sequences):
            break
        present = read_pair(addresses, boot, timekeeper, observer, sequences)
        raw = read_clock(CLOCK_MONOTONIC_RAW, timespec)
        boottime = read_clock(CLOCK_BOOTTIME, timespec)
    else:
        present = NO_TIMEKEEPER_PAGE
    head[RAW_READ] = raw
    raw, boottime = raw + lead, boottime + lead
    status = present
    if present == IN_SYNC:
        status = sync_status(timekeeper, observer, raw, boottime)
    elif (addresses[0] != 0 and sequences[0] < 0) or (addresses[1] != 0 and sequences[1] < 0):
        counters[TORN_PAGES] += 1
    fill_head(head, timekeeper, settings, status, raw, margin_s)
    return present


@lean
def address_reply(posts: Posts, family: int, k: int, j: int, length: int, control: int) -> None:
    """Reply j, of `length` bytes, goes where request k came from; it has `control` bytes of control messages so far."""
    incoming, outgoing, controls, sent, vectors = posts
    if family != 0:
        asked = incoming[k, CONTROL_LENGTH]
        control += answer_from_asked(controls, k, asked, sent, j, control >> 3, family)
    vectors[1, j, 1] = length
    outgoing[j, NAME] = incoming[k, NAME]
    outgoing[j, NAME_LENGTH] = incoming[k, NAME_LENGTH]
    outgoing[j, CONTROL_LENGTH] = control


@lean
def write_time(
    texts: Texts,
    k: int,
    j: int,
    clock: Clock,
    settings: Words,
    state: Words,
    memory: StampMemory,
    sent_controls: Words,
    raw_receive: int,
    stamped: bool,
) -> tuple[int, bool]:
    """Write the header of reply j to request k under the present head, interleaved where it asks for it (RFC 9769).

    Gives the bytes of control messages written, which ask for the true transmit stamp, and whether it is interleaved.
    """
    head = clock.head
    requests = texts.request_words
    receive = receive_word(clock.timekeeper, settings, head[STATUS], raw_receive)
    transmit, origin, control, interleaved = head[TRANSMIT], SENT, 0, False
    if settings[KEPT_STAMPS] != 0 and requests[k, ORIGIN] != 0 and head[STATUS] != NO_TIMEKEEPER_PAGE:
        mask, worker = settings[STAMP_MASK], settings[WORKER]
        receive = unused_stamp(memory.tables, worker, mask + 1, receive)
        if requests[k, RECEIVE] != requests[k, SENT]:
            earlier = recall(memory.tables, mask, swap_bytes(requests[k, ORIGIN]))
            if earlier != 0:
                transmit, origin, interleaved = earlier, RECEIVE, True
        remember(memory.tables, worker, receive, head[TRANSMIT])
        if state[AWAITED] < PER_BATCH:
            ask_for_stamp(memory, sent_controls, j, receive, head[RAW_READ], state[LAST_PAIR])
            state[AWAITED] += 1
            control = ASK_BYTES
    second = head[SECOND] if stamped else head[SECOND_RAW]
    write_reply(texts.reply_words, j, requests, k, head, second, receive, transmit, origin)
    if settings[VERSION5] != 0 and requests[k, MARK_AT] == MARK and requests[k, 0] & 0x38 == VERSION_4:
        # so a client of version 4 asks whether version 5 is spoken
        texts.reply_words[j, MARK_AT] = MARK
    return control, interleaved


@lean
def count_time(counters: Words, status: int, stamped: bool, interleaved: bool) -> None:
    """A request is answered with the time."""
    counters[REQUESTS] += 1
    counters[REPLIES_IN_SYNC if status == IN_SYNC else REPLIES_UNSYNCHRONISED] += 1
    if not stamped:
        counters[RAW_STAMPS] += 1
    if interleaved:
        counters[INTERLEAVED] += 1


@lean
def kind_of(requests: NDArray[np.uint8], k: int, length: int, settings: Words) -> int:
    """What datagram k is: protocols.ntp.reasons.Reason, with the version and keys that are not configured left out."""
    kind = ntp.classify(requests[k], length)
    if kind == ntp.VERSION5 and settings[VERSION5] == 0:
        return ntp.WRONG_VERSION
    if kind == ntp.MAC and settings[KEYS] == 0:
        return ntp.BASIC
    return kind


@lean
def count_malformed(counters: Words, kind: int) -> None:
    """A datagram that gets no answer, by its kind."""
    if kind <= ntp.WRONG_MODE:
        counters[DROPPED_TOO_SHORT + kind - ntp.TOO_SHORT] += 1
    elif kind == ntp.MALFORMED_FIELDS:
        counters[DROPPED_MALFORMED_FIELDS] += 1
    elif kind == ntp.MALFORMED_MAC:
        counters[DROPPED_MALFORMED_MAC] += 1
    else:
        counters[DROPPED_TOO_LONG] += 1


@lean
def refuse(texts: Texts, k: int, j: int, settings: Words, counters: Words, kind: int, code: int) -> bool:
    """Refuse datagram k; whether a kiss that tells it was written as reply j.

    Versions 1 to 4 alone are told, and nothing but a client's request.
    """
    may_tell = kind in (ntp.BASIC, ntp.NTS, ntp.MAC)
    if code & LIMITED:
        if not may_tell or code & TOLD == 0:
            counters[DROPPED_LIMITED] += 1
            return False
        counters[KISSES_RATE] += 1
        word, least_poll = RATE, settings[LEAST_POLL]
    elif not may_tell or settings[TELL] == 0:
        counters[DROPPED_DENIED] += 1
        return False
    elif code & DENIED:
        counters[KISSES_DENY] += 1
        word, least_poll = DENY, -128
    else:
        counters[KISSES_RSTR] += 1
        word, least_poll = RSTR, -128
    write_kiss(texts.reply_words, j, texts.request_words, k, word, least_poll)
    return True


@lean
def send_all(descriptor: int, messages: Words, count: int, counters: Words) -> bool:
    """Send the first `count` replies; one the kernel refuses is counted and passed over. Gives whether all left."""
    done = 0
    failed = 0
    while done < count:
        address = messages.ctypes.data + done * 8 * MESSAGE_WORDS
        sent = sendmmsg(descriptor, address, count - done, 0)
        if sent > 0:
            done += sent
            counters[REPLIES] += sent
        else:
            done += 1
            failed += 1
    counters[SEND_FAILURES] += failed
    return failed == 0


@lean
def number_anew(descriptor: int, memory: StampMemory, value: Words) -> None:
    """Whether the kernel numbered what it refused is not known: let it count from 0 again, and expect no stamp."""
    for flags in (SOFTWARE | OPT_TSONLY, SOFTWARE | OPT_TSONLY | OPT_ID):
        value[0] = flags
        setsockopt(descriptor, SOL_SOCKET, SO_TIMESTAMPING, value.ctypes.data, 4)
    memory.pending[:, NUMBER] = 0
    memory.next_number[0] = 0


@lean
def serve(descriptor: int, addresses: Words, boot: Words, stop: Words, loop: Loop, ring: Ring, work: Work) -> int:
    """Answer NTP requests on a UDP socket with SO_TIMESTAMPNS and a receive timeout, until a word of `stop` is not 0.

    `addresses` int64[2] of the timekeeper's and the observer's page (0: absent; may change while this runs, mappings
    stay valid), `boot` int64[2]. Gives how many datagrams of the batch just answered are left to Python, in
    `loop.hand`; the buffers stay as they are until the next call. `ring` and `work` are this loop's cookie keys and
    what sealing needs, unused where settings[NTS_BY_HAND].

    Both leases are compared with RAW and BOOTTIME as read for the reply's own transmit stamp, and both pages must stand
    unchanged after that reading: no reply claims sync with a stamp later than the end of a lease.
    """
    texts, posts, clock, screening, access, limiter, memory, settings, counters, state, hand = loop
    requests = texts.request_words
    incoming, outgoing, controls, sent_controls, _ = posts
    timekeeper, observer, sequences, head, timespec = clock
    names, codes, places = screening
    family = settings[WILDCARD]
    while stop[0] == 0 and stop[1] == 0:
        nts.adopt_keys(ring, work)
        for k in range(state[LAST_RECEIVED]):
            incoming[k, NAME_LENGTH] = NAME_BYTES
            incoming[k, CONTROL_LENGTH] = 8 * CONTROL_WORDS
        received = max(recvmmsg(descriptor, incoming.ctypes.data, BATCH, MSG_WAITFORONE | MSG_TRUNC, 0), 0)
        state[LAST_RECEIVED] = received
        raw_first, raw_mid, realtime, oldest, margin_s, stood = take_bracket(state, timespec, received, counters)
        present = read_pair(addresses, boot, timekeeper, observer, sequences)
        if state[AWAITED] != 0:
            known = stood and sequences[0] >= 0
            counters[SENT_STAMPS] += take_sent_stamps(descriptor, memory, timekeeper, settings, known)
            state[AWAITED] = 0
        counters[RECEIVED] += received
        screen(received, names, access, limiter, raw_mid, codes, places)
        count, hands, under_head, leads, unsealed = 0, 0, 0, 0, False
        room = hands_room(state, received, raw_mid)
        for k in range(received):
            if names[k, 0] & PORT == 0:
                # nothing can be sent to port 0, and a reply that fails costs the stamps of those beside it
                counters[DROPPED_NO_PORT] += 1
                continue
            kind = ntp.BASIC
            length = incoming[k, LENGTH] & 0xFFFFFFFF
            first = requests[k, 0] & 0xFF
            version = (first >> 3) & 7
            if length != ntp.PACKET_BYTES or first & 7 != ntp.MODE_CLIENT or version == 0 or version > 4:
                kind = kind_of(texts.requests, k, length, settings)
                counters[NTS_RECEIVED] += kind == ntp.NTS
            code = codes[k]
            if code != 0 and (code != NTS_ONLY or kind in (ntp.BASIC, ntp.MAC, ntp.VERSION5)):
                if refuse(texts, k, count, settings, counters, kind, code):
                    address_reply(posts, family, k, count, ntp.PACKET_BYTES, 0)
                    count += 1
                continue
            if ntp.TOO_SHORT <= kind <= ntp.TOO_LONG:
                count_malformed(counters, kind)
                continue
            stamp = stamp_of(controls, k, incoming[k, CONTROL_LENGTH])
            raw_receive, stamped = receive_stamp(stamp, realtime, raw_mid, raw_first, oldest, state[WAKE_UP])
            if stamped and received == 1 and raw_first - raw_receive < LONGEST_WAKE_UP_NS:
                state[WAKE_UP] += (max(raw_first - raw_receive, 0) - state[WAKE_UP]) // 8
            sealed = False
            if kind == ntp.NTS and settings[NTS_BY_HAND] == 0:
                reason = nts.verify_request(texts.requests[k], length, ring, work)
                if reason == nts.ACCEPTED:
                    kind, sealed = ntp.BASIC, True
                elif nts.UNKNOWN_KEY <= reason <= nts.FORGED_REQUEST:
                    counters[NTS_NAKS] += 1
                    counters[NTS_FORGED] += reason != nts.UNKNOWN_KEY
                    length = nts.write_nak(texts.requests[k], texts.replies[count], work)
                    address_reply(posts, family, k, count, length, 0)
                    count += 1
                    continue
                elif reason > nts.FORGED_REQUEST:
                    counters[DROPPED_NTS_MALFORMED] += 1
                    continue
            if kind != ntp.BASIC:
                # left to Python, unless much else waits and Python has had its share
                if hands >= room:
                    counters[DROPPED_BUSY] += 1
                    continue
                counters[BY_HAND] += 1
                hand[hands, ROW] = k
                hand[hands, KIND] = kind
                hand[hands, ARRIVED] = raw_receive
                hand[hands, STAMPED] = stamped
                hand[hands, MARGIN] = math.ceil(margin_s * 1e9)
                hands += 1
                continue
            if under_head == 0:
                lead = 0
                if received == 1:
                    leads = SEALED_LEAD if sealed else LEAD
                    lead = state[leads]
                present = renew_head(addresses, boot, clock, settings, counters, present, margin_s, lead)
                under_head = HEAD_REPLIES
            under_head -= 1
            control, interleaved = write_time(
                texts, k, count, clock, settings, state, memory, sent_controls, raw_receive, stamped
            )
            count_time(counters, head[STATUS], stamped, interleaved)
            if sealed:
                length = nts.seal_reply(texts.requests[k], texts.replies[count], ring, work)
                if length == 0:
                    # libcrypto failed: nothing leaves that is not sealed
                    counters[SEND_FAILURES] += 1
                    unsealed = True
                    continue
                counters[NTS_ACCEPTED] += 1
                limiter.rows[places[k, PLACE], NTS] += 1
            else:
                length = ntp.PACKET_BYTES
            address_reply(posts, family, k, count, length, control)
            count += 1
        if leads != 0:
            took = read_clock(CLOCK_MONOTONIC_RAW, timespec) - head[RAW_READ]
            state[leads] += (min(took, LONGEST_LEAD_NS) - state[leads]) // LEAD_MEMORY
        all_left = send_all(descriptor, outgoing, count, counters)
        if (unsealed or not all_left) and state[AWAITED] != 0:
            number_anew(descriptor, memory, timespec)
        if hands > 0:
            return hands
    return 0
