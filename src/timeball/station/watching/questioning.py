"""One server asked a few times by hand: what `timeball query` tells, figures and words.

Offset: server minus this host's CLOCK_REALTIME (s), as the host itself would have to be moved. Nothing is moved. The
host's clock is what is compared with here, and no more to be trusted than the server.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from timeball.protocols.ntp.client import Manner
from timeball.protocols.ntp.clientauth import Authentication
from timeball.protocols.ntp.clientevents import (
    Demobilised,
    Discarded,
    Event,
    KeysNeeded,
    Kissed,
    Measured,
    Missed,
    PollEnded,
    Unsynchronised,
)
from timeball.protocols.ntp.clientnts import NTSAuthentication
from timeball.protocols.ntp.measurement import Measurement, least_delay, noise_s
from timeball.protocols.ntp.packet import Packet
from timeball.protocols.ntp.smear import refid_ahead_s
from timeball.station.hosttime import hostclocks
from timeball.station.instruments.ntpasking import Asker, split_address
from timeball.station.instruments.ntskeys import Keys, KeysUnavailable, exchange_for

NTP_PORT, KE_PORT = 123, 4460
DONE_NS = 10**9
Progress = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a server is asked. `authentication` of a symmetric key, or None; `ca` a PEM file for NTS, empty: system's."""

    count: int = 4
    interval_s: float = 0.5
    timeout_s: float = 1.0
    interleaved: bool = False
    nts: bool = False
    ca: str = ""
    authentication: Authentication | None = None


@dataclass(frozen=True, slots=True)
class Against:
    """One measurement against CLOCK_REALTIME: offset exact to the half nanosecond, in s; `at_s` since the first."""

    measurement: Measurement
    offset_s: float
    at_s: float


@dataclass
class Answers:
    """What came of asking one server. `why`: why there is no time of it, empty when there is."""

    server: str
    address: str = ""
    asked: int = 0
    measured: list[Against] = field(default_factory=list)
    packet: Packet | None = None
    kiss: str = ""
    why: str = ""
    discarded: list[str] = field(default_factory=list)
    kernel_stamps: tuple[int, int, int] = (0, 0, 0)
    keys: Keys | None = None

    @property
    def best(self) -> Against | None:
        """The exchange of least delay."""
        if not self.measured:
            return None
        chosen = least_delay([one.measurement for one in self.measured])
        return next(one for one in self.measured if one.measurement is chosen)

    @property
    def u_s(self) -> float:
        """Standard uncertainty of the best offset from what varies (s)."""
        best = self.best
        return 0.0 if best is None else noise_s([one.measurement for one in self.measured], best.measurement)

    @property
    def nts(self) -> NTSAuthentication | None:
        """The session of NTS, where there is one."""
        return None if self.keys is None else self.keys.authentication

    @property
    def smeared_s(self) -> float | None:
        """How far ahead of UTC a smearing server says that it is (s); None when it does not say so."""
        return None if self.packet is None else refid_ahead_s(self.packet.refid)


def question(server: str, wishes: Wishes, progress: Progress = lambda: None) -> Answers:
    """Ask one server (host, or host:port; with NTS of the key exchange). Raises ValueError for no such address."""
    host, port = split_address(server, KE_PORT if wishes.nts else NTP_PORT)
    answers = Answers(server)
    authentication = wishes.authentication
    if wishes.nts:
        try:
            answers.keys = exchange_for(host, port, wishes.ca)
        except KeysUnavailable as error:
            answers.why = str(error)
            return answers
        host, port, authentication = answers.keys.host, answers.keys.port, answers.keys.authentication
    manner = Manner(
        burst=wishes.count,
        spacing_ns=round(wishes.interval_s * 1e9),
        timeout_ns=round(wishes.timeout_s * 1e9),
        interleaved=wishes.interleaved,
    )
    asker = Asker(host, port, manner, authentication)
    try:
        while not _ended(asker, answers, progress):
            pass
    finally:
        asker.close()
    answers.address, answers.kernel_stamps = f"{asker.address or host} port {port}", asker.kernel_stamps
    if answers.measured:
        answers.why = ""
    return answers


def _ended(asker: Asker, answers: Answers, progress: Progress) -> bool:
    """One step; true when the burst is over or nothing more can come."""
    ended = False
    for event in asker.step(hostclocks.raw_ns() + DONE_NS):
        ended |= _take(event, answers, asker)
        if isinstance(event, Measured | Unsynchronised | Missed):
            progress()
    return ended


def _take(event: Event, answers: Answers, asker: Asker) -> bool:
    match event:
        case Measured(measurement=measurement):
            _measured(measurement, answers)
        case Unsynchronised(packet=packet, kiss=kiss):
            answers.packet, answers.kiss = packet, kiss
            answers.why = "does not claim to be in sync" + (f", it says {kiss}" if kiss else "")
        case Kissed(code=code) | Demobilised(code=code):
            answers.kiss, answers.why = code, f"refuses with a kiss of death, {code}"
            return True
        case KeysNeeded(why=why):
            answers.why = f"does not take our cookies: {why}"
            return True
        case Missed():
            answers.why = answers.why or f"does not answer{': ' if asker.trouble else ''}{asker.trouble}"
        case Discarded(reason=reason, why=why):
            answers.discarded.append(f"{reason.value}: {why}")
        case PollEnded(asked=asked):
            answers.asked = asked
            return True
    return False


def _measured(measurement: Measurement, answers: Answers) -> None:
    pair = hostclocks.bracket()
    offset_s = (measurement.offset2 - 2 * pair.realtime_minus_raw_ns) / 2e9
    first = answers.measured[0].measurement.middle_ns if answers.measured else measurement.middle_ns
    answers.measured.append(Against(measurement, offset_s, (measurement.middle_ns - first) / 1e9))
    answers.packet = measurement.packet
