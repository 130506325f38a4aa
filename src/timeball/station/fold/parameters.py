"""The parameters of each algorithm as a configuration means them: what a clock's kind says unless its settings do.

Pure. It fits nothing to data; a laboratory that has fitted its clocks writes the figures into their settings.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from timeball.ensemble.algorithms import ALGORITHMS, algorithm
from timeball.ensemble.at1 import AT1Parameters
from timeball.ensemble.errors import EnsembleError
from timeball.ensemble.noise import COEFFICIENTS, ClockNoise
from timeball.integrity.anomalies.rules import AnomalyRules
from timeball.simulation.models import MODELS
from timeball.station.configuration.following import NTPInstrument
from timeball.station.configuration.settings import Clock, Config

AT1 = "at1"
KALMAN = "kalman"
DEFAULT_TAU_MIN_S = 86400.0
SERVER = "ntp"
"""Kind of a server that is asked over the network and is no [[clock]] of its own."""


def parameters_of(key: str, config: Config) -> Any:
    """The parameters of the algorithm with this key; those of AT1 are an `AT1Parameters`, and so on."""
    return _MAKERS[key](config)


def read_parameters(key: str, recorded: Any) -> Any:
    """Parameters as rules carry them; raises ``EnsembleError`` in one sentence when they are none."""
    if key not in ALGORITHMS:
        raise EnsembleError(f"the algorithm {key!r} is not known here")
    kind = algorithm(key).parameters
    read: Any
    try:
        read = msgspec.convert(recorded, kind, strict=False)
    except msgspec.ValidationError as error:
        raise EnsembleError(f"parameters of {key}: {error}") from error
    known = next(field.default for field in msgspec.structs.fields(kind) if field.name == "version")
    if read.version != known:
        raise EnsembleError(f"{algorithm(key).name} of version {read.version}, this software knows version {known}")
    return read


def detector_rules(config: Config) -> AnomalyRules:
    """The rules of the detectors."""
    return AnomalyRules(interval_s=config.ensemble.interval_s, threshold=config.ensemble.anomaly_sigmas)


def tau_min_of(kind: str) -> float:
    """τ (s) at which a clock of this kind is most stable, from its model on a 1-2-5 grid; a day for unknown kinds."""
    model = MODELS.get(kind)
    if model is None:
        return DEFAULT_TAU_MIN_S
    grid = [step * 10.0**decade for decade in range(1, 7) for step in (1.0, 2.0, 5.0)]
    return min(grid, key=lambda tau_s: float(model.theory_adev(tau_s)))


def noise_of(clock: Clock, reading_noise_s: float) -> ClockNoise | None:
    """A clock's coefficients: those of its settings, the others by its kind; None when nothing is known of it.

    reading_noise_s: standard deviation of one reading's noise (s), which white phase noise by kind does not hold.
    """
    model = MODELS.get(clock.kind)
    said = {name: value for name in (*COEFFICIENTS, "drifts") if (value := getattr(clock, name)) is not None}
    if model is None and not said:
        return None
    by_kind: dict[str, Any] = {}
    if model is not None:
        wpm = math.sqrt(model.wpm * model.wpm + model.fpm * model.fpm + 3.0 * reading_noise_s * reading_noise_s)
        by_kind = {"wpm": wpm, "wfm": model.wfm, "ffm": model.ffm, "rwfm": model.rwfm, "drifts": model.drift != 0.0}
    return ClockNoise(**{**by_kind, **said})


def clocks_of(config: Config) -> tuple[Clock, ...]:
    """The clocks of the ensemble: those configured, and without weight the servers that are not among them."""
    named = {clock.name for clock in config.clock}
    servers = (item.clock for item in config.instrument if isinstance(item, NTPInstrument) and item.clock not in named)
    return (*config.clock, *(Clock(name=name, kind=SERVER, zero_weight=True) for name in dict.fromkeys(servers)))


def _never(config: Config) -> tuple[str, ...]:
    """The clocks that never carry the scale: those so configured, and the output."""
    return (*(clock.name for clock in clocks_of(config) if clock.zero_weight), config.output.clock)


def _at1(config: Config) -> AT1Parameters:
    return AT1Parameters(
        memory_s=config.ensemble.memory_s,
        interval_s=config.ensemble.interval_s,
        cap=config.ensemble.cap,
        tau_min_s=DEFAULT_TAU_MIN_S,
        tau_min_s_by_clock={clock.name: clock.tau_min_s or tau_min_of(clock.kind) for clock in clocks_of(config)},
        zero_weight=_never(config),
    )


def _algos(config: Config) -> Any:
    from timeball.ensemble.algos.parameters import ALGOSParameters

    return ALGOSParameters(
        window_s=config.ensemble.algos_window_s, interval_s=config.ensemble.interval_s, zero_weight=_never(config)
    )


def _kalman(config: Config) -> Any:
    from timeball.ensemble.kalman.parameters import KalmanParameters

    known = {clock.name: noise_of(clock, config.ensemble.reading_noise_s) for clock in clocks_of(config)}
    return KalmanParameters(
        noise_by_clock={name: noise for name, noise in known.items() if noise is not None},
        interval_s=config.ensemble.interval_s,
        cap=config.ensemble.cap,
        zero_weight=_never(config),
    )


_MAKERS = {AT1: _at1, "algos": _algos, KALMAN: _kalman}
KEYS = tuple(_MAKERS)
"""The algorithms that a station may run."""
