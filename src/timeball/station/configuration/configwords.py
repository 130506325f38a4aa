"""A configuration in words: which clocks, who reads what, how far anything may move. It judges nothing."""

from __future__ import annotations

from timeball.station.configuration.following import NTPInstrument
from timeball.station.configuration.outputs import AnyOutput, ChronySock
from timeball.station.configuration.servingwords import serving, watchdog
from timeball.station.configuration.settings import (
    AnyInstrument,
    Config,
    HostInstrument,
    LineInstrument,
    ReplayInstrument,
)

ON_BULLETINS = {"utcr": "UTCr", "circular-t": "Circular T"}


def explain(config: Config) -> list[str]:
    """One sentence a matter, in the order in which a nanosecond passes through the station."""
    return [
        *_clocks(config),
        *(_instrument(item, config) for item in config.instrument),
        _steering(config),
        *_bulletins(config),
        _actuator(config),
        _leases(config),
        *serving(config),
        *_outputs(config),
        *watchdog(config),
        *_past(config),
    ]


def _clocks(config: Config) -> list[str]:
    names = ", ".join(f"{clock.name} ({clock.kind})" for clock in config.clock)
    ensemble = config.ensemble
    sentences = [
        f"UTC({config.station.name}) comes from {len(config.clock)} clocks: {names}.",
        f"A step of TA({config.station.name}) every {ensemble.interval_s:g} s; weights from prediction errors of "
        f"{ensemble.memory_s / 86400:g} days, none above {ensemble.cap:.0%}.",
    ]
    if ensemble.algorithm != "at1" or ensemble.beside:
        beside = f"; beside it {' and '.join(ensemble.beside)} are computed and recorded" if ensemble.beside else ""
        sentences.append(f"TA({config.station.name}) is carried by {ensemble.algorithm}{beside}.")
    idle = ", ".join(clock.name for clock in config.clock if clock.zero_weight)
    return [*sentences, f"Measured but without weight: {idle}."] if idle else sentences


def _instrument(item: AnyInstrument, config: Config) -> str:
    if isinstance(item, LineInstrument):
        who = "The observer" if item.observer else "The collector"
        return f"{who} reads {item.a} − {item.b} from {item.port}, a line a reading."
    if isinstance(item, ReplayInstrument):
        speed = "as fast as possible" if item.speed == 0 else f"at {item.speed:g} times real speed"
        return f"{len(item.files)} recorded files are replayed {speed}: {', '.join(item.files)}."
    if isinstance(item, HostInstrument):
        return f"The host's counter is read against {item.against} by {item.by} {item.device}".rstrip() + "."
    if isinstance(item, NTPInstrument):
        how = "over NTS" if item.nts else "over NTP, unauthenticated"
        return f"{item.clock} is the server {item.server}, asked {how} every {item.poll_s:g} s, against {item.host}."
    return f"A simulated laboratory (seed {config.simulation.seed}) is measured: nothing of this is traceable time."


def _steering(config: Config) -> str:
    steering = config.steering
    if not steering.enabled:
        return "Nothing is steered."
    towards = f"towards {steering.utc} every {steering.interval_s / 3600:g} h"
    if steering.law in ON_BULLETINS:
        towards = f"by each new {ON_BULLETINS[steering.law]}"
    dry = "; it is a dry run: proposals are recorded and not done" if steering.dry_run else ""
    return (
        f"UTC({config.station.name}) is steered {towards}, by at "
        f"most {steering.max_rate_change:g} in rate a time, {steering.max_rate:g} in rate at all, and "
        f"{steering.max_phase_per_day_s * 1e9:g} ns a day{dry}."
    )


def _bulletins(config: Config) -> list[str]:
    if not config.bulletins.folder:
        return []
    laboratory = config.steering.laboratory or config.station.name
    return [f"Bulletins with a value of UTC({laboratory}) are taken from {config.bulletins.folder} and recorded."]


def _actuator(config: Config) -> str:
    if config.actuator.kind == "none":
        return "Nothing moves the output: there is no actuator."
    return (
        f"The output {config.output.clock} follows through a {config.actuator.kind} stepper behind "
        f"{config.output.source}; whatever is ordered, it moves at most "
        f"{config.actuator.hard_limit_s_per_day * 1e9:g} ns a day."
    )


def _leases(config: Config) -> str:
    lease, observer = config.lease, config.observer
    return (
        f"Time is served as synchronised only while the bound is below {lease.max_bound_s:g} s, the output within "
        f"{observer.residual_limit_s * 1e9:g} ns of TA + steers, and both leases run: the timekeeper's "
        f"({lease.timekeeper_s:g} s) and the observer's ({lease.observer_s:g} s)."
    )


def _outputs(config: Config) -> list[str]:
    words = [_output(item) for item in config.outputs]
    if words and config.simulated:
        words.append("What is fed is simulated time: let no clock follow it that anybody needs (chronyd -x does not).")
    return words


def _output(item: AnyOutput) -> str:
    if isinstance(item, ChronySock):
        return f"A chronyd is fed through {item.path} every {item.every_s:g} s, while time is served as synchronised."
    told = f", and ptp4l at {item.ptp4l} is told the clock class" if item.ptp4l else ""
    return (
        f"The PTP clock {item.device} follows TAI: corrected every {item.every_s:g} s by at most {item.max_rate:g} in "
        f"rate, stepped once when it begins beyond {item.step_s:g} s{told}."
    )


def _past(config: Config) -> list[str]:
    sources = ", ".join(config.time_of_day.sources)
    words = [f"Time of day comes from {sources}; two must agree within {config.time_of_day.tolerance_s:g} s."]
    if config.simulated and config.history.days > 0:
        words.append(f"At the first start {config.history.days:g} days of the laboratory's past are computed.")
    return words
