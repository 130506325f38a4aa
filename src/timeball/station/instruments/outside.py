"""The observer's own look at the output: x_OUT − x_i by a counter that the collector does not use.

In the simulated laboratory it is a second comparator with noise of its own; on real clocks it is the lines marked
`observer = true`. Where there are none it sees nothing, says so, and no lease is renewed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from timeball.simulation.keyed import keyed_normals
from timeball.station.hosttime import hostclocks
from timeball.station.instruments.base import InstrumentUnavailableError, Sample
from timeball.station.instruments.host import HostClock
from timeball.station.instruments.line import LineCounter
from timeball.station.instruments.simulated import Simulation
from timeball.station.supervision.process import CannotStartError

FRESH_NS = 5 * 10**9
LOOK_NS = 20_000_000


class ObserverCounter(Protocol):
    """What the observer measures with."""

    def tai_ns(self, raw_ns: int) -> int:
        """The output's own time (TAI, ns) at RAW `raw_ns`."""

    def compare(self) -> tuple[int, dict[str, float]]:
        """Now: an epoch (TAI, ns), and x_OUT − x_i (s) of the clocks it sees at that epoch."""


class SimulatedObserver:
    """A second comparator in the simulated laboratory; the same clocks, another noise."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._noise_s = simulation.config.simulation.comparator_noise_s

    def tai_ns(self, raw_ns: int) -> int:
        """The output's own time (TAI, ns) at RAW `raw_ns`."""
        ideal = self._simulation.tai_ns(raw_ns)
        return ideal + round(self._simulation.output_phase_s(ideal) * 1e9)

    def compare(self) -> tuple[int, dict[str, float]]:
        """Now: x_OUT − x_i (s) of every clock."""
        now = self._simulation.tai_ns()
        epoch = np.array([now], np.int64)
        laboratory = self._simulation.laboratory
        output_s = self._simulation.output_phase_s(now)
        return now, {
            name: output_s
            - float(laboratory.world.phases(name, epoch)[0])
            + self._noise_s * float(keyed_normals(laboratory.world.seed, f"observer {name}", epoch)[0])
            for name in laboratory.world.names
        }


class RealObserver:
    """The observer's own lines, and the host counter's newest reading against the output."""

    def __init__(
        self, output: str, lines: Sequence[LineCounter], host: HostClock | None, tai_now: Callable[[], int]
    ) -> None:
        self._output = output
        self._lines = lines
        self._host = host
        self._tai_now = tai_now
        self._latest: dict[str, Sample] = {}
        self._host_x_ns: int | None = None
        try:
            for counter in [*lines, *([host] if host is not None else [])]:
                counter.open()
        except InstrumentUnavailableError as error:
            raise CannotStartError(str(error)) from error

    def tai_ns(self, raw_ns: int) -> int:
        """The output's own time (TAI, ns) at RAW `raw_ns`, by the host counter's newest reading."""
        if self._host is None or self._host_x_ns is None:
            return self._tai_now() + raw_ns - hostclocks.raw_ns()
        return raw_ns + self._host.anchor_ns - self._host_x_ns

    def compare(self) -> tuple[int, dict[str, float]]:
        """What the lines have told within the last seconds."""
        if self._host is not None:
            for sample in self._host.read(hostclocks.raw_ns() + LOOK_NS):
                self._host_x_ns = round(sample.x_fs / 1e6)
        for line in self._lines:
            for sample in line.read(hostclocks.raw_ns() + LOOK_NS):
                self._latest[line.name] = sample
        now = self._tai_now()
        fresh = [sample for sample in self._latest.values() if abs(now - sample.epoch) <= FRESH_NS]
        seen = {}
        for sample in fresh:
            if sample.a == self._output:
                seen[sample.b] = sample.x_fs / 1e15
            elif sample.b == self._output:
                seen[sample.a] = -sample.x_fs / 1e15
        return max((sample.epoch for sample in fresh), default=now), seen
