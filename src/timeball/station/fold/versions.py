"""Which members the rules have from which version on, and how rules of an older version are kept free of newer ones.

What each version means stands in docs/adr/0013. Pure; it judges no values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

NEWEST = 4
KNOWN = (1, 2, 3, 4)
INSTRUCTIONS = 4
"""Version from which on a person may take a steer back, and values of bulletins are judged."""
SINCE = {
    "witnessed_within_s": 2,
    "ahead_s": 2,
    "algorithm": 3,
    "beside": 3,
    "algorithms": 3,
    "anomalies": 3,
    "links": 3,
    "reference": 3,
    "steering.law": 3,
    "steering.lqg_offset_s": 3,
    "steering.lqg_change": 3,
    "steering.least_change": 3,
    "steering.resolution": 3,
    "steering.dry_run": 3,
    "steering.laboratory": 3,
    "steering.bulletin_sigmas": 4,
}
"""Members that rules have from a version on; `a.b` is member b of the object a."""
Payload = dict[str, Any]


def known_words() -> str:
    """The versions that this software knows, in words."""
    *most, last = map(str, KNOWN)
    return f"{', '.join(most)} and {last}"


def of_version(payload: Payload, version: int) -> Payload:
    """Rules as a `config` entry carries them: without the members that came after their version."""
    kept = {name: dict(value) if isinstance(value, dict) else value for name, value in payload.items()}
    for path in _later(version):
        inside, name = _holder(kept, path)
        if inside is not None:
            inside.pop(name, None)
    return kept


def misplaced(recorded: Payload, version: int) -> str:
    """What rules of this version lack, or have that came later, in words; empty when their members fit."""
    for path, since in SINCE.items():
        inside, name = _holder(recorded, path)
        if inside is not None and (name in inside) != (version >= since):
            return f"field `{path}` is {'lacking' if version >= since else 'of a later version'}"
    return ""


def later_members(section: str, version: int) -> tuple[str, ...]:
    """Names of the members of one object of the rules that came after a version."""
    return tuple(path.removeprefix(f"{section}.") for path in _later(version) if path.startswith(f"{section}."))


def _later(version: int) -> Iterator[str]:
    return (path for path, since in SINCE.items() if since > version)


def _holder(payload: Payload, path: str) -> tuple[Payload | None, str]:
    """The object that holds a member, None when there is none, and the member's name in it."""
    section, _, name = path.rpartition(".")
    inside = payload.get(section) if section else payload
    return (inside if isinstance(inside, dict) else None), name
