"""TFEX files of version 0.3, written: a link's columns with a header in TOML.

Time tags are MJD and SoD. Sign: a column of the trip ``AB`` is x_A − x_B, as readings are made of it. What it does not
do: write a value where there is none (``*``), or widen a column: what does not fit is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

import numpy as np

from timeball.formats.defects import WriteError
from timeball.formats.tfex import SCALES, Tfex
from timeball.formats.tfex.records import RefPoint, TfexColumn, TfexHeader
from timeball.formats.timescales import TIME_SYSTEMS, table_for
from timeball.instants import MJD_OF_1970, NS_PER_SECOND, Instant, InstantError, LeapTable, utc_parts
from timeball.readings import Readings

VERSION = "0.3"
SI = {"si": "https://si-digital-framework.org/SI/units/"}
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_IDS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ESCAPES = {ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r"}


def write_tfex(tfex: Tfex, leaps: LeapTable | None = None) -> bytes:
    """Write a file. leaps: needed for time tags in UTC. Raises ``WriteError`` for what its columns cannot hold."""
    tags = {column.label: column for column in tfex.columns if column.timetag}
    if set(tags) != {"MJD", "SoD"}:
        raise WriteError("the time tags of a TFEX file are MJD and SoD")
    scale = SCALES.get(tags["MJD"].scale.lower(), "")
    if scale not in TIME_SYSTEMS or (scale in ("UTC", "GLO") and leaps is None):
        raise WriteError(f"time tags in {tags['MJD'].scale!r} need a scale that is known, and UTC a leap second table")
    table = table_for(scale, leaps, "writer")
    lines = [f"# {line}" for line in _header(tfex.header, tfex.columns)]
    for row, epoch in enumerate(tfex.epochs.tolist()):
        try:
            day, second, attoseconds = utc_parts(Instant.from_ns(epoch), table)
        except InstantError as error:
            raise WriteError(f"a time tag that {scale} has not: {error}") from error
        ns = attoseconds // 10**9
        lines.append(" ".join(_cell(tfex, column, row, (day + MJD_OF_1970, second, ns)) for column in tfex.columns))
    return ("\n".join(lines) + "\n").encode()


def write_tfex_readings(
    readings: Readings, leaps: LeapTable | None = None, decimals: int = 6, author: str = ""
) -> bytes:
    """Write readings as links, a column a pair of clocks, in ns; tags in UTC with a leap second table, else in TAI.

    decimals: of a ns. Raises ``WriteError``.
    """
    return write_tfex(tfex_of(readings, "TAI" if leaps is None else "utc", decimals, author), leaps)


def tfex_of(readings: Readings, scale: str = "utc", decimals: int = 6, author: str = "") -> Tfex:
    """Lay readings out as a file would hold them: rows by epoch, a column a pair, another for its uncertainty.

    Of two readings of a pair at one epoch the later one stands. Raises ``WriteError`` for more than 52 clocks.
    """
    if len(readings.clocks) > len(_IDS):
        raise WriteError(f"{len(readings.clocks)} clocks for {len(_IDS)} ids of reference points")
    epochs, rows = np.unique(readings.epoch, return_inverse=True)
    whole = not np.any(epochs % NS_PER_SECOND)
    columns = [
        TfexColumn("MJD", "5d", "si:day", timetag=True, scale=scale),
        TfexColumn("SoD", "5d" if whole else "15.9f", "si:second", timetag=True, scale=scale),
    ]
    values = {}
    for a, b in sorted({*zip(readings.a.tolist(), readings.b.tolist(), strict=True)}):
        chosen = (readings.a == a) & (readings.b == b)
        trip = f"{_IDS[a]}{_IDS[b]}"
        for label, figures, more in (
            (trip, readings.x, {}),
            (f"u_{trip}", readings.u, {"type": "unc", "colref": trip}),
        ):
            column = np.full(len(epochs), np.nan)
            column[rows[chosen]] = figures[chosen]
            if np.isfinite(column).any():
                values[label] = column
                form = _format(column, decimals)
                columns.append(TfexColumn(label, form, "si:nanosecond", trip=() if more else (trip,), more=more))
    points = tuple(RefPoint(mark, clock) for mark, clock in zip(_IDS, readings.clocks, strict=False))
    header = TfexHeader(VERSION, SI, points, n_data=len(epochs), author=author)
    return Tfex(header, tuple(columns), epochs, values, {}, ())


def _format(values_s: np.ndarray, decimals: int) -> str:
    largest = float(np.nanmax(np.abs(values_s))) * 1e9
    return f"{len(f'{-largest:.{decimals}f}')}.{decimals}f"


def _cell(tfex: Tfex, column: TfexColumn, row: int, tag: tuple[int, int, int]) -> str:
    """Write one field, as wide as its column."""
    if column.timetag:
        text = str(tag[0]) if column.label == "MJD" else _second(column, tag[1], tag[2])
    elif column.kind == "s":
        text = tfex.texts[column.label][row]
        if any(mark in text for mark in "\n\r") or text != text.strip():
            raise WriteError(f"{column.label}: {text!r} is no text of one line")
        text = text.ljust(column.width)
    else:
        value = float(tfex.values[column.label][row])
        number = value * 10.0**-column.exponent
        text = "*" if math.isnan(value) else f"{number:.{column.decimals if column.kind == 'f' else 0}f}"
    if len(text) > column.width:
        raise WriteError(f"{column.label}: {text} is wider than its {column.width} characters")
    return text.rjust(column.width)


def _second(column: TfexColumn, second: int, ns: int) -> str:
    digits = f"{ns:09d}"
    if digits[column.decimals :].strip("0"):
        raise WriteError(f"{column.label}: an epoch finer than its {column.decimals} decimals")
    return str(second) if column.decimals == 0 else f"{second}.{digits.ljust(column.decimals, '0')[: column.decimals]}"


def _header(header: TfexHeader, columns: tuple[TfexColumn, ...]) -> Iterator[str]:
    plain = {
        "TFEXVER": header.version,
        "MJDSTART": header.mjd_start,
        "MJDSTOP": header.mjd_stop,
        "NDATA": header.n_data,
        "PREFIX": dict(header.prefix) or None,
        "SAMPLING_INTERVAL_s": header.sampling_interval_s,
        "AVERAGING_WINDOW_s": header.averaging_window_s,
        "MISSING_EPOCHS": header.missing_epochs,
        "AUTHOR": header.author or None,
        "DATE": header.date or None,
    }
    yield from (f"{key} = {_toml(value)}" for key, value in plain.items() if value is not None)
    points = [{"id": p.id, "ts": p.scale, "dev": p.device, "type": p.kind} for p in header.refpoints]
    yield from _tables("REFPOINTS", points)
    yield from _tables("COLUMNS", [_described(column) for column in columns])
    delays: list[dict[str, object]] = [
        {"trip": list(d.trip), "unit": "si:second", "value": d.value_s, "type": d.kind} for d in header.delays
    ]
    yield from _tables("CONSTANT_DELAYS", delays)
    if header.comment:
        yield f"COMMENT = {_toml(header.comment)}"


def _described(column: TfexColumn) -> dict[str, object]:
    said: dict[str, object] = {"timetag": True} if column.timetag else {}
    said |= {"label": column.label, "unit": column.unit, "format": column.format, "trip": list(column.trip)}
    said |= {"scale": column.scale} if column.timetag else {}
    return said | dict(column.more)


def _tables(key: str, tables: list[dict[str, object]] | list[dict[str, str]]) -> Iterator[str]:
    if tables:
        yield f"{key} = ["
        for table in tables:
            yield f"  {_toml({name: value for name, value in table.items() if value not in ('', [])})},"
        yield "]"


def _toml(value: object) -> str:
    """Write a value as TOML on one line; what TOML gives that is no text, number, truth, list or table goes as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f'"{value}"'
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, Mapping):
        keys = {key: str(key) if _BARE_KEY.fullmatch(str(key)) else _toml(str(key)) for key in value}
        return "{ " + ", ".join(f"{keys[key]} = {_toml(each)}" for key, each in value.items()) + " }"
    text = str(value).translate(_ESCAPES)
    return '"' + "".join(char if char >= " " and char != "\x7f" else f"\\u{ord(char):04x}" for char in text) + '"'
