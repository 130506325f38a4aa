"""Read a station's TOML file strictly: every unknown key and every bad value is named with its full key path, at once.

Errors are collected, never raised one by one: an operator who has made three mistakes sees three sentences. What the
settings mean stands in `settings`; this file knows only how to compare a table with a struct.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec

from timeball.station.configuration.configdoc import metas
from timeball.station.configuration.configrules import broken_rules
from timeball.station.configuration.outputtables import FED, split_outputs
from timeball.station.configuration.section import Section
from timeball.station.configuration.settings import PATTERNS, AnyInstrument, Clock, Config, Reader
from timeball.station.paths import config_file, default_state_dir

__all__ = ["Config", "ConfigError", "default_state_dir", "load_config", "parse_config", "read_effective"]

READERS = "ledger.reader"
PLAIN_ITEMS: dict[str, type[Section]] = {"clock": Clock, READERS: Reader}
INSTRUMENTS: dict[str, type[Section]] = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyInstrument)}


class ConfigError(ValueError):
    """A configuration that cannot be used; `errors` holds one (key path, sentence) for each fault."""

    def __init__(self, errors: list[tuple[str, str]], file: str = "") -> None:
        self.errors = errors
        self.file = file
        super().__init__("\n".join(f"{path}: {reason}" if path else reason for path, reason in errors))


def load_config(path: Path | str | None = None) -> Config:
    """Read a TOML file, or give the defaults; raises `ConfigError` with every fault found."""
    if path is None:
        return Config()
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([("", f"cannot read {path}: {error}")], str(path)) from error
    return parse_config(text, str(path))


def read_effective(state: Path) -> Config:
    """The configuration that the supervisor wrote for this run; raises `ConfigError` when it is missing or torn."""
    try:
        return Config.from_json(config_file(state).read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError([("", f"no effective configuration: {error}")], str(config_file(state))) from error


def parse_config(text: str, file: str = "") -> Config:
    """Turn TOML text into a `Config`; raises `ConfigError` with every fault found."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([("", f"not TOML: {error}")], file) from error
    outputs = split_outputs(raw)
    errors = [*outputs.errors, *_table_errors(outputs.tables, Config, "")]
    if not errors:
        config = msgspec.convert(outputs.tables, Config)
        errors = list(broken_rules(config))
    if errors:
        raise ConfigError([(outputs.as_written(path), reason) for path, reason in errors], file)
    return config


def _table_errors(table: object, struct: type[Section], path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(table, Mapping):
        yield path, f"must be a table, found {_shown(table)}"
        return
    hints = {name: kind for name, kind in _hints(struct).items() if name in struct.__struct_fields__}
    tag_field = struct.__struct_config__.tag_field
    for key, value in table.items():
        where = f"{path}.{key}" if path else key
        if key == tag_field:
            continue
        if key not in hints:
            yield where, "unknown key" + _suggestion(key, [*hints, *([tag_field] if tag_field else [])])
        else:
            yield from _value_errors(value, hints[key], where, key)
    for field in msgspec.structs.fields(struct):
        if field.required and field.name not in table:
            yield f"{path}.{field.name}", "is missing"


def _value_errors(value: object, kind: Any, where: str, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(kind, type) and issubclass(kind, Section):
        yield from _table_errors(value, kind, where)
    elif where == READERS or (key in Config.LISTS and "." not in where):
        yield from _list_errors(value, where)
    else:
        yield from _scalar_errors(value, kind, where)


def _list_errors(value: object, where: str) -> Iterator[tuple[str, str]]:
    """The items of [[clock]], [[instrument]], [[ledger.reader]] and [[output]]."""
    if not isinstance(value, list):
        yield where, f"must be a list of tables: write [[{where}]]"
        return
    for index, item in enumerate(value):
        here = f"{where}[{index}]"
        if where in PLAIN_ITEMS:
            yield from _table_errors(item, PLAIN_ITEMS[where], here)
            continue
        kinds = FED if where == "outputs" else INSTRUMENTS
        tag = item.get("kind") if isinstance(item, dict) else None
        if isinstance(tag, str) and tag in kinds:
            yield from _table_errors(item, kinds[tag], here)
        else:
            known = ", ".join(sorted(kinds))
            yield f"{here}.kind", f"must be one of {known}, found {_shown(tag)}" + _suggestion(str(tag), kinds)


def _scalar_errors(value: object, kind: Any, where: str) -> Iterator[tuple[str, str]]:
    numbers = value if isinstance(value, list) else [value]
    if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
        yield where, f"must be a finite number, found {_shown(value)}"
        return
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        yield where, f"must be {_expected(str(error), kind)}, found {_shown(value)}"


WORDS = {"float": "a number", "int": "an integer", "str": "text", "bool": "true or false", "array": "a list"}


def _expected(message: str, kind: Any) -> str:
    """Msgspec's message in an operator's words: what was expected, never what Python calls it."""
    if "regex" in message:
        return PATTERNS.get(next((meta.pattern for meta in metas(kind) if meta.pattern), ""), "written otherwise")
    wanted = message.split(" - at ", maxsplit=1)[0].removeprefix("Expected ").split(", got ")[0].replace("`", "")
    kind_word, _, limit = wanted.replace(" | null", "").partition(" ")
    return f"{WORDS.get(kind_word, kind_word)} {limit.replace('>=', '≥').replace('<=', '≤')}".rstrip()


def _hints(struct: type[Section]) -> dict[str, Any]:
    return get_type_hints(struct, include_extras=True)


def _suggestion(key: str, known: Any) -> str:
    near = difflib.get_close_matches(key, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 60 else text[:57] + "..."
