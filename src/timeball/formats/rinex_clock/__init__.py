"""RINEX clock files, versions 2.00 to 3.04: receiver (AR) and satellite (AS) clock biases, parse and write.

Sign: a bias is clock − reference of the analysis, so a reading is x_clock − x_reference.

The reference. When the header names exactly one reference clock and that clock has no records of its own, readings
are against that clock. Otherwise they are against a time scale on paper, named after the file's time system and
analysis centre, such as GPST(ESOC). An analysis centre usually lets its reference clock stand in the records, as a
straight line: all phases were realigned by it after the estimation. The reference then is a clock like any other,
x_YELL − x_GPST(ESOC); its own noise is in everyone's phases, and an ensemble that has it as a member can see that.

What it does not do: CR, DR and MS records, positions, biases and antenna models are counted or passed over, not read;
of up to six values only bias and sigma are used.

Source: RINEX extensions to handle clock information, Ray and Gurtner, versions 2.00, 3.00, 3.02; 3.04 (2017).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from timeball.formats.compression import plain_bytes
from timeball.formats.defects import FormatError, Parsed, whole_file_error
from timeball.formats.rinex_clock.body import Body, Records
from timeball.formats.rinex_clock.header import Header, is_rinex_clock, read_rinex_header
from timeball.formats.rinex_clock.records import COMPARISON_TYPES
from timeball.formats.timescales import TIME_SYSTEMS, table_for
from timeball.instants import (
    DAY_S,
    NS_PER_SECOND,
    InstantError,
    LeapTable,
    from_utc_parts,
)
from timeball.readings import Readings

KIND = "rinex-clock"
__all__ = ["KIND", "is_rinex_clock", "parse_rinex_clock"]


def parse_rinex_clock(
    data: bytes,
    name: str,
    leaps: LeapTable | None = None,
    clocks: Iterable[str] | None = None,
    *,
    arrays: bool = True,
) -> Parsed:
    """Read a RINEX clock file, plain or gzip.

    leaps: needed when the file's time system is UTC or GLO. clocks: read these only; lines of other clocks are
    passed over without being checked. arrays: False decodes line by line throughout (same result, slower).
    Raises ``FormatError`` when the header cannot be used or no record is left.
    """
    plain, defects = plain_bytes(data, name)
    header = read_rinex_header(plain, name)
    table = table_for(header.time_system, leaps, name)
    wanted = None if clocks is None else frozenset(clocks)
    body = Body(plain, header, name, wanted)
    records = body.decode(arrays)
    epochs, kept = _to_tai(records, body, table)
    if not kept.any():
        reason = "no record that can be used" if wanted is None else "no usable record of the clocks asked for"
        raise FormatError(body.defects[0]) if body.defects else whole_file_error(name, "", reason)
    index: dict[str, int] = {}
    a = [index.setdefault(each, len(index)) for each, keep in zip(records.names, kept.tolist(), strict=True) if keep]
    against = _reference_name(plain, header)
    b = index.setdefault(against, len(index))
    readings = Readings.from_columns(
        tuple(index), epochs[kept], a, np.full(len(a), b), records.x_s[kept], records.u_s[kept]
    )
    defects += sorted(body.defects, key=lambda defect: defect.line)
    return Parsed(readings, defects, KIND, _described(header, against, body.passed_over))


def _described(header: Header, against: str, passed_over: Counter[str]) -> dict[str, object]:
    return {
        "version": header.version,
        "time_system": header.time_system,
        "analysis_centre": header.centre,
        "reference_clocks": list(header.references),
        "against": against,
        "leap_seconds": header.leap_seconds,
        "passed_over": dict(passed_over),
    }


def _reference_name(plain: bytes, header: Header) -> str:
    """Choose what the readings are against (module docstring); what ``clocks=`` leaves out still counts here."""
    references = set(header.references)
    if len(references) != 1:
        return header.scale
    (only,) = references
    records_of_its_own = any(f"\n{kind} {only} ".encode("ascii", "replace") in plain for kind in COMPARISON_TYPES)
    return header.scale if records_of_its_own or not re.fullmatch(r"[!-'*-~]{1,9}", only) else only


def _to_tai(records: Records, body: Body, table: LeapTable) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Give TAI epochs, and which of the records have one; the others are reported as defects."""
    system = body.header.time_system
    minus_tai_s = TIME_SYSTEMS[system][1]
    if minus_tai_s is not None:
        for position in records.lines[records.leap].tolist():
            body.report(position, "second", f"{system} time has no second 60")
        return records.count_ns - minus_tai_s * NS_PER_SECOND, ~records.leap
    epochs = np.zeros(len(records.lines), dtype=np.int64)
    kept = np.ones(len(records.lines), dtype=np.bool_)
    known: dict[tuple[int, bool], int | InstantError] = {}
    for row, key in enumerate(zip(records.count_ns.tolist(), records.leap.tolist(), strict=True)):
        found = known[key] if key in known else known.setdefault(key, _utc_to_tai(*key, table))
        if isinstance(found, int):
            epochs[row] = found
        else:
            kept[row] = False
            body.report(int(records.lines[row]), "epoch", str(found))
    return epochs, kept


def _utc_to_tai(count_ns: int, leap: bool, table: LeapTable) -> int | InstantError:
    seconds, ns = divmod(count_ns, NS_PER_SECOND)
    day, second = divmod(seconds, DAY_S)
    if leap:
        day, second = day - 1, second + DAY_S
    try:
        return from_utc_parts(day, second, ns * 10**9, table).ns
    except InstantError as error:
        return error
