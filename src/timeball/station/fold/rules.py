"""The rules that decisions follow: the part of the configuration that the ledger records and a replay reads back.

Everything a scale step or a steer depends on stands here and nothing else does; changing a rule is therefore a recorded
decision. Pure: it turns a `Config` into rules and rules into a payload and back. Floats stand in payloads as shortest
round-trip strings, because ledger payloads carry no floats.
"""

from __future__ import annotations

from typing import Any

import msgspec

import timeball
from timeball.ensemble.at1 import AT1Parameters
from timeball.ensemble.errors import EnsembleError
from timeball.simulation.models import MODELS
from timeball.station.configuration.settings import Config, Output, Steering

NEWEST = 2
KNOWN = (1, 2)
SINCE = {"witnessed_within_s": 2, "ahead_s": 2}
"""Members that rules have from a version on; what each version means is in docs/adr/0013."""
AT1_VERSION = 1
AHEAD_S = 60.0
WITNESSED_WITHIN_S = 7200.0
"""The publisher repeats its statement four times as often."""
DEFAULT_TAU_MIN_S = 86400.0


class RulesUnknown(ValueError):
    """A recorded configuration whose rules this software does not know; one sentence."""


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What decides: the algorithm's parameters, the steering law with its envelope, how often a snapshot is taken.

    witnessed_within_s: nothing is steered unless the newest statement of the witness stream says that they cosign, and
    is not older than this; None where nobody is asked (from version 2 on).
    ahead_s: no epoch may be later than its entry by more, or it would stall the scale until then (from version 2 on);
    None where recorded files are replayed, whose epochs are of any time.
    """

    at1: AT1Parameters
    steering: Steering
    output: Output
    interval_s: float
    snapshot_every: int
    version: int = NEWEST
    witnessed_within_s: float | None = None
    ahead_s: float | None = None

    @property
    def measured(self) -> frozenset[str]:
        """The clocks that are configured, and the output: what the ensemble may know of."""
        return frozenset(self.at1.tau_min_s_by_clock) | {self.output.clock}


def rules_of(config: Config, version: int = NEWEST, *, live: bool = True) -> Rules:
    """The rules of a configuration; tau_min of a clock is taken from its kind when the configuration does not say.

    A past that is computed (not `live`) was never witnessed, so its rules do not ask for it.
    """
    never = tuple(clock.name for clock in config.clock if clock.zero_weight)
    asked = live and version >= SINCE["witnessed_within_s"] and bool(config.ledger.policy)
    at1 = AT1Parameters(
        memory_s=config.ensemble.memory_s,
        interval_s=config.ensemble.interval_s,
        cap=config.ensemble.cap,
        tau_min_s=DEFAULT_TAU_MIN_S,
        tau_min_s_by_clock={clock.name: clock.tau_min_s or tau_min_of(clock.kind) for clock in config.clock},
        zero_weight=(*never, config.output.clock),
    )
    return Rules(
        at1,
        config.steering,
        config.output,
        config.ensemble.interval_s,
        config.ensemble.snapshot_every,
        version,
        witnessed_within_s=WITNESSED_WITHIN_S if asked else None,
        ahead_s=AHEAD_S if version >= SINCE["ahead_s"] and not config.replayed else None,
    )


def tau_min_of(kind: str) -> float:
    """τ (s) at which a clock of this kind is most stable, from its model on a 1-2-5 grid; a day for unknown kinds."""
    model = MODELS.get(kind)
    if model is None:
        return DEFAULT_TAU_MIN_S
    grid = [step * 10.0**decade for decade in range(1, 7) for step in (1.0, 2.0, 5.0)]
    return min(grid, key=lambda tau_s: float(model.theory_adev(tau_s)))


def config_payload(config: Config, version: int | None = None, *, live: bool = True) -> dict[str, Any]:
    """The payload of a `config` entry: the whole configuration, the rules it means, and the software that says so.

    version: of the rules; by default the one that is set, or the newest. The entry has the same version.
    """
    number = version or config.ensemble.rules_version or NEWEST
    told = msgspec.to_builtins(config)
    # this entry is public, and who may read the others decides nothing about time
    del told["ledger"]["reader"]
    return {
        "config": without_floats(told),
        "rules": rules_payload(rules_of(config, number, live=live)),
        "software": f"timeball {timeball.__version__}",
    }


def rules_payload(rules: Rules) -> dict[str, Any]:
    """Rules as a `config` entry carries them: with the members that their version has."""
    payload: dict[str, Any] = without_floats(msgspec.to_builtins(rules))
    return {name: value for name, value in payload.items() if rules.version >= SINCE.get(name, 1)}


def version_of(payload: Any) -> Any:
    """What a recorded configuration says of the version of its rules, whatever that is; None when nothing."""
    recorded = payload.get("rules") if isinstance(payload, dict) else None
    return recorded.get("version") if isinstance(recorded, dict) else None


def rules_from_payload(payload: dict[str, Any]) -> Rules:
    """Read the rules of a `config` entry; raises `RulesUnknown` when they are not of a known version, or no rules."""
    version = version_of(payload)
    if type(version) is not int or version not in KNOWN:
        known = " and ".join(map(str, KNOWN))
        raise RulesUnknown(f"rules of version {version}, this software knows versions {known}")
    recorded = payload["rules"]
    for name, since in SINCE.items():
        if (name in recorded) != (version >= since):
            said = "lacking" if version >= since else "of a later version"
            raise RulesUnknown(f"these are no rules of version {version}: field `{name}` is {said}")
    try:
        rules = msgspec.convert(recorded, Rules, strict=False)
    except (msgspec.ValidationError, EnsembleError) as error:
        raise RulesUnknown(f"these are no rules of version {version}: {error}") from error
    if rules.at1.version != AT1_VERSION:
        raise RulesUnknown(f"AT1 of version {rules.at1.version}, this software knows version {AT1_VERSION}")
    return rules


def without_floats(value: Any) -> Any:
    """The same structure with every float as its shortest round-trip string and every tuple as a list."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return {key: without_floats(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_floats(item) for item in value]
    return value
