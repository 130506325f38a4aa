"""The host's counter CLOCK_MONOTONIC_RAW as a clock: readings HOST − OUT, by whatever the host can see of the output.

x = (RAW + anchor) − output time, at an epoch of output time. `anchor_ns` is fixed for a boot, so that RAW + anchor is
about TAI when the boot's first reading is taken; how far the counter has run away since stands in x. One class a way
of seeing: the simulated output's pulse, a PPS pulse stamped by the kernel, a PTP hardware clock, an NTP server.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from timeball.instants import NS_PER_SECOND, LeapTable
from timeball.protocols.ntp.packet import NTPError
from timeball.station import paths
from timeball.station.configuration.settings import HostInstrument
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.waiting import wait_until_raw
from timeball.station.instruments.base import Faults, Instrument, InstrumentUnavailableError, Sample
from timeball.station.instruments.ntpclient import ask_server
from timeball.station.instruments.simulated import Simulation
from timeball.station.supervision.files import write_atomically

FS_PER_NS = 1_000_000
NTP_EVERY_NS = 4 * NS_PER_SECOND
MOVED_NS = 1_000_000
"""REALTIME has been stepped when it moved against RAW by more than a millisecond from one pulse to the next."""
PULSE_POLL_NS = 50_000_000
_ASSERT = re.compile(r"(\d{1,12})\.(\d{9})#(\d{1,12})\s*", re.ASCII)


class HostClock(Instrument, Protocol):
    """An instrument that reads the host's counter; both are constant for the boot."""

    boot_id: str
    anchor_ns: int

    def epoch_of(self, raw_ns: int) -> int:
        """The output's time (TAI, ns) at a reading of RAW not far from the newest reading."""


FARTHEST_NS = 1000 * NS_PER_SECOND


class BootAnchor(msgspec.Struct, frozen=True):
    """What STATE/run/host.anchor holds: RAW + `anchor_ns` was about TAI when this boot's first reading was taken."""

    boot_id: str
    anchor_ns: int


def boot_anchor(state: Path, tai_now_ns: int, raw_ns: int) -> int:
    """The anchor of this boot: the one in the state folder, or a new one from the time of day at RAW `raw_ns`.

    After a long sleep of the host the old one is too far off: readings from it would not fit into femtoseconds.
    """
    path = paths.run_dir(state) / "host.anchor"
    boot = hostclocks.boot_name()
    try:
        known = msgspec.json.decode(path.read_bytes(), type=BootAnchor)
    except (OSError, msgspec.DecodeError):
        known = None
    if known is None or known.boot_id != boot or abs(known.anchor_ns - (tai_now_ns - raw_ns)) > FARTHEST_NS:
        known = BootAnchor(boot, tai_now_ns - raw_ns)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, msgspec.json.encode(known))
    return known.anchor_ns


