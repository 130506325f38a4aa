"""Management messages that tell a ptp4l what its clock is worth: GRANDMASTER_SETTINGS_NP of linuxptp.

Version 2 of PTP, network byte order, sent over ptp4l's Unix socket to every port of its clock (`boundary hops` 0: not
beyond it). Of the protocol only this: no announce, no sync, no other data set, and no socket.
Sources: IEEE 1588-2019 clauses 7.6.2 (clock quality), 8.2.4 (time properties), 15.4 (management); linuxptp's pmc(8).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from enum import IntEnum

HEAD = struct.Struct("!BBHBxH8x4x10sHBb")
MANAGEMENT = struct.Struct("!10sBBBx")
TLV = struct.Struct("!HHH")
SETTINGS = struct.Struct("!BBHhBB")
MESSAGE_TYPE = 0xD
VERSION = 2
CONTROL, INTERVAL = 4, 0x7F
ALL_PORTS = b"\xff" * 10
TLV_MANAGEMENT, TLV_ERROR = 1, 2
GRANDMASTER_SETTINGS_NP = 0xC001
HEAD_BYTES = HEAD.size + MANAGEMENT.size
LONGEST = 1500

LEAP_61, LEAP_59, UTC_VALID, PTP_TIMESCALE, TIME_TRACEABLE, FREQUENCY_TRACEABLE = (1 << bit for bit in range(6))
LOCKED, DEFAULT = 6, 248
"""Clock classes (table 4): locked to a primary reference; default, for a clock that nobody vouches for."""
ATOMIC_CLOCK, INTERNAL_OSCILLATOR = 0x10, 0xA0
UNKNOWN_VARIANCE = 0xFFFF
UNKNOWN_ACCURACY, WORST_ACCURACY = 0xFE, 0x31
# Table 5: clock accuracy 0x20 and the following, each "within" so many seconds.
WITHIN_S = (
    *(25e-9, 100e-9, 250e-9, 1e-6, 2.5e-6, 10e-6, 25e-6, 100e-6, 250e-6),
    *(1e-3, 2.5e-3, 10e-3, 25e-3, 100e-3, 250e-3, 1.0, 10.0),
)


class ManagementError(ValueError):
    """A message that is no answer to a management request, or says that it was refused; one sentence."""


class Action(IntEnum):
    """What a management message does."""

    GET = 0
    SET = 1
    RESPONSE = 2


@dataclass(frozen=True, slots=True)
class GrandmasterSettings:
    """What a grandmaster announces: class, accuracy (table 5), TAI − UTC with its flags, and where time comes from."""

    clock_class: int
    accuracy: int
    tai_minus_utc_s: int
    flags: int
    time_source: int
    variance: int = UNKNOWN_VARIANCE


def accuracy_of(bound_s: float) -> int:
    """The clock accuracy that a bound of the error allows to announce; unknown for what is no bound."""
    if not math.isfinite(bound_s) or bound_s < 0:
        return UNKNOWN_ACCURACY
    return next((0x20 + i for i, within_s in enumerate(WITHIN_S) if bound_s <= within_s), WORST_ACCURACY)


def build_settings(settings: GrandmasterSettings | None, sequence: int, domain: int, port: int = 1) -> bytes:
    """A request that sets the grandmaster's settings, or with None one that asks for them.

    `port` (1..65535) is the sender's own number, which the answer repeats; `sequence` 0..65535.
    """
    data = b"" if settings is None else _pack(settings)
    action = Action.GET if settings is None else Action.SET
    tlv = TLV.pack(TLV_MANAGEMENT, 2 + len(data), GRANDMASTER_SETTINGS_NP) + data
    source = bytes(8) + struct.pack("!H", port)
    length = HEAD_BYTES + len(tlv)
    head = HEAD.pack(MESSAGE_TYPE, VERSION, length, domain, 0, source, sequence, CONTROL, INTERVAL)
    return head + MANAGEMENT.pack(ALL_PORTS, 0, 0, action) + tlv


def parse_settings(data: bytes, sequence: int | None = None) -> GrandmasterSettings:
    """The settings in a ptp4l's answer (to the request of `sequence`, if given). Raises ManagementError."""
    if not HEAD_BYTES + TLV.size <= len(data) <= LONGEST:
        raise ManagementError(f"{len(data)} bytes are no answer of ptp4l")
    kind, version, length, _domain, _flags, _source, echo, _control, _interval = HEAD.unpack_from(data)
    if kind & 0xF != MESSAGE_TYPE or version & 0xF != VERSION or length > len(data):
        raise ManagementError("not a management message of PTP version 2")
    if sequence is not None and echo != sequence:
        raise ManagementError(f"an answer to another request (sequence {echo})")
    action = MANAGEMENT.unpack_from(data, HEAD.size)[3] & 0xF
    tlv, _length, identifier = TLV.unpack_from(data, HEAD_BYTES)
    if tlv == TLV_ERROR:
        raise ManagementError(f"ptp4l refused it (management error {identifier})")
    if action != Action.RESPONSE or tlv != TLV_MANAGEMENT or identifier != GRANDMASTER_SETTINGS_NP:
        raise ManagementError("not an answer about the grandmaster's settings")
    if len(data) < HEAD_BYTES + TLV.size + SETTINGS.size:
        raise ManagementError("the grandmaster's settings are cut short")
    clock_class, accuracy, variance, offset_s, flags, source = SETTINGS.unpack_from(data, HEAD_BYTES + TLV.size)
    return GrandmasterSettings(clock_class, accuracy, offset_s, flags, source, variance)


def _pack(settings: GrandmasterSettings) -> bytes:
    return SETTINGS.pack(
        settings.clock_class,
        settings.accuracy,
        settings.variance,
        settings.tai_minus_utc_s,
        settings.flags,
        settings.time_source,
    )
