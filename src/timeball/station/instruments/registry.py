"""Which class stands behind each kind of instrument: what the configuration names, made ready to be opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from timeball.instants import LeapTable
from timeball.station.configuration.following import NTPInstrument
from timeball.station.configuration.settings import Config, HostInstrument, LineInstrument, ReplayInstrument
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.realtime import station_leaps
from timeball.station.hosttime.timeofday import TimeOfDayUnknown, agreed_tai_ns, sources_of
from timeball.station.instruments.base import Instrument
from timeball.station.instruments.cookiejar import CookieJar
from timeball.station.instruments.host import HostClock, NTPCapture, PHCCapture, PPSCapture, SimulatedCapture
from timeball.station.instruments.line import LineCounter
from timeball.station.instruments.ntpsource import NTPSource
from timeball.station.instruments.outside import ObserverCounter, RealObserver, SimulatedObserver
from timeball.station.instruments.replay import Replay
from timeball.station.instruments.simulated import SimulatedComparator, Simulation, open_simulation
from timeball.station.supervision.process import CannotStartError


@dataclass(frozen=True)
class Instruments:
    """The instruments of a station: those that compare clocks, and the one that reads the host's counter."""

    comparisons: list[Instrument] = field(default_factory=list)
    host: HostClock | None = None


@dataclass(frozen=True)
class TimeBase:
    """TAI for this process: what was agreed at RAW `raw_ns`, and RAW since."""

    tai_ns: int
    raw_ns: int

    def now(self) -> int:
        """TAI (ns), to about a second; good for stamping the lines of a counter."""
        return self.tai_ns + hostclocks.raw_ns() - self.raw_ns


def make_instruments(config: Config, state: Path, head_tai_ns: int = 0, after_ns: int | None = None) -> Instruments:
    """Make, but do not open, the collector's instruments.

    head_tai_ns: time of the ledger's newest entry; after_ns: newest epoch recorded, where a replay goes on.
    Raises `CannotStartError`.
    """
    leaps = station_leaps(config)
    simulation = open_simulation(state, config) if config.simulated else None
    base = None if config.replayed else _time_base(config, state, leaps, simulation, head_tai_ns)
    made = Instruments([], _host(config, state, simulation, base, leaps))
    for item in config.instrument:
        if isinstance(item, NTPInstrument):
            if made.host is not None:
                jar = CookieJar(state, item)
                made.comparisons.append(NTPSource(item, leaps, made.host.anchor_ns, made.host.epoch_of, jar))
        elif isinstance(item, ReplayInstrument):
            made.comparisons.append(Replay(item, leaps, after_ns))
        elif isinstance(item, LineInstrument):
            if base is not None and not item.observer:
                made.comparisons.append(LineCounter(item, base.now, leaps))
        elif not isinstance(item, HostInstrument) and simulation is not None:
            made.comparisons.append(SimulatedComparator(simulation))
    return made


def make_observer_counter(config: Config, state: Path) -> ObserverCounter:
    """The observer's own instrument on the output: its own counter in the simulated laboratory, or its own lines.

    Raises `CannotStartError`.
    """
    leaps = station_leaps(config)
    if config.simulated:
        return SimulatedObserver(open_simulation(state, config))
    base = TimeBase(0, 0)
    if not config.replayed:
        base = _time_base(config, state, leaps, None, 0)
    lines = [
        LineCounter(item, base.now, leaps)
        for item in config.instrument
        if isinstance(item, LineInstrument) and item.observer
    ]
    return RealObserver(config.output.clock, lines, _host(config, state, None, base, leaps), base.now)


def _time_base(
    config: Config, state: Path, leaps: LeapTable, simulation: Simulation | None, head_tai_ns: int
) -> TimeBase:
    moment = hostclocks.bracket()
    if simulation is not None:
        return TimeBase(simulation.tai_ns(moment.raw_ns), moment.raw_ns)
    try:
        tai_ns = agreed_tai_ns(sources_of(config, state), moment, leaps, config, head_tai_ns)
    except TimeOfDayUnknown as error:
        raise CannotStartError(str(error)) from error
    return TimeBase(tai_ns, moment.raw_ns)


def _host(
    config: Config, state: Path, simulation: Simulation | None, base: TimeBase | None, leaps: LeapTable
) -> HostClock | None:
    settings = next((item for item in config.instrument if isinstance(item, HostInstrument)), None)
    if settings is None or base is None:
        return None
    if settings.by == "simulated":
        return SimulatedCapture(settings, simulation) if simulation is not None else None
    if settings.by == "ntp":
        return NTPCapture(settings, state, base.tai_ns, base.raw_ns, leaps)
    kinds: dict[str, Callable[..., HostClock]] = {"pps": PPSCapture, "phc": PHCCapture}
    return kinds[settings.by](settings, state, base.tai_ns, base.raw_ns)
