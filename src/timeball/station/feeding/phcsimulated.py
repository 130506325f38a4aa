"""A simulated PTP clock, `simulated:NAME`: an oscillator with a rate of its own that counts on RAW.

Its state is a file, STATE/run/phc.NAME.json, as a card keeps its clock while nobody has it open: a feeder that is
started again goes on with it, and whoever reads the file can compute what the clock shows at any reading of RAW. After
a reboot it begins anew at 1970, as a card does. Its own rate is a function of its name, at most 5e-6. No noise.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import msgspec

from timeball.station.feeding.phcdevice import PHCReading
from timeball.station.hosttime import hostclocks
from timeball.station.paths import run_dir
from timeball.station.supervision.files import write_atomically

GREATEST_DRIFT = 5e-6
S = 1_000_000_000


class PHCState(msgspec.Struct, frozen=True):
    """The clock showed `clock_ns` + `clock_frac` (ns below 1) at RAW `raw_ns`, and runs by `drift` + `rate` since."""

    boot_id: str
    raw_ns: int
    clock_ns: int
    clock_frac: float
    drift: float
    rate: float
    steps: int

    def shown(self, raw_ns: int) -> tuple[int, float]:
        """What the clock shows at RAW `raw_ns`: whole ns, and the rest (0 ≤ rest < 1)."""
        elapsed_ns = raw_ns - self.raw_ns
        gained = self.clock_frac + elapsed_ns * (self.drift + self.rate + self.drift * self.rate)
        whole = int(gained // 1)
        return self.clock_ns + elapsed_ns + whole, gained - whole


def phc_file(state: Path, name: str) -> Path:
    """STATE/run/phc.NAME.json."""
    return run_dir(state) / f"phc.{name}.json"


def read_phc(state: Path, name: str) -> PHCState:
    """The state of a simulated clock. Raises OSError or msgspec.DecodeError."""
    return msgspec.json.decode(phc_file(state, name).read_bytes(), type=PHCState)


def drift_of(name: str) -> float:
    """A simulated oscillator's own rate, by its name."""
    return (zlib.crc32(name.encode()) / 0xFFFFFFFF * 2 - 1) * GREATEST_DRIFT


class SimulatedPHC:
    """One simulated clock; the same calls as of PHCDevice."""

    max_rate = 1e-3

    def __init__(self, state: Path, name: str) -> None:
        self._path = phc_file(state, name)
        boot = hostclocks.boot_name()
        try:
            self._state = read_phc(state, name)
        except (OSError, msgspec.DecodeError):
            self._state = PHCState("", 0, 0, 0.0, drift_of(name), 0.0, 0)
        if self._state.boot_id != boot:
            self._state = PHCState(boot, hostclocks.raw_ns(), 0, 0.0, drift_of(name), 0.0, 0)
            self._write()

    @property
    def rate(self) -> float:
        """The correction in force."""
        return self._state.rate

    def read(self) -> PHCReading:
        """What it shows now."""
        raw_ns = hostclocks.raw_ns()
        return PHCReading(raw_ns, self._state.shown(raw_ns)[0], 0)

    def step(self, offset_s: float) -> None:
        """Set it forward by `offset_s`."""
        self._go_on(round(offset_s * S), self._state.rate, 1)

    def set_rate(self, rate: float) -> None:
        """Run faster by `rate` than the oscillator."""
        self._go_on(0, rate, 0)

    def close(self) -> None:
        """Its state is in its file."""

    def _go_on(self, offset_ns: int, rate: float, steps: int) -> None:
        now = self._state
        raw_ns = hostclocks.raw_ns()
        clock_ns, rest = now.shown(raw_ns)
        self._state = PHCState(now.boot_id, raw_ns, clock_ns + offset_ns, rest, now.drift, rate, now.steps + steps)
        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self._path, msgspec.json.encode(self._state))
