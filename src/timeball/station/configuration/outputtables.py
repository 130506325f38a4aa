"""`[output]` and `[[output]]`: one name in the file, two matters in the configuration.

As a table it is the physical signal. As a list of tables each item says its `kind`: at most one `signal`, whose other
keys are those of the table, and any number of those that are fed. They become `Config.output` and `Config.outputs`.
This file moves tables and remembers where they stood, so that an error names the key as the operator wrote it; it does
not judge their values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from timeball.station.configuration.outputs import AnyOutput
from timeball.station.configuration.section import Section

SIGNAL = "signal"
FED: dict[str, type[Section]] = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyOutput)}
KINDS = (SIGNAL, *FED)

_PATH = re.compile(r"^(output|outputs\[(\d+)\])(?=$|\.)")


@dataclass(frozen=True)
class Outputs:
    """The tables as `Config` has them, and where in the file each stood (index of the item; None: no list)."""

    tables: dict[str, Any]
    signal: int | None = None
    fed: tuple[int, ...] = ()
    errors: list[tuple[str, str]] = field(default_factory=list)

    def as_written(self, path: str) -> str:
        """The key path in the file of a key path of `Config`."""
        found = _PATH.match(path)
        if not found:
            return path
        place = self.signal if found[2] is None else self.fed[int(found[2])]
        return path if place is None else f"output[{place}]{path[found.end() :]}"


def split_outputs(raw: Mapping[str, Any]) -> Outputs:
    """Take a file's `output` apart; `errors` holds what is wrong with the list itself and with each item's kind."""
    tables = dict(raw)
    errors: list[tuple[str, str]] = []
    if "outputs" in tables:
        errors.append(("outputs", "unknown key; did you mean [[output]]?"))
        del tables["outputs"]
    items = tables.get("output")
    if not isinstance(items, list):
        return Outputs(tables, errors=errors)
    del tables["output"]
    places = dict(_kinds(items, errors))
    signals = [place for place, kind in places.items() if kind == SIGNAL]
    fed = tuple(place for place, kind in places.items() if kind != SIGNAL)
    errors += [(f"output[{place}].kind", "a station has one signal") for place in signals[1:]]
    if signals:
        tables["output"] = {key: value for key, value in items[signals[0]].items() if key != "kind"}
    if fed:
        tables["outputs"] = [items[place] for place in fed]
    return Outputs(tables, signals[0] if signals else None, fed, errors)


def _kinds(items: list[Any], errors: list[tuple[str, str]]) -> Iterator[tuple[int, str]]:
    for place, item in enumerate(items):
        if not isinstance(item, Mapping):
            errors.append((f"output[{place}]", "must be a table"))
        elif item.get("kind") not in KINDS:
            found = repr(item["kind"])[:60] if "kind" in item else "nothing"
            errors.append((f"output[{place}].kind", f"must be one of {', '.join(KINDS)}, found {found}"))
        else:
            yield place, str(item["kind"])
