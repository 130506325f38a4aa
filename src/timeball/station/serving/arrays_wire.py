"""Stamps and replies of a whole batch in numpy: the same bytes as kernels_wire.py and protocols.ntp.view give.

A batch spans less than a second or so, so stamps are counted in fs from one whole second, which an int64 holds.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeball.protocols.ntp.packet import MODE_SERVER, NS, NTP_MINUS_UNIX_S, ntp_timestamp, short_format_up
from timeball.protocols.ntp.smear import (
    FIVE_TO_15,
    HALF_PI,
    PART,
    PARTS,
    SECOND_FS,
    SINE,
    Shape,
    smear_interval,
)
from timeball.protocols.ntp.view import TAI, Smear, View, stamp, state_of
from timeball.station.page.clockpage import TimekeeperPage, served_instant
from timeball.station.page.pagelayout import IN_SYNC, MAX_BOUND_S
from timeball.station.serving.settings import LEAST_POLL, PRECISION, SMEAR_NS, SMEAR_SHAPE, SMEARED
from timeball.station.serving.stamping import RAW_STAMP_MARGIN_S

Words = NDArray[np.int64]
FS_PER_NS = 1_000_000
FARTHEST_FS = 2**62
# Words of a packet.
REFERENCE, ORIGIN, RECEIVE, SENT = 2, 3, 4, 5
HEADER_WORDS = 6
COMMON = struct.Struct(">7Q")


class Head(NamedTuple):
    """What the replies of one reading of the clocks have in common: words of the wire in the host's order.

    `second` with the margin of kernel stamps, `second_raw` without a kernel stamp.
    """

    status: int
    raw_transmit_ns: int
    first: int
    second: int
    second_raw: int
    reference: int
    transmit: int


def smear_of(settings: Words) -> Smear | None:
    """How this loop's address smears, None when it counts UTC."""
    return Smear(int(settings[SMEAR_SHAPE]), int(settings[SMEAR_NS])) if settings[SMEARED] else None


def view_of(
    page: TimekeeperPage | None,
    status: int,
    settings: Words,
    raw_receive_ns: int,
    raw_transmit_ns: int,
    margin_s: float,
) -> View:
    """What is known of time for one reply, for the server without sockets (protocols.ntp.server)."""
    precision = int(settings[PRECISION])
    if page is None:
        return View(False, False, TAI(0), TAI(0), TAI(0), 0, 0, 0, 0, 0, precision, 0.0, MAX_BOUND_S)
    receive_ns, receive_fs, _ = served_instant(page, raw_receive_ns)
    transmit_ns, transmit_fs, bound_s = served_instant(page, raw_transmit_ns)
    return View(
        known=True,
        in_sync=status == IN_SYNC,
        receive=TAI(receive_ns, receive_fs),
        transmit=TAI(transmit_ns, transmit_fs),
        reference=TAI(page.tai_ns, page.tai_frac_fs),
        tai_minus_utc_s=page.tai_minus_utc_s,
        leap_tai_ns=page.leap_tai_ns,
        leap_sign=page.leap_sign,
        stratum=page.stratum,
        refid=page.refid,
        precision=precision,
        root_delay_s=page.root_delay_s,
        dispersion_s=bound_s + margin_s + 2.0**precision,
        smear=smear_of(settings),
        least_poll=int(settings[LEAST_POLL]),
    )


class HeadMaker:
    """Heads of one loop. While no leap second is known, what a page says of its server is made once a page."""

    def __init__(self, settings: Words) -> None:
        self._settings, self._resolution_s = settings, 2.0 ** int(settings[PRECISION])
        self._page: TimekeeperPage | None = None
        self._steady = Head(-1, 0, 0, 0, 0, 0, 0)

    def prepare(self, page: TimekeeperPage) -> None:
        """Make what a page says of its server in sync, before the clock is read for a reply."""
        if page is not self._page:
            self._page, self._steady = page, make_head(page, IN_SYNC, self._settings, page.raw_ns, 0.0)

    def make(self, page: TimekeeperPage | None, status: int, raw_transmit_ns: int, margin_s: float) -> Head:
        """The head of replies that leave at `raw_transmit_ns` of RAW: kernels_wire.fill_head."""
        if page is None or page.leap_tai_ns != 0 or status != IN_SYNC:
            return make_head(page, status, self._settings, raw_transmit_ns, margin_s)
        self.prepare(page)
        tai_ns, frac_fs, bound_s = served_instant(page, raw_transmit_ns)
        steady, resolution_s = self._steady, self._resolution_s
        return Head(
            status,
            raw_transmit_ns,
            steady.first,
            short_format_up(bound_s + margin_s + resolution_s) << 32 | page.refid,
            short_format_up(bound_s + RAW_STAMP_MARGIN_S + resolution_s) << 32 | page.refid,
            steady.reference,
            ntp_timestamp(tai_ns, frac_fs, page.tai_minus_utc_s),
        )


