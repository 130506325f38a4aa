"""The rules between settings: names that must exist, limits that must fit inside one another.

Each rule yields (key path, sentence) for what it finds; it never raises and never reads anything but the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_network
from itertools import pairwise

from timeball.station.configuration.followingrules import servers, watchdog
from timeball.station.configuration.ntsrules import nts
from timeball.station.configuration.outputs import PHC, SIMULATED, ChronySock
from timeball.station.configuration.section import NAME_PATTERN
from timeball.station.configuration.section import port_fits as _port_fits
from timeball.station.configuration.settings import (
    Config,
    HostInstrument,
    LineInstrument,
    SimulatedInstrument,
)
from timeball.station.configuration.signingrules import roughtime

Found = Iterator[tuple[str, str]]
MONTH_S = 30 * 86400.0
MOST_KALMAN_CLOCKS = 150
"""A covariance of six states a clock, written out, stays below the 16 MiB of a payload up to here."""
ON_BULLETINS = ("utcr", "circular-t")


def broken_rules(config: Config) -> Found:
    """Every rule that the configuration breaks, in the order of the file."""
    for rule in (
        _clocks,
        _output,
        _instruments,
        servers,
        _simulated_parts,
        _times_of_day,
        _limits,
        _ensemble,
        _law,
        _leases,
        _witnesses,
        watchdog,
        _addresses,
        _networks,
        nts,
        roughtime,
        _outputs,
    ):
        yield from rule(config)


def measurable_names(config: Config) -> set[str]:
    """Every name that a reading of this station may carry."""
    names = {clock.name for clock in config.clock} | {config.output.clock, config.steering.utc}
    return names | {item.clock for item in config.instrument if isinstance(item, HostInstrument)}


def _clocks(config: Config) -> Found:
    if not config.clock:
        yield "clock", "at least one [[clock]] is needed"
    seen: set[str] = set()
    for index, clock in enumerate(config.clock):
        if clock.name in seen:
            yield f"clock[{index}].name", f"{clock.name!r} is named twice"
        if clock.name in (config.output.clock, config.steering.utc):
            yield f"clock[{index}].name", f"{clock.name!r} is the name of the output signal or of UTC"
        seen.add(clock.name)
    if config.clock and all(clock.zero_weight for clock in config.clock):
        yield "clock", "every clock has zero weight: no scale can be formed"


def _output(config: Config) -> Found:
    names = [clock.name for clock in config.clock]
    if config.output.source not in names and config.actuator.kind != "none":
        yield "output.source", f"{config.output.source!r} is no [[clock]]; the clocks are {', '.join(names)}"
    if config.output.clock == config.steering.utc:
        yield "output.clock", "the output signal and UTC must have different names"


def _instruments(config: Config) -> Found:
    if not config.instrument:
        yield "instrument", "at least one [[instrument]] is needed: nothing would be measured"
    names = measurable_names(config)
    for index, item in enumerate(config.instrument):
        if isinstance(item, LineInstrument):
            yield from _line(item, names, f"instrument[{index}]")
        if isinstance(item, HostInstrument):
            yield from _host(item, names, f"instrument[{index}]")
    for kind in (SimulatedInstrument, HostInstrument):
        if sum(isinstance(item, kind) for item in config.instrument) > 1:
            yield "instrument", f"only one instrument of kind {kind.__struct_config__.tag!r} can be used"
    if config.replayed and len(config.instrument) > 1:
        yield "instrument", "a replay brings its own time: it must be the only instrument"


def _line(item: LineInstrument, names: set[str], path: str) -> Found:
    for key, name in (("a", item.a), ("b", item.b)):
        if name not in names:
            yield f"{path}.{key}", f"{name!r} is no clock, output or UTC of this configuration"
    if item.a == item.b:
        yield f"{path}.b", "a clock cannot be compared with itself"


def _host(item: HostInstrument, names: set[str], path: str) -> Found:
    if item.against not in names or item.against == item.clock:
        yield f"{path}.against", f"{item.against!r} is no clock, output or UTC of this configuration"
    if item.by != "simulated" and not item.device:
        yield f"{path}.device", f"is needed when by = {item.by!r}"


def _simulated_parts(config: Config) -> Found:
    if config.simulated:
        yield from _kinds(config)
        return
    laboratory = 'the simulated laboratory ([[instrument]] kind = "simulated")'
    if config.actuator.kind == "simulated":
        yield "actuator.kind", f'the simulated stepper belongs to {laboratory}; without it write kind = "none"'
    for index, item in enumerate(config.instrument):
        if isinstance(item, HostInstrument) and item.by == "simulated":
            yield f"instrument[{index}].by", f"the simulated capture belongs to {laboratory}"
    if "simulated" in config.time_of_day.sources and not config.replayed:
        yield "time_of_day.sources", f"the source simulated belongs to {laboratory}"


def _kinds(config: Config) -> Found:
    """A simulated clock needs a model."""
    from timeball.simulation.models import MODELS

    for index, clock in enumerate(config.clock):
        if clock.kind not in MODELS:
            yield f"clock[{index}].kind", f"{clock.kind!r} has no model; the models are {', '.join(sorted(MODELS))}"


def _times_of_day(config: Config) -> Found:
    seen: set[str] = set()
    for source in config.time_of_day.sources:
        if source not in ("realtime", "rtc", "simulated") and not _is_server(source):
            yield "time_of_day.sources", f"{source!r} is none of realtime, rtc, simulated, ntp:host:port, nts:host:port"
        if source in seen:
            yield "time_of_day.sources", f"{source!r} is named twice: one source cannot agree with itself"
        seen.add(source)


def _is_server(source: str) -> bool:
    kind, _, address = source.partition(":")
    host, _, port = address.rpartition(":")
    return kind in ("ntp", "nts") and bool(host) and _port_fits(port)


def _limits(config: Config) -> Found:
    steering = config.steering
    if steering.max_phase_per_day_s > config.actuator.hard_limit_s_per_day:
        yield "steering.max_phase_per_day_s", "the envelope must lie inside actuator.hard_limit_s_per_day"
    if steering.max_rate_change > steering.max_rate:
        yield "steering.max_rate_change", "must not exceed steering.max_rate"
    if steering.window_s < steering.interval_s:
        yield "steering.window_s", "must be at least steering.interval_s"
    if steering.time_constant_s < steering.interval_s:
        yield "steering.time_constant_s", "must be at least steering.interval_s, or the loop is unstable"
    if steering.tracking_time_constant_s < steering.tracking_interval_s:
        yield "steering.tracking_time_constant_s", "must be at least steering.tracking_interval_s"
    if config.ensemble.cap * sum(not clock.zero_weight for clock in config.clock) < 1:
        yield "ensemble.cap", "cap × number of weighted clocks is below 1: the weights cannot add up to 1; raise it"


def _ensemble(config: Config) -> Found:
    ensemble = config.ensemble
    running = (ensemble.algorithm, *ensemble.beside)
    if len(set(running)) < len(running):
        yield "ensemble.beside", "names an algorithm twice, or the one that carries the scale"
    if "kalman" in running and len(config.clock) > MOST_KALMAN_CLOCKS:
        yield "ensemble", f"kalman has room for {MOST_KALMAN_CLOCKS} clocks: its state would outgrow an entry"
    if ensemble.reference and ensemble.reference not in {clock.name for clock in config.clock}:
        yield "ensemble.reference", f"{ensemble.reference!r} is no [[clock]]"


def _law(config: Config) -> Found:
    steering = config.steering
    if steering.law in ON_BULLETINS and not config.bulletins.folder:
        yield "bulletins.folder", f"is needed: steering.law = {steering.law!r} answers bulletins"
    if steering.law == "circular-t" and steering.time_constant_s < MONTH_S:
        yield "steering.time_constant_s", "must be at least 30 days with law circular-t, which steers once a month"
    if steering.resolution > steering.max_rate_change or steering.least_change > steering.max_rate_change:
        yield "steering.max_rate_change", "must be at least steering.resolution and steering.least_change"


def _leases(config: Config) -> Found:
    lease = config.lease
    for key, length in (("timekeeper_s", lease.timekeeper_s), ("observer_s", lease.observer_s)):
        if lease.renew_s * 2 > length:
            yield f"lease.{key}", "must be at least twice lease.renew_s, or one late renewal withdraws the service"
    if config.observer.interval_s >= lease.observer_s:
        yield "observer.interval_s", "must be shorter than lease.observer_s"
    if lease.scale_max_age_s < 2 * config.ensemble.interval_s:
        yield "lease.scale_max_age_s", "must be at least twice ensemble.interval_s"


def _witnesses(config: Config) -> Found:
    if config.ledger.publish_every_s * 2 > config.ledger.cosign_within_s:
        yield "ledger.cosign_within_s", "must be at least twice ledger.publish_every_s, or one lost answer is an alarm"


def _addresses(config: Config) -> Found:
    for index, address in enumerate(config.ntp.listen):
        if not _port_fits(address.rpartition(":")[2]):
            yield f"ntp.listen[{index}]", f"{address!r} has no port between 1 and 65535"
    if not _port_fits(config.console.listen.rpartition(":")[2]):
        yield "console.listen", f"{config.console.listen!r} has no port between 1 and 65535"
    if config.metrics.listen and not _port_fits(config.metrics.listen.rpartition(":")[2]):
        yield "metrics.listen", f"{config.metrics.listen!r} has no port between 1 and 65535"
    if config.metrics.listen == config.console.listen:
        yield "metrics.listen", f"{config.metrics.listen!r} is the console's address"
    for index, address in enumerate(config.ntp.smeared):
        if not _port_fits(address.rpartition(":")[2]):
            yield f"ntp.smeared[{index}]", f"{address!r} has no port between 1 and 65535"
    for first, second in pairwise(sorted(config.ntp.listen + config.ntp.smeared)):
        if first == second:
            both = first in config.ntp.listen and first in config.ntp.smeared
            yield "ntp.listen", f"{first!r} is smeared and not" if both else f"{first!r} is named twice"


def _networks(config: Config) -> Found:
    for key in ("allow", "deny", "nts_only"):
        for index, network in enumerate(getattr(config.ntp, key)):
            try:
                ip_network(network, strict=False)
            except ValueError:
                yield f"ntp.{key}[{index}]", f"{network!r} is no network, like 192.0.2.0/24 or 2001:db8::/32"


def _outputs(config: Config) -> Found:
    """What is fed is named by an absolute path, and nothing is fed twice."""
    seen: set[str] = set()
    for index, item in enumerate(config.outputs):
        key, place = ("path", item.path) if isinstance(item, ChronySock) else ("device", item.device)
        name = place.removeprefix(SIMULATED)
        if place == name and not place.startswith("/"):
            yield f"outputs[{index}].{key}", f"{place!r} must be an absolute path"
        if place != name and (isinstance(item, ChronySock) or not re.fullmatch(NAME_PATTERN, name)):
            yield f"outputs[{index}].{key}", f"{place!r} is neither an absolute path nor simulated:NAME of a phc"
        if place in seen:
            yield f"outputs[{index}].{key}", f"{place!r} is fed twice"
        seen.add(place)
        if isinstance(item, PHC) and item.ptp4l and not item.ptp4l.startswith("/"):
            yield f"outputs[{index}].ptp4l", f"{item.ptp4l!r} must be an absolute path"
