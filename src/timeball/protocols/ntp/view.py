"""What a server knows of time when it answers, and the stamps that this gives on the wire.

A view belongs to one reply: the instants of its own receive and transmit stamp, and whether sync may be claimed at the
second. It counts UTC, or UTC smeared over a leap second on an address that smears; never both on one address.

Sign: `leap_sign` +1 inserts a second. No clock is read here: instants come in.
"""

from __future__ import annotations

from dataclasses import dataclass

from timeball.protocols.ntp.packet import (
    ERA_S,
    NS,
    NTP_MINUS_UNIX_S,
    ServerState,
    leap_indicator,
    ntp_timestamp,
    unsynchronised,
)
from timeball.protocols.ntp.smear import ahead_of_utc_fs, smear_interval, smear_refid, smeared_offset_fs

FS_PER_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class TAI:
    """An instant: TAI in ns since 1970-01-01 TAI, and 0..999 999 fs more."""

    ns: int
    frac_fs: int = 0

    def later(self, fs: int) -> TAI:
        """The instant `fs` femtoseconds later."""
        carry_ns, frac_fs = divmod(self.frac_fs + fs, FS_PER_NS)
        return TAI(self.ns + carry_ns, frac_fs)


@dataclass(frozen=True, slots=True)
class Smear:
    """How an address smears a leap second: shape and length as in smear.py."""

    shape: int
    length_ns: int


@dataclass(frozen=True, slots=True)
class View:
    """Time as known for one reply.

    `known` False: there is no time to give, and the stamps are zero. `reference` when the clock was last compared.
    `tai_minus_utc_s` before the leap of `leap_tai_ns` (0: none known), as on the clock page. `dispersion_s` the bound
    with all margins at the transmit stamp. `smear` None: UTC is counted, and leaps are announced. `least_poll` the
    shortest interval that is allowed, log2 s.
    """

    known: bool
    in_sync: bool
    receive: TAI
    transmit: TAI
    reference: TAI
    tai_minus_utc_s: int
    leap_tai_ns: int
    leap_sign: int
    stratum: int
    refid: int
    precision: int
    root_delay_s: float
    dispersion_s: float
    smear: Smear | None = None
    least_poll: int = 0


def offset_fs(view: View, tai_ns: int) -> int:
    """What is added to TAI − `tai_minus_utc_s` at `tai_ns`, in fs: the leap second that has begun, whole or smeared."""
    if view.smear is not None:
        return smeared_offset_fs(tai_ns, view.leap_tai_ns, view.leap_sign, view.smear.shape, view.smear.length_ns)
    # while 23:59:60 lasts, 23:59:59 is counted again (packet.py)
    counts_from_ns = view.leap_tai_ns - (NS if view.leap_sign > 0 else 0)
    return -view.leap_sign * NS * FS_PER_NS if view.leap_tai_ns != 0 and tai_ns >= counts_from_ns else 0


def stamp(view: View, instant: TAI) -> int:
    """The 64-bit timestamp of an instant in what the address counts; 0 when no time is known."""
    if not view.known:
        return 0
    counted = instant.later(offset_fs(view, instant.ns))
    return ntp_timestamp(counted.ns, counted.frac_fs, view.tai_minus_utc_s)


def tai_stamp(view: View, instant: TAI) -> int:
    """The 64-bit timestamp of an instant counted in TAI (version 5, timescale 1)."""
    return ntp_timestamp(instant.ns, instant.frac_fs, 0) if view.known else 0


def era_of(view: View, instant: TAI, *, tai: bool = False) -> int:
    """The era, modulo 256, of the stamp of an instant."""
    if not view.known:
        return 0
    counted = instant if tai else instant.later(offset_fs(view, instant.ns))
    seconds = counted.ns // NS - (0 if tai else view.tai_minus_utc_s) + NTP_MINUS_UNIX_S
    return seconds // ERA_S % 256


def leap_of(view: View, days: int = 1) -> int:
    """The leap indicator at the transmit stamp, said for so many days: none is ever announced where it is smeared."""
    if view.smear is not None:
        return 0
    return leap_indicator(view.transmit.ns, view.leap_tai_ns, view.leap_sign, days)


def refid_of(view: View) -> int:
    """The reference id: while a smear lasts, how far the transmit stamp is ahead of UTC (smear.smear_refid)."""
    if view.smear is None or view.leap_tai_ns == 0 or view.leap_sign == 0:
        return view.refid
    begin_ns, end_ns = smear_interval(view.leap_tai_ns, view.leap_sign, view.smear.length_ns)
    now_ns = view.transmit.ns
    if not begin_ns < now_ns < end_ns:
        return view.refid
    return smear_refid(ahead_of_utc_fs(offset_fs(view, now_ns), now_ns, view.leap_tai_ns, view.leap_sign))


def state_of(view: View) -> ServerState:
    """What the header says of the server: nothing at all unless sync may be claimed."""
    if not view.in_sync:
        return unsynchronised(view.precision)
    return ServerState(
        leap=leap_of(view),
        stratum=view.stratum,
        precision=view.precision,
        root_delay_s=view.root_delay_s,
        root_dispersion_s=view.dispersion_s,
        refid=refid_of(view),
        reference=stamp(view, view.reference),
    )
