"""docs/status.md names every key of `timeball status --json`, and no other."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from timeball.cli.output import print_json
from timeball.station.reporting.status import StatusReader
from timeball.station.reporting.statusparts import LAMPS


def paths_of(value: object, path: str = "") -> set[str]:
    """Key paths of a document: `a.b`, `a[].b`, and `a[]` for a list of plain values or an empty one."""
    if isinstance(value, dict):
        return {deeper for key, item in value.items() for deeper in paths_of(item, f"{path}.{key}".strip("."))}
    if isinstance(value, list):
        return {deeper for item in value for deeper in paths_of(item, f"{path}[]")} or {f"{path}[]"}
    return {path}


def printed(text: str) -> set[str]:
    return set(re.findall(r"^\| `(.*?)` \|", text, re.MULTILINE))


def test_every_key(page: Callable[[str], str], state: Path) -> None:
    status = StatusReader(state).status()
    assert status["clocks"]
    assert status["processes"]
    assert printed(page("status.md")) == paths_of(status)


def test_every_state_of_a_clock_is_named(page: Callable[[str], str]) -> None:
    row = next(line for line in page("status.md").splitlines() if line.startswith("| `clocks[].state`"))
    assert set(re.findall(r"`([a-z ]+)`", row)) == set(LAMPS)


def test_it_is_json(state: Path) -> None:
    print_json(StatusReader(state).status())


def test_the_comparison_can_fail() -> None:
    assert paths_of({"a": {"b": 1}, "c": [{"d": None}], "e": []}) == {"a.b", "c[].d", "e[]"}
    assert printed("| `a.b` | text | gone |\n") == {"a.b"}
