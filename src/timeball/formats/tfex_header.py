"""The header of TFEX files: TOML behind ``#``, and what it says of columns, reference points and constant delays.

    # TFEXVER = '0.3'
    # PREFIX = { si = 'https://si-digital-framework.org/SI/units/' }
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

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from timeball.formats.defects import Defect, FormatError, shown, whole_file_error

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
_FORMAT = re.compile(r"0?(\d{1,3})(?:\.(\d{1,2}))?([dfs])", re.ASCII)
_TIME_UNITS = {"second": 0, "millisecond": -3, "microsecond": -6, "nanosecond": -9, "picosecond": -12}
_TIME_UNITS |= {"s": 0, "ms": -3, "us": -6, "ns": -9, "ps": -12, "femtosecond": -15, "fs": -15}
_TIME_TAG = "timetag_"


def scaled(text: str, exponent: int) -> float:
    """Give a printed number times a power of ten, rounded once unless it is printed with an exponent of its own."""
    plain = "e" not in text.lower()
    return float(f"{text}e{exponent}") if plain else float(text) * 10.0**exponent


@dataclass(frozen=True, slots=True)
class RefPoint:
    """A reference point: its id, a time scale (``Unknown`` when not said), a device and its type."""

    id: str
    scale: str = ""
    device: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class ConstantDelay:
    """A delay that stands for a trip, s; not applied to anything here."""

    trip: tuple[str, ...]
    value_s: float
    kind: str = ""


@dataclass(frozen=True, slots=True)
class TfexColumn:
    """How a column is written: label, format (``5d``, ``8.3f``, ``12s``), unit, for a time tag its scale, trips.

    more: what else is said of it, as TOML values.
    """

    label: str
    format: str
    unit: str = ""
    timetag: bool = False
    scale: str = "utc"
    trip: tuple[str, ...] = ()
    more: Mapping[str, object] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Characters that the column takes."""
        return int(_parts(self.format)[0])

    @property
    def decimals(self) -> int:
        """Decimals of a number."""
        return int(_parts(self.format)[1] or 0)

    @property
    def kind(self) -> str:
        """Tell what it holds: ``d`` whole numbers, ``f`` numbers, ``s`` text."""
        return _parts(self.format)[2]

    @property
    def exponent(self) -> int:
        """A printed 1 is 10 to this power in s, for a unit of time; 0 for any other unit, which is kept as printed."""
        return _TIME_UNITS.get(self.unit.rpartition(":")[2], 0)

    @property
    def is_time(self) -> bool:
        """Tell whether its values are times, given in s."""
        return self.unit.rpartition(":")[2] in _TIME_UNITS


def _parts(text: str) -> tuple[str, str, str]:
    match = _FORMAT.fullmatch(text)
    if match is None:
        raise ValueError(f"format {text!r} is none like 5d, 8.3f or 12s")
    return match[1], match[2] or "", match[3]


@dataclass(frozen=True, slots=True)
class TfexHeader:
    """What the header says; None, or empty, when it does not."""

    version: str = "0.3"
    prefix: Mapping[str, str] = field(default_factory=dict)
    refpoints: tuple[RefPoint, ...] = ()
    delays: tuple[ConstantDelay, ...] = ()
    mjd_start: float | None = None
    mjd_stop: float | None = None
    n_data: int | None = None
    sampling_interval_s: float | None = None
    averaging_window_s: float | None = None
    missing_epochs: bool | None = None
    author: str = ""
    date: str = ""
    comment: str = ""


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
    if value is None or unit not in _TIME_UNITS:
        raise _HeaderError("CONSTANT_DELAYS", table, "without a value in a unit of time")
    return ConstantDelay(_trip(table), scaled(repr(value), _TIME_UNITS[unit]), _text(table, "type"))


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
    if not label or not _FORMAT.fullmatch(form) or int(_parts(form)[0]) == 0:
        raise _HeaderError("COLUMNS", table, "a column without a label, or with a format none like 5d, 8.3f or 12s")
    scale = _text(table, "scale") or "utc"
    return TfexColumn(label, form, _text(table, "unit"), stated or bool(old), scale, _trip(table), more)
