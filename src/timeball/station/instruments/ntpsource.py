"""Another server as a clock: readings x_server − x_host over NTP or NTS, the asymmetry of the way as a stated bound.

x_host is the host's counter as the station's host instrument reads it (RAW + its anchor), so that the boot's anchor
falls out against the output. Of each burst the exchange of least delay counts. u (k = 1) is what varies: jitter,
queues, stamps; what is constant, that one way may be longer than the other, is stated apart as a bound that no average
can shrink. What the server owns up to against UTC is its own matter and not part of a comparison with it.

A server that does not answer, does not claim sync, proves nothing where NTS is asked for, or tells another second gives
no reading; why stands in `why` and, each time, among the faults.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from timeball.instants import NS_PER_SECOND, LeapTable
from timeball.protocols.ntp.client import Manner, State
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
from timeball.protocols.ntp.clientnts import KeyPatience
from timeball.protocols.ntp.measurement import Measurement, least_delay, noise_s
from timeball.protocols.ntp.smear import refid_ahead_s
from timeball.station.configuration.following import NTPInstrument
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.realtime import tai_of_utc
from timeball.station.hosttime.waiting import wait_until_raw
from timeball.station.instruments.base import Faults, InstrumentUnavailableError, Sample
from timeball.station.instruments.cookiejar import CookieJar
from timeball.station.instruments.cookiekeeping import CookieKeeping
from timeball.station.instruments.ntpasking import Asker, split_address
from timeball.station.instruments.ntskeys import Exchanging, Keys, KeysUnavailable

FALSE_S = 1.0
"""Further than so, and what it owns up to, from the station's own time a server tells another second: no reading."""
LEAP_NS = 3 * NS_PER_SECOND // 2
"""This near a leap second a count of UTC does not say which second it means."""
DELAYS_KEPT = 8
GONE_WAIT_S = 3600.0
FS_PER_HALF_NS = 500_000


