"""The header of TFEX files: TOML behind ``#``, and what it says of columns, reference points and constant delays.

    # TFEXVER = '0.3'
    # PREFIX = { si = 'https://units.example/' }
    # REFPOINTS = [
    #   { id = 'A', ts = 'UTC(OP)', dev = 'OP3', type = 'GPSPPP' },
    #   { id = 'B', ts = 'UTC(PTB)', dev = 'PT13', type = 'GPSPPP' },
    # ]
    # COLUMNS = [
    #   { timetag = true, label = 'MJD', scale = 'utc', unit = 'si:day', format = '5d' },
    #   { timetag = true, label = 'SoD', scale = 'utc', unit = 'si:second', format = '5d' },
    #   { label = 'delta_t', trip = ['AB'], unit = 'si:nanosecond', format = '8.3f' },
    # ]

Source: the BIPM's proposal (TheBIPM/UTClib, docs/tfex), versions 0.2 and 0.3; of 0.2 also a time tag as the type or
label ``timetag_MJD``, a column's name in ``type``, and REFPOINTS as a table by id.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from timeball.formats.defects import Defect, FormatError, shown, whole_file_error
from timeball.formats.tfex.records import (
    FORMAT,
    TIME_UNITS,
    ConstantDelay,
    RefPoint,
    TfexColumn,
    TfexHeader,
    format_parts,
    scaled,
)

KEYWORDS = (
    "TFEXVER",
    "MJDSTART",
    "MJDSTOP",
    "NDATA",
    "PREFIX",
    "SAMPLING_INTERVAL_s",
    "AVERAGING_WINDOW_s",
    "MISSING_EPOCHS",
    "AUTHOR",
    "DATE",
    "REFPOINTS",
    "COLUMNS",
    "CONSTANT_DELAYS",
    "COMMENT",
)
LONGEST_HEADER = 1 << 18
LARGEST = 1e15
_TIME_TAG = "timetag_"


class _HeaderError(Exception):
    def __init__(self, key: str, value: object, reason: str) -> None:
        super().__init__(reason)
        self.key, self.value, self.reason = key, value, reason


def read_tfex_header(text: str, name: str) -> tuple[TfexHeader, tuple[TfexColumn, ...], list[Defect]]:
    """Read the header, its ``#`` taken away. Raises ``FormatError`` when it is no TOML or tells no columns."""
    if len(text) > LONGEST_HEADER:
        raise whole_file_error(name, text[:40], f"a header of more than {LONGEST_HEADER} characters")
    try:
        found: dict[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError
        raise whole_file_error(name, text[:40], f"a header that is no TOML: {shown(str(error))}") from error
    defects = [
        Defect(name, 0, "header", shown(key), "no keyword of TFEX; left out") for key in found if key not in KEYWORDS
    ]
    try:
        if "TFEXVER" not in found:
            raise _HeaderError("TFEXVER", "", "missing")
        columns, doubled = _columns(_tables(found.get("COLUMNS"), "COLUMNS"))
        defects += [Defect(name, 0, "COLUMNS", shown(label), "a label given twice") for label in doubled]
        return _header(found), columns, defects
    except _HeaderError as error:
        raise FormatError(Defect(name, 0, error.key, shown(str(error.value)), error.reason)) from error


def _header(found: Mapping[str, Any]) -> TfexHeader:
    n_data = _number(found, "NDATA")
    missing = found.get("MISSING_EPOCHS")
    prefix = found.get("PREFIX", {})
    if not isinstance(prefix, dict):
        raise _HeaderError("PREFIX", prefix, "not a table of names and addresses")
    return TfexHeader(
        version=_text(found, "TFEXVER"),
        prefix={str(key): str(value) for key, value in prefix.items()},
        refpoints=_refpoints(found.get("REFPOINTS", [])),
        delays=tuple(_delay(each) for each in _tables(found.get("CONSTANT_DELAYS", []), "CONSTANT_DELAYS")),
        mjd_start=_number(found, "MJDSTART"),
        mjd_stop=_number(found, "MJDSTOP"),
        n_data=None if n_data is None else int(n_data),
        sampling_interval_s=_number(found, "SAMPLING_INTERVAL_s"),
        averaging_window_s=_number(found, "AVERAGING_WINDOW_s"),
        missing_epochs=missing if isinstance(missing, bool) else None,
        author=_text(found, "AUTHOR"),
        date=_text(found, "DATE"),
        comment=_text(found, "COMMENT"),
    )


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key, "")
    if isinstance(value, dict | list):
        raise _HeaderError(key, value, "not a text")
    return str(value)


def _number(table: Mapping[str, Any], key: str) -> float | None:
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST:
        raise _HeaderError(key, value, "not a number")
    return float(value)


def _tables(value: object, key: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise _HeaderError(key, "" if value is None else value, "not a list of tables")
    return value


def _refpoints(value: object) -> tuple[RefPoint, ...]:
    if isinstance(value, dict):  # as version 0.2 has it
        value = [{"id": key, **each} for key, each in value.items() if isinstance(each, dict)]
    points: dict[str, RefPoint] = {}
    for table in _tables(value, "REFPOINTS"):
        point = RefPoint(_text(table, "id"), _text(table, "ts"), _text(table, "dev"), _text(table, "type"))
        if points.setdefault(point.id, point) != point:
            raise _HeaderError("REFPOINTS", point.id, "an id of two different points")
    return tuple(points.values())


def _trip(table: Mapping[str, Any]) -> tuple[str, ...]:
    value = table.get("trip", [])
    trips = [value] if isinstance(value, str) else value
    if not isinstance(trips, list) or not all(isinstance(each, str) for each in trips):
        raise _HeaderError("trip", value, "not a list of texts")
    return tuple(trips)


def _delay(table: Mapping[str, Any]) -> ConstantDelay:
    value = _number(table, "value")
    unit = _text(table, "unit").rpartition(":")[2]
    if value is None or unit not in TIME_UNITS:
        raise _HeaderError("CONSTANT_DELAYS", table, "without a value in a unit of time")
    return ConstantDelay(_trip(table), scaled(repr(value), TIME_UNITS[unit]), _text(table, "type"))


def _columns(tables: list[dict[str, Any]]) -> tuple[tuple[TfexColumn, ...], list[str]]:
    columns: list[TfexColumn] = []
    doubled: list[str] = []
    for table in tables:
        column = _column(table)
        known = {each.label for each in columns}
        if column.label in known:
            doubled.append(column.label)
            count = 2
            while f"{column.label} {count}" in known:
                count += 1
            column = _column({**table, "label": f"{column.label} {count}"})
        columns.append(column)
    return tuple(columns), doubled


def _column(table: dict[str, Any]) -> TfexColumn:
    label, kind = _text(table, "label"), _text(table, "type")
    stated = table.get("timetag") is True
    old = next((text for text in (label, kind) if text.startswith(_TIME_TAG)), "")
    more = {
        key: value for key, value in table.items() if key not in ("label", "timetag", "scale", "unit", "format", "trip")
    }
    if old:
        label = old.removeprefix(_TIME_TAG)
        more.pop("type", None)
    elif not label:
        label = kind
        more.pop("type", None)
    form = _text(table, "format")
    if not label or not FORMAT.fullmatch(form) or int(format_parts(form)[0]) == 0:
        raise _HeaderError("COLUMNS", table, "a column without a label, or with a format none like 5d, 8.3f or 12s")
    scale = _text(table, "scale") or "utc"
    return TfexColumn(label, form, _text(table, "unit"), stated or bool(old), scale, _trip(table), more)