class SimulatedCapture:
    """The pulse of the simulated output, captured once a second with the noise of a capture."""

    whole_epochs = True

    def __init__(self, settings: HostInstrument, simulation: Simulation) -> None:
        self.name = "host by simulated capture"
        self.faults = Faults()
        self.boot_id = simulation.anchor.boot_id
        self.anchor_ns = simulation.anchor_ns
        self._settings = settings
        self._simulation = simulation
        self._next = 0
        self._u_fs = _u_fs(settings, simulation.laboratory.host_noise_s)

    def open(self) -> None:
        """Begin with the next second."""
        self._next = (self._simulation.tai_ns() // NS_PER_SECOND + 1) * NS_PER_SECOND

    def epoch_of(self, raw_ns: int) -> int:
        """The laboratory's ideal time at a reading of RAW."""
        return raw_ns + self.anchor_ns

    def read(self, until_raw_ns: int) -> list[Sample]:
        """The pulses up to now, or after waiting for one, but not beyond `until_raw_ns`."""
        wait_until_raw(min(self._next - self.anchor_ns, until_raw_ns))
        now = self._simulation.tai_ns()
        if now < self._next:
            return []
        epochs = np.arange(self._next, now + 1, NS_PER_SECOND, dtype=np.int64)
        self._next = int(epochs[-1]) + NS_PER_SECOND
        laboratory = self._simulation.laboratory
        phase_s = laboratory.output_phase(epochs, self._simulation.record.commands())
        x_fs = np.rint((laboratory.host_noise(epochs) - phase_s) * 1e15).astype(np.int64).tolist()
        return [_sample(self._settings, e, x, self._u_fs) for e, x in zip(epochs.tolist(), x_fs, strict=True)]

    def close(self) -> None:
        """Nothing is held."""


class RealCapture:
    """What the ways to see a real output share: the boot's anchor, and which second a pulse was."""

    whole_epochs = True

    def __init__(self, settings: HostInstrument, state: Path, tai_now_ns: int, raw_ns: int) -> None:
        self.name = f"host by {settings.by} {settings.device}"
        self.faults = Faults()
        self.boot_id = hostclocks.boot_name()
        self.anchor_ns = boot_anchor(state, tai_now_ns, raw_ns)
        self._settings = settings
        # how far the counter has run from the anchor; the nearest second is told from here on
        self._x_ns = raw_ns + self.anchor_ns - tai_now_ns

    def open(self) -> None:
        """Look whether the device is there; raises `InstrumentUnavailableError`."""
        if not Path(self._settings.device).exists():
            raise InstrumentUnavailableError(f"{self.name}: there is no {self._settings.device}")

    def close(self) -> None:
        """Nothing is held."""

    def epoch_of(self, raw_ns: int) -> int:
        """The output's time at a reading of RAW, as the newest reading of it carries there."""
        return raw_ns + self.anchor_ns - self._x_ns

    def _of_pulse(self, raw_ns: int, u_ns: int) -> Sample:
        """The reading of a pulse, which stands for the second nearest to where the last reading says we are."""
        shown = raw_ns + self.anchor_ns
        epoch = (shown - self._x_ns + NS_PER_SECOND // 2) // NS_PER_SECOND * NS_PER_SECOND
        return self._of(raw_ns, epoch, u_ns)

    def _of(self, raw_ns: int, epoch: int, u_ns: int) -> Sample:
        self._x_ns = raw_ns + self.anchor_ns - epoch
        return _sample(self._settings, epoch, self._x_ns * FS_PER_NS, _u_fs(self._settings, u_ns / 1e9))


class PPSCapture(RealCapture):
    """Pulses that the kernel stamped with REALTIME (Linux PPS, `assert` in sysfs), carried to RAW by a bracket."""

    _sequence = -1
    _realtime_minus_raw: int | None = None

    def read(self, until_raw_ns: int) -> list[Sample]:
        """Wait for the next pulse, but not beyond `until_raw_ns`."""
        while True:
            sample = self._new_pulse()
            if sample is not None:
                return [sample]
            now = hostclocks.raw_ns()
            if now >= until_raw_ns:
                return []
            wait_until_raw(min(until_raw_ns, now + PULSE_POLL_NS))

    def _new_pulse(self) -> Sample | None:
        try:
            text = (Path(self._settings.device) / "assert").read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            self.faults.add(f"{self.name}: {error}")
            return None
        found = _ASSERT.fullmatch(text)
        if not found:
            self.faults.add(f"{self.name}: no stamp: {text[:60]!r}")
            return None
        sequence = int(found[3])
        if sequence == self._sequence or (int(found[1]), int(found[2])) == (0, 0):
            return None
        self._sequence = sequence
        pair = hostclocks.bracket()
        before, self._realtime_minus_raw = self._realtime_minus_raw, pair.realtime_minus_raw_ns
        if before is None:
            return None  # of the first pulse nobody knows whether REALTIME stood still since
        if abs(pair.realtime_minus_raw_ns - before) > MOVED_NS:
            self.faults.add(f"{self.name}: CLOCK_REALTIME was stepped; the pulse is left out")
            return None
        raw = int(found[1]) * NS_PER_SECOND + int(found[2]) - pair.realtime_minus_raw_ns
        return self._of_pulse(raw, pair.width_ns // 2 + 1)


class PHCCapture(RealCapture):
    """A PTP hardware clock that shows TAI, read once a second between two readings of RAW (Linux dynamic clocks)."""

    _descriptor = -1

    def open(self) -> None:
        """Open the device; raises `InstrumentUnavailableError`."""
        super().open()
        try:
            self._descriptor = os.open(self._settings.device, os.O_RDONLY | os.O_CLOEXEC)
            self._bracket()
        except OSError as error:
            self.close()
            raise InstrumentUnavailableError(f"{self.name}: {error}") from error

    def read(self, until_raw_ns: int) -> list[Sample]:
        """Wait a second, but not beyond `until_raw_ns`, and read the clock."""
        due = hostclocks.raw_ns() + NS_PER_SECOND
        wait_until_raw(min(due, until_raw_ns))
        if hostclocks.raw_ns() < due:
            return []
        try:
            before, shown, after = self._bracket()
        except OSError as error:
            self.faults.add(f"{self.name}: {error}")
            return []
        return [self._of((before + after) // 2, shown, (after - before) // 2 + 1)]

    def close(self) -> None:
        """Close the device."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _bracket(self) -> tuple[int, int, int]:
        """RAW, the clock, RAW: the narrowest of five. The clock's id is made of the descriptor (clock_getres(2))."""
        clock = (~self._descriptor << 3) | 3
        tries = [(hostclocks.raw_ns(), time.clock_gettime_ns(clock), hostclocks.raw_ns()) for _ in range(5)]
        return min(tries, key=lambda triple: triple[2] - triple[0])


class NTPCapture(RealCapture):
    """Another server, asked every few seconds over NTP; uncertain by half the round trip and what it owns up to."""

    def __init__(self, settings: HostInstrument, state: Path, tai_now_ns: int, raw_ns: int, leaps: LeapTable) -> None:
        super().__init__(settings, state, tai_now_ns, raw_ns)
        self._leaps = leaps
        self._due = 0

    def open(self) -> None:
        """Nothing to look for: a server that does not answer now may answer later."""

    def read(self, until_raw_ns: int) -> list[Sample]:
        """Ask when it is time, else wait for it, but not beyond `until_raw_ns`."""
        wait_until_raw(min(self._due, until_raw_ns))
        now = hostclocks.raw_ns()
        left_s = (until_raw_ns - now) / 1e9
        if now < self._due or left_s <= 0:
            return []
        self._due = now + NTP_EVERY_NS
        try:
            told = ask_server(self._settings.device, self._leaps, timeout_s=min(0.5, left_s))
        except (OSError, NTPError, ValueError) as error:
            self.faults.add(f"{self.name}: {error}")
            return []
        return [self._of(told.raw_ns, told.tai_ns, round((told.delay_s / 2 + told.root_distance_s) * 1e9))]


def _sample(settings: HostInstrument, epoch: int, x_fs: int, u_fs: int) -> Sample:
    return Sample(epoch, settings.clock, settings.against, x_fs, u_fs)


def _u_fs(settings: HostInstrument, measured_s: float) -> int:
    return round((measured_s if settings.u_s is None else settings.u_s) * 1e15)
