"""The table of all settings (key path, type, default, meaning), made from the structs so that it cannot go stale.

It does not read a file or know a value that a user has set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import Meta

from timeball.station.configuration.outputs import AnyOutput
from timeball.station.configuration.section import Section
from timeball.station.configuration.settings import AnyInstrument, Clock, Config, Ledger, Reader


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: `path` like `ensemble.cap`, `type` with its range, `default` as TOML writes it, `meaning`."""

    path: str
    type: str
    default: str
    meaning: str


def describe() -> list[Setting]:
    """Every setting in the order of the structs; list items read `clock[].name` and `instrument[line].port`."""
    rows: list[Setting] = []
    for section, kind in get_type_hints(Config).items():
        if section == "clock":
            rows += _rows(Clock, "clock[]")
        elif section == "instrument":
            for instrument in get_args(AnyInstrument):
                rows += _rows(instrument, f"instrument[{instrument.__struct_config__.tag}]")
        elif section == "outputs":
            for output in get_args(AnyOutput):
                rows += _rows(output, f"output[{output.__struct_config__.tag}]")
        elif isinstance(kind, type) and issubclass(kind, Section):
            rows += _rows(kind, section)
        if section == "ledger":
            rows += _rows(Reader, "ledger.reader[]")
    return rows


def _rows(struct: type[Section], path: str) -> list[Setting]:
    hints = get_type_hints(struct, include_extras=True)
    return [
        Setting(
            path=f"{path}.{field.name}",
            type=_type_word(hints[field.name]),
            default="required" if field.required else _toml(field.default),
            meaning=_meaning(hints[field.name]),
        )
        for field in msgspec.structs.fields(struct)
        if not (struct is Ledger and field.name == "reader")
    ]


def metas(hint: Any) -> list[Meta]:
    """Every msgspec constraint on a type, outermost first."""
    found: list[Meta] = []
    found += [item for item in getattr(hint, "__metadata__", ()) if isinstance(item, Meta)]
    for inner in get_args(getattr(hint, "__origin__", hint)) if get_args(hint) else ():
        found += metas(inner)
    return found


def _meaning(hint: Any) -> str:
    return next(meta.description for meta in metas(hint) if meta.description)


def _type_word(hint: Any) -> str:
    bare = getattr(hint, "__origin__", hint) if hasattr(hint, "__metadata__") else hint
    text = str(bare)
    word = "number"
    for token, name in (
        ("tuple[int", "list of integers"),
        ("tuple", "list of text"),
        ("str", "text"),
        ("bool", "true or false"),
        ("int", "integer"),
    ):
        if token in text:
            word = name
            break
    signs = (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
    limits = [
        f"{sign} {getattr(meta, key):g}" if getattr(meta, key) < 2**53 else f"{sign} 2^53"
        for key, sign in signs
        for meta in metas(hint)
        if getattr(meta, key) is not None
    ]
    return " ".join([word, ", ".join(limits)]).strip()


def _toml(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return repr(value)
