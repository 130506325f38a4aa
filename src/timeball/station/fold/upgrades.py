"""Which rules a station decides by, and what it records before it decides by others.

A ledger that has rules keeps them under newer software, until the configuration names another version: then an
`upgrade` entry says so, and the `config` entry after it brings the new rules. Pure: what stands here is only said.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import timeball
from timeball.ledger import canonical
from timeball.station.configuration.settings import Config
from timeball.station.fold.rules import RulesUnknown, config_payload, rules_of, version_of
from timeball.station.fold.versions import KNOWN, NEWEST, SINCE, known_words, later_members

Payload = dict[str, Any]


class ConfigRecord(NamedTuple):
    """An entry of the stream `config` that is due."""

    type: str
    version: int
    payload: Payload


def config_records(config: Config, recorded: bytes | None) -> list[ConfigRecord]:
    """What must be recorded before this configuration decides, `recorded` being the newest `config` payload, if any.

    Empty when it is what is recorded. Raises `RulesUnknown` when the ledger has rules of a version that this software
    does not know, and the configuration does not name one that it does.
    """
    last = canonical.decode(recorded) if recorded is not None else None
    before = version_of(last)
    version = rules_version(config, before)
    payload = config_payload(config, version)
    records = []
    if before is not None and before != version:
        why = f"ensemble.rules_version = {version} in the configuration"
        said = {"from": before, "to": version, "software": f"timeball {timeball.__version__}", "why": why}
        records.append(ConfigRecord("upgrade", 1, said))
    if payload != last:
        records.append(ConfigRecord("config", version, payload))
    return records


def unheeded(config: Config, recorded: bytes | None) -> list[str]:
    """What is configured and the rules that will hold have no word for, a sentence each; raises as `config_records`."""
    before = version_of(canonical.decode(recorded)) if recorded is not None else None
    version = rules_version(config, before)
    found = []
    if config.ledger.policy and rules_of(config, version).witnessed_within_s is None:
        found.append(f"the rules of version {version} hold: steers do not wait for the witnesses of the policy")
    settings = [
        *(f"ensemble.{name}" for name in ("algorithm", "beside") if version < SINCE[name]),
        *(f"steering.{name}" for name in later_members("steering", version)),
    ]
    plain = Config()
    named = [name for name in settings if _value(config, name) != _value(plain, name)]
    if named:
        found.append(
            f"the rules of version {version} hold, which do not know {', '.join(named)}: "
            f"set ensemble.rules_version = {NEWEST} for them"
        )
    return found


def _value(config: Config, name: str) -> object:
    section, _, key = name.partition(".")
    return getattr(getattr(config, section), key)


def rules_version(config: Config, recorded: Any) -> int:
    """The version that is set, else the one recorded, else the newest; raises `RulesUnknown`."""
    wanted = config.ensemble.rules_version
    if wanted is not None:
        return wanted
    if recorded is None:
        return NEWEST
    if type(recorded) is not int or recorded not in KNOWN:
        raise RulesUnknown(
            f"the ledger has rules of version {recorded}, this software knows {known_words()}: "
            "use the software that recorded them, or set ensemble.rules_version"
        )
    return recorded