def make_head(page: TimekeeperPage | None, status: int, settings: Words, raw_transmit_ns: int, margin_s: float) -> Head:
    """The head of replies that leave at `raw_transmit_ns` of RAW, by way of a view."""
    view = view_of(page, status, settings, raw_transmit_ns, raw_transmit_ns, margin_s)
    state = state_of(view)
    first = (state.leap << 6 | MODE_SERVER) << 56 | state.stratum << 48 | (state.precision & 0xFF) << 32
    second = second_raw = short_format_up(state.root_dispersion_s) << 32 | state.refid
    if view.in_sync and page is not None:
        first |= short_format_up(state.root_delay_s)
        bound_s = served_instant(page, raw_transmit_ns)[2]
        second_raw = short_format_up(bound_s + RAW_STAMP_MARGIN_S + 2.0**view.precision) << 32 | state.refid
    return Head(status, raw_transmit_ns, first, second, second_raw, state.reference, stamp(view, view.transmit))


def write_replies(out: Words, asked: Words, head: Head, receive: Words, stamped: NDArray[np.bool_] | None) -> None:
    """Write the headers of basic replies into int64[n, 6] for the requests int64[n, 6]: kernels_wire.write_reply.

    `receive` in the host's order; `stamped` where the kernel's stamp was used, None: everywhere.
    """
    packed = COMMON.pack(head.first, head.second, head.reference, 0, 0, head.transmit, head.second_raw)
    common = np.frombuffer(packed, np.int64)
    out[:] = common[:HEADER_WORDS]
    first = out[:, 0]
    np.bitwise_or(first, asked[:, 0] & OWN_BITS, out=first)
    out[:, ORIGIN] = asked[:, SENT]
    out[:, RECEIVE] = receive.byteswap()
    if stamped is not None:
        out[~stamped, 1] = common[HEADER_WORDS]


def receive_words(
    page: TimekeeperPage, smear: Smear | None, raw_ns: int, ages_ns: Words, mask: int = 0, mark: int = 0
) -> Words:
    """The timestamps, int64[n] in the host's order, of the instants `raw_ns` − `ages_ns` of RAW.

    `mark` stands in their lowest bits, those of `mask`.
    """
    ahead_ns = raw_ns - page.raw_ns
    gain = (ahead_ns - ages_ns) * page.rate
    gain *= 1e6
    base_s, rest_ns = divmod(page.tai_ns + ahead_ns, NS)
    # fs after the whole second base_s of TAI
    since: Words = np.floor(gain, out=gain).astype(np.int64)
    since -= ages_ns * FS_PER_NS
    since += rest_ns * FS_PER_NS + page.tai_frac_fs
    if page.leap_tai_ns != 0 and page.leap_sign != 0:
        add_leap(since, base_s, page, smear)
    # 2³² units a second are 2¹⁷ in 5¹⁵ fs
    wholes, rest = np.divmod(since, FIVE_TO_15)
    rest <<= 17
    rest //= FIVE_TO_15
    wholes <<= 17
    wholes += rest
    if mask:
        wholes &= ~mask
    # whole seconds leave the bits of a mark alone
    wholes += signed((base_s - page.tai_minus_utc_s + NTP_MINUS_UNIX_S) % 2**32 << 32 | mark)
    return wholes


def add_leap(since: Words, base_s: int, page: TimekeeperPage, smear: Smear | None) -> None:
    """Add to fs counted from `base_s` what a known leap second changes: protocols.ntp.view.offset_fs."""
    if smear is not None:
        since += smeared_offsets_fs(base_s * NS + since // FS_PER_NS, page.leap_tai_ns, page.leap_sign, smear)
        return
    counts_from_ns = page.leap_tai_ns - (NS if page.leap_sign > 0 else 0)
    switch_fs = (counts_from_ns - base_s * NS) * FS_PER_NS
    since[since >= min(max(switch_fs, -FARTHEST_FS), FARTHEST_FS)] -= page.leap_sign * SECOND_FS


def smeared_offsets_fs(tai_ns: Words, leap_tai_ns: int, leap_sign: int, smear: Smear) -> Words:
    """protocols.ntp.smear.smeared_offset_fs for int64[n] instants, to the femtosecond."""
    begin_ns, end_ns = smear_interval(leap_tai_ns, leap_sign, smear.length_ns)
    whole_ns = end_ns - begin_ns
    done_ns = np.clip(tai_ns - begin_ns, 0, whole_ns)
    if smear.shape == Shape.LINEAR:
        total, rest = np.zeros_like(done_ns), done_ns
        for _ in range(PARTS):
            digit = rest * PART // whole_ns
            rest = rest * PART - digit * whole_ns
            total = total * PART + digit
        return -leap_sign * total
    first_half = 2 * done_ns <= whole_ns
    x = HALF_PI * (np.where(first_half, done_ns, whole_ns - done_ns).astype(np.float64) / float(whole_ns))
    square = x * x
    sine = np.zeros_like(x)
    for coefficient in SINE:
        sine = sine * square + coefficient
    sine *= x
    total = (sine * sine * 1e15).astype(np.int64)
    return -leap_sign * np.where(first_half, total, SECOND_FS - total)


def signed(word: int) -> int:
    """A 64-bit word as an int64 has it."""
    return (word + 2**63) % 2**64 - 2**63


def swapped(word: int) -> int:
    """A word of the wire as this host reads it."""
    return int.from_bytes((word % 2**64).to_bytes(8, "big"), "little", signed=True)


OWN_BITS = np.int64(swapped(0x38 << 56 | 0xFF << 40))
"""Of the first word, version and poll are the request's own."""
