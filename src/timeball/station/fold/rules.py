"""The rules that decisions follow: the part of the configuration that the ledger records and a replay reads back.

Everything a scale step or a steer depends on stands here and nothing else does; changing a rule is therefore a recorded
decision. Pure: it turns a `Config` into rules and rules into a payload and back. Floats stand in payloads as shortest
round-trip strings, because ledger payloads carry no floats.
"""

from __future__ import annotations

from typing import Any

import msgspec

import timeball
from timeball.ensemble.at1 import AT1Parameters, EnsembleError
from timeball.simulation.models import MODELS
from timeball.station.configuration.settings import Config, Output, Steering

VERSION = 1
DEFAULT_TAU_MIN_S = 86400.0


class RulesUnknown(ValueError):
    """A recorded configuration whose rules this software does not know; one sentence."""


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What decides: the algorithm's parameters, the steering law with its envelope, how often a snapshot is taken."""

    at1: AT1Parameters
    steering: Steering
    output: Output
    interval_s: float
    snapshot_every: int
    version: int = VERSION

    @property
    def measured(self) -> frozenset[str]:
        """The clocks that are configured, and the output: what the ensemble may know of."""
        return frozenset(self.at1.tau_min_s_by_clock) | {self.output.clock}


def rules_of(config: Config) -> Rules:
    """The rules of a configuration; tau_min of a clock is taken from its kind when the configuration does not say."""
    never = tuple(clock.name for clock in config.clock if clock.zero_weight)
    at1 = AT1Parameters(
        memory_s=config.ensemble.memory_s,
        interval_s=config.ensemble.interval_s,
        cap=config.ensemble.cap,
        tau_min_s=DEFAULT_TAU_MIN_S,
        tau_min_s_by_clock={clock.name: clock.tau_min_s or tau_min_of(clock.kind) for clock in config.clock},
        zero_weight=(*never, config.output.clock),
    )
    return Rules(at1, config.steering, config.output, config.ensemble.interval_s, config.ensemble.snapshot_every)


def tau_min_of(kind: str) -> float:
    """τ (s) at which a clock of this kind is most stable, from its model on a 1-2-5 grid; a day for unknown kinds."""
    model = MODELS.get(kind)
    if model is None:
        return DEFAULT_TAU_MIN_S
    grid = [step * 10.0**decade for decade in range(1, 7) for step in (1.0, 2.0, 5.0)]
    return min(grid, key=lambda tau_s: float(model.theory_adev(tau_s)))


def config_payload(config: Config) -> dict[str, Any]:
    """The payload of a `config` entry: the whole configuration, the rules it means, and the software that says so."""
    told = msgspec.to_builtins(config)
    # this entry is public, and who may read the others decides nothing about time
    del told["ledger"]["reader"]
    return {
        "config": without_floats(told),
        "rules": without_floats(msgspec.to_builtins(rules_of(config))),
        "software": f"timeball {timeball.__version__}",
    }


def rules_from_payload(payload: dict[str, Any]) -> Rules:
    """Read the rules of a `config` entry; raises `RulesUnknown` when they are not of a known version, or no rules."""
    recorded = payload.get("rules") if isinstance(payload, dict) else None
    version = recorded.get("version") if isinstance(recorded, dict) else None
    if version != VERSION:
        raise RulesUnknown(f"rules of version {version}, this software knows version {VERSION}")
    try:
        return msgspec.convert(recorded, Rules, strict=False)
    except (msgspec.ValidationError, EnsembleError) as error:
        raise RulesUnknown(f"these are no rules of version {VERSION}: {error}") from error


def without_floats(value: Any) -> Any:
    """The same structure with every float as its shortest round-trip string and every tuple as a list."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return {key: without_floats(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_floats(item) for item in value]
    return value