class NTPSource:
    """One server. `epoch_of` gives the station's TAI (ns) at a reading of RAW, `anchor_ns` that of the host's counter.

    `why`: the reason of the last poll without a reading, empty when it gave one. `jar` keeps cookies over a restart.
    """

    whole_epochs = False

    def __init__(
        self,
        settings: NTPInstrument,
        leaps: LeapTable,
        anchor_ns: int,
        epoch_of: Callable[[int], int],
        jar: CookieJar | None = None,
    ) -> None:
        self.name = f"{settings.clock} by {'NTS' if settings.nts else 'NTP'} {settings.server}"
        self.faults = Faults()
        self.why = "not asked yet"
        self.pair = (settings.clock, settings.host)
        self._settings, self._leaps, self._anchor_ns, self._epoch_of = settings, leaps, anchor_ns, epoch_of
        self._asker: Asker | None = None
        self._exchanging: Exchanging | None = None
        self._patience = KeyPatience()
        self._delays: deque[float] = deque(maxlen=DELAYS_KEPT)
        self._again_ns = 0
        self._keeping = CookieKeeping(jar if settings.nts else None, lambda why: self.faults.add(f"{self.name}: {why}"))

    def open(self) -> None:
        """A server that is silent now may answer later; a file of authorities that is not there never does."""
        if self._settings.ca and not Path(self._settings.ca).is_file():
            raise InstrumentUnavailableError(f"{self.name}: there is no file {self._settings.ca}")

    def close(self) -> None:
        """Let go of the port."""
        if self._asker is not None:
            self._asker.close()

    def read(self, until_raw_ns: int) -> list[Sample]:
        """Ask when it is time, else wait, but not beyond `until_raw_ns`; the readings of bursts that have ended."""
        asker = self._ready(until_raw_ns)
        if asker is None:
            return []
        return [sample for event in asker.step(until_raw_ns) if (sample := self._take(event)) is not None]

    def _ready(self, until_raw_ns: int) -> Asker | None:
        """The asker, when nothing is missing to ask; else after some waiting None."""
        asker = self._asker
        if asker is not None and asker.association.state is State.GONE:
            self._wait_for_pardon(asker, until_raw_ns)
            return None
        if self._settings.nts and (asker is None or asker.association.state is State.KEYLESS):
            return self._keyed(until_raw_ns)
        if asker is None:
            self._asker = asker = Asker(*split_address(self._settings.server), self._manner())
        return asker

    def _wait_for_pardon(self, asker: Asker, until_raw_ns: int) -> None:
        """A server that has refused us is asked again after an hour, as a new client would."""
        wait_until_raw(min(self._again_ns, until_raw_ns))
        if hostclocks.raw_ns() >= self._again_ns:
            asker.close()
            self._asker = None

    def _keyed(self, until_raw_ns: int) -> Asker | None:
        """Exchange keys, not too often, in a thread of its own; the asker when they have come."""
        now = hostclocks.raw_ns()
        if self._exchanging is None:
            if (kept := self._keeping.first()) is not None:
                return self._use(kept)
            if not self._patience.may(now):
                wait_until_raw(until_raw_ns)
                return None
            self._exchanging = Exchanging(*split_address(self._settings.server), self._settings.ca)
        try:
            keys = self._exchanging.take((until_raw_ns - now) / 1e9)
        except KeysUnavailable as error:
            self._exchanging = None
            self._patience.failed(hostclocks.raw_ns())
            self._say(str(error))
            return None
        if keys is None:
            return None
        self._exchanging = None
        # until a reply is authentic the exchange may have been worth nothing
        self._patience.failed(hostclocks.raw_ns())
        return self._use(keys)

    def _use(self, keys: Keys) -> Asker:
        self._keeping.begun(keys)
        asker = self._asker
        if asker is None or (asker.host, asker.port) != (keys.host, keys.port):
            if asker is not None:
                asker.close()
            self._asker = asker = Asker(keys.host, keys.port, self._manner(), keys.authentication)
        else:
            asker.association.rekey(keys.authentication, hostclocks.raw_ns())
        return asker

    def _manner(self) -> Manner:
        settings = self._settings
        # 2 s apart, as others do it, unless so many would not fit between two polls
        spacing_s = min(2.0, settings.poll_s / (settings.burst + 2))
        return Manner(
            poll_ns=round(settings.poll_s * 1e9),
            burst=settings.burst,
            spacing_ns=round(spacing_s * 1e9),
            timeout_ns=round(min(1.0, settings.poll_s) * 1e9),
            interleaved=settings.interleaved,
        )

    def _take(self, event: Event) -> Sample | None:
        match event:
            case Measured():
                self.why = ""
                self._patience.worked()
                self._keeping.answered(hostclocks.raw_ns())
            case PollEnded(measurements=measurements):
                return self._ended(measurements)
            case Kissed(code=code, poll_ns=poll_ns):
                self._say(f"asks to be asked less often ({code}): now every {poll_ns / 1e9:g} s")
            case Demobilised(code=code):
                self._again_ns = hostclocks.raw_ns() + round(GONE_WAIT_S * 1e9)
                self._say(f"refuses us ({code}); asked again in an hour")
            case KeysNeeded(why=why):
                self._keeping.refused()
                self._say(f"keys are exchanged anew: {why}")
            case Missed() if self._asker is not None and self._asker.trouble:
                self.why = f"no answer: {self._asker.trouble}"
            case Missed():
                self.why = "no answer"
            case Unsynchronised(kiss=kiss):
                self.why = "does not claim to be in sync" + (f" ({kiss})" if kiss else "")
            case Discarded(reason=reason, why=why):
                self._say(f"a datagram was discarded, {reason.value}: {why}")
        return None

    def _ended(self, measurements: Iterable[Measurement]) -> Sample | None:
        kept = tuple(measurements)
        if not kept:
            self.faults.add(f"{self.name}: no reading: {self.why or 'nothing was measured'}")
            return None
        best = least_delay(kept)
        least_s = min(self._delays, default=None)
        self._delays.append(best.delay_s)
        return self._sample(best, noise_s(kept, best, least_s))

    def _sample(self, best: Measurement, u_s: float) -> Sample | None:
        epoch = self._epoch_of(best.middle_ns)
        leaps = self._leaps
        if leaps.tai_minus_utc(epoch - LEAP_NS) != leaps.tai_minus_utc(epoch + LEAP_NS):
            self._say("no reading: at a leap second a count of UTC means either of two seconds")
            return None
        if refid_ahead_s(best.packet.refid) is not None:
            self._say("no reading: it smears a leap second, its time is not UTC now")
            return None
        arrived, left = tai_of_utc(best.arrived_ns, leaps), tai_of_utc(best.left_ns, leaps)
        off_s = ((arrived + left) // 2 - epoch) / 1e9
        if abs(off_s) > FALSE_S + best.root_distance_s + best.bound_s():
            self._say(f"false: it tells a time {off_s:+.3f} s from the station's")
            return None
        twice_ns = arrived + left - best.sent_ns - best.received_ns - 2 * self._anchor_ns
        bound_fs = round(best.bound_s(self._settings.asymmetry_s) * 1e15)
        return Sample(epoch, *self.pair, twice_ns * FS_PER_HALF_NS, round(u_s * 1e15), bound_fs)

    def _say(self, why: str) -> None:
        self.why = why
        self.faults.add(f"{self.name}: {why}")
