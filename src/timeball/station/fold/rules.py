"""The rules that decisions follow: the part of the configuration that the ledger records and a replay reads back.

Everything a scale step or a steer depends on stands here and nothing else does; changing a rule is therefore a recorded
decision. Pure: it turns a `Config` into rules and rules into a payload and back. Floats stand in payloads as shortest
round-trip strings, because ledger payloads carry no floats.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

import timeball
from timeball.ensemble.at1 import AT1Parameters
from timeball.ensemble.errors import EnsembleError
from timeball.integrity.anomalies.rules import AnomalyError, AnomalyRules
from timeball.station.configuration.settings import Config, Output, Steering
from timeball.station.fold.parameters import AT1, KEYS, detector_rules, parameters_of, read_parameters
from timeball.station.fold.versions import KNOWN, NEWEST, SINCE, known_words, later_members, misplaced, of_version

AHEAD_S = 60.0
WITNESSED_WITHIN_S = 7200.0
"""The publisher repeats its statement four times as often."""


class RulesUnknown(ValueError):
    """A recorded configuration whose rules this software does not know; one sentence."""


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What decides: the algorithms' parameters, the steering law with its envelope, how often a snapshot is taken.

    witnessed_within_s: nothing is steered unless the newest statement of the witness stream says that they cosign, and
    is not older than this; None where nobody is asked (from version 2 on).
    ahead_s: no epoch may be later than its entry by more, or it would stall the scale until then (from version 2 on);
    None where recorded files are replayed, whose epochs are of any time.
    algorithm: key of the one that carries TA(k); beside: keys of those that are computed and recorded beside it;
    algorithms: by key the parameters of every algorithm but AT1, whose stand in `at1`, whether it runs or not: the one
    that carried TA(k) until now goes on by them until the next has learned (all from version 3 on).
    anomalies: rules of the detectors, None when nobody looks; links: by clock the link it is compared through, where it
    is one; reference: the clock all others are compared with, or empty (all from version 3 on).
    """

    at1: AT1Parameters
    steering: Steering
    output: Output
    interval_s: float
    snapshot_every: int
    version: int = NEWEST
    witnessed_within_s: float | None = None
    ahead_s: float | None = None
    algorithm: str = AT1
    beside: tuple[str, ...] = ()
    algorithms: dict[str, Any] = {}
    anomalies: AnomalyRules | None = None
    links: dict[str, str] = {}
    reference: str = ""

    @property
    def measured(self) -> frozenset[str]:
        """The clocks that are configured, and the output: what the ensemble may know of."""
        return frozenset(self.at1.tau_min_s_by_clock) | {self.output.clock}

    def parameters(self, key: str) -> Any:
        """The parameters of an algorithm; None for one that these rules do not know."""
        return self.at1 if key == AT1 else self.algorithms.get(key)


def rules_of(config: Config, version: int = NEWEST, *, live: bool = True) -> Rules:
    """The rules of a configuration; tau_min of a clock is taken from its kind when the configuration does not say.

    A past that is computed (not `live`) was never witnessed, so its rules do not ask for it. What rules of this version
    have no word for is as if it had not been configured.
    """
    asked = live and version >= SINCE["witnessed_within_s"] and bool(config.ledger.policy)
    chosen = version >= SINCE["algorithm"]
    wanted = config.ensemble.algorithm if chosen else AT1
    beside = tuple(key for key in config.ensemble.beside if key != wanted) if chosen else ()
    return Rules(
        parameters_of(AT1, config),
        _steering_of(config, version),
        config.output,
        config.ensemble.interval_s,
        config.ensemble.snapshot_every,
        version,
        witnessed_within_s=WITNESSED_WITHIN_S if asked else None,
        ahead_s=AHEAD_S if version >= SINCE["ahead_s"] and not config.replayed else None,
        algorithm=wanted,
        beside=beside,
        algorithms={key: parameters_of(key, config) for key in KEYS if key != AT1} if chosen else {},
        anomalies=detector_rules(config) if chosen and config.ensemble.anomalies else None,
        links={clock.name: clock.link for clock in config.clock if clock.link} if chosen else {},
        reference=config.ensemble.reference if chosen else "",
    )


def _steering_of(config: Config, version: int) -> Steering:
    plain = Steering()
    unknown = {name: getattr(plain, name) for name in later_members("steering", version)}
    named = msgspec.structs.replace(config.steering, laboratory=config.steering.laboratory or config.station.name)
    return msgspec.structs.replace(named, **unknown)


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
    return of_version(payload, rules.version)


def version_of(payload: Any) -> Any:
    """What a recorded configuration says of the version of its rules, whatever that is; None when nothing."""
    recorded = payload.get("rules") if isinstance(payload, dict) else None
    return recorded.get("version") if isinstance(recorded, dict) else None


def rules_from_payload(payload: dict[str, Any]) -> Rules:
    """Read the rules of a `config` entry; raises `RulesUnknown` when they are not of a known version, or no rules."""
    version = version_of(payload)
    if type(version) is not int or version not in KNOWN:
        raise RulesUnknown(f"rules of version {version}, this software knows versions {known_words()}")
    recorded = payload["rules"]
    if fault := misplaced(recorded, version):
        raise RulesUnknown(f"these are no rules of version {version}: {fault}")
    try:
        rules = msgspec.convert(recorded, Rules, strict=False)
        at1 = read_parameters(AT1, recorded["at1"])
        algorithms = {key: read_parameters(key, one) for key, one in rules.algorithms.items()}
    except (msgspec.ValidationError, EnsembleError, AnomalyError) as error:
        raise RulesUnknown(f"these are no rules of version {version}: {error}") from error
    if nameless := {rules.algorithm, *rules.beside} - {AT1, *algorithms}:
        raise RulesUnknown(f"these are no rules of version {version}: no parameters of {', '.join(sorted(nameless))}")
    if fault := _unusable(rules):
        raise RulesUnknown(f"these are no rules of version {version}: {fault}")
    return msgspec.structs.replace(rules, at1=at1, algorithms=algorithms)


def _unusable(rules: Rules) -> str:
    """What no configuration would have said, in words; empty when there is nothing: the fold counts with all of it."""
    if not rules.interval_s > 0.0 or rules.snapshot_every < 1:
        return "interval_s and snapshot_every must be above 0"
    for struct in (rules, rules.steering, rules.output):
        for name, value in msgspec.structs.asdict(struct).items():
            if isinstance(value, float) and not math.isfinite(value):
                return f"{name} is {value!r}, which is no number"
    return ""


def without_floats(value: Any) -> Any:
    """The same structure with every float as its shortest round-trip string and every tuple as a list."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return {key: without_floats(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_floats(item) for item in value]
    return value
