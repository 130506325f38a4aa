"""The witnesses' part of the status: what the publisher last showed, what it recorded, and the alarm that follows.

The recorded state is the ledger's word; ages are by the host's clock, never negative, and for people only.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec

from timeball.station import paths
from timeball.station.configuration.config import Config

Payload = dict[str, Any]
_NOBODY = "nobody outside cosigns this ledger: no ledger.policy is set"


def witnessing_part(state: Path, config: Config, said: Payload | None) -> Payload:
    """Keys as `timeball status --json` prints them; `said` is the newest recorded `witnessing` entry."""
    if not config.ledger.policy:
        return {**dict.fromkeys(("policy", "state", "quorum", "age_s")), "size": 0, "why": _NOBODY, "witnesses": []}
    shown = _shown(state)
    return {
        "policy": config.ledger.policy,
        "state": None if said is None else said["state"],
        "quorum": shown.get("quorum"),
        "size": shown.get("size", 0),
        "age_s": _age_s(state),
        "why": "nothing recorded yet" if said is None else said["why"],
        "witnesses": [_row(row) for row in shown.get("witnesses", [])],
    }


def witnessing_alarms(part: Payload, size: int, config: Config) -> list[str]:
    """What is wrong with the witnesses of a ledger of `size` entries; empty without a policy."""
    if part["policy"] is None:
        return []
    if part["state"] == "missing":
        return [f"witnesses: {part['why']}; no new steers until they cosign"]
    # also when the publisher, who would record it, is down or held up
    limit_s = config.ledger.cosign_within_s + 2 * config.ledger.publish_every_s
    if size > part["size"] and part["age_s"] is not None and part["age_s"] > limit_s:
        return [f"witnesses: nothing has been cosigned for {part['age_s']:.0f} s; the publisher is down or held up"]
    return []


def witnessing_words(part: Payload) -> str:
    """One line for people."""
    if part["policy"] is None:
        return str(part["why"])
    age = "never" if part["age_s"] is None else f"{part['age_s']:.0f} s ago"
    ill = [f"{row['name']}: {row['why']}" for row in part["witnesses"] if row["why"]]
    words = f"{part['state'] or 'not known yet'}: {part['size']} entries cosigned by {part['quorum']}, {age}"
    return "; ".join([words, *ill])


def _shown(state: Path) -> Payload:
    """What the publisher wrote; empty when it has not yet, or when that is torn."""
    try:
        return dict(msgspec.json.decode(paths.witnesses_file(state).read_bytes()))
    except (OSError, msgspec.DecodeError, TypeError, ValueError):
        return {}


def _row(row: Payload) -> Payload:
    at = row["cosigned_unix_s"]
    age_s = None if at is None else max(0.0, time.time() - at)
    return {"name": row["name"], "url": row["url"], "size": row["size"], "age_s": age_s, "why": row["why"]}


def _age_s(state: Path) -> float | None:
    try:
        return max(0.0, time.time() - paths.cosigned_checkpoint(state).stat().st_mtime)
    except OSError:
        return None
