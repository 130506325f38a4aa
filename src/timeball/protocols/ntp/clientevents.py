"""What an association tells its owner: frozen events, and the reason in which every datagram ends.

Two families of errors: `LocalMisuse` is a mistake of ours; whatever a server or a forger sends is an `NTPError`, which
an association never lets out but turns into `Discarded`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from timeball.protocols.ntp.measurement import Measurement
from timeball.protocols.ntp.packet import NTPError, Packet


class Reason(Enum):
    """What a datagram turned out to be; each ends in exactly one."""

    MEASURED = "measured"
    EARLIER_BURST = "completes an exchange of the burst before"
    UNSYNCHRONISED = "the server does not claim to be in sync"
    KISS = "kiss of death"
    NAK = "the server does not know our cookie"
    TOO_SHORT = "too short"
    NOT_A_REPLY = "no reply"
    UNSOLICITED = "nothing was asked"
    DUPLICATE = "a duplicate, or a reply that comes too late"
    BOGUS = "not to our request"
    FORGED = "authentication failed"
    IMPLAUSIBLE = "impossible stamps"


class LocalMisuse(RuntimeError):
    """The owner of an association did what it must not: a mistake of ours, no matter of the network."""


class ImplausibleStamps(NTPError):
    """An authentic reply whose stamps cannot be."""


class AuthenticationFailed(NTPError):
    """The reply does not carry what only our server could have made."""


class KeysRefused(NTPError):
    """The server answers with a NAK: it does not know our cookie."""


class KeysExhausted(NTPError):
    """No cookie is left to ask with; keys must be exchanged anew."""


@dataclass(frozen=True, slots=True)
class Measured:
    """An exchange gave an offset."""

    measurement: Measurement


@dataclass(frozen=True, slots=True)
class Unsynchronised:
    """The server answers and claims no sync; `kiss` is its code, which may be empty."""

    packet: Packet
    kiss: str


@dataclass(frozen=True, slots=True)
class Kissed:
    """The server asks to be asked less often; from now on every `poll_ns`."""

    code: str
    poll_ns: int


@dataclass(frozen=True, slots=True)
class Demobilised:
    """The server does not want us (DENY, RSTR): it is not asked again."""

    code: str


@dataclass(frozen=True, slots=True)
class KeysNeeded:
    """Keys must be exchanged before the server is asked again; `why` in words."""

    why: str


@dataclass(frozen=True, slots=True)
class Missed:
    """No usable reply came in time; so many in a row now."""

    in_a_row: int


@dataclass(frozen=True, slots=True)
class Discarded:
    """A datagram that was not used, and why."""

    reason: Reason
    why: str


@dataclass(frozen=True, slots=True)
class PollEnded:
    """A burst is over: what it measured, and of how many requests."""

    measurements: tuple[Measurement, ...]
    asked: int


Event = Measured | Unsynchronised | Kissed | Demobilised | KeysNeeded | Missed | Discarded | PollEnded
