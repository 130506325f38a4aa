"""Time tags of plain columns: none, seconds, Modified Julian Dates or ISO 8601, to exact nanoseconds of TAI."""

from __future__ import annotations

import re
from decimal import Decimal, DecimalException
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from timeball.formats.defects import whole_file_error
from timeball.formats.numerals import read_number
from timeball.formats.timescales import table_for
from timeball.instants import (
    DAY_NS,
    DAY_S,
    MJD_OF_1970,
    NS_PER_SECOND,
    LeapTable,
    from_utc_parts,
    parse_utc,
)

TIME_KINDS = ("none", "seconds", "mjd", "iso")
MJD_RANGE = (15_000.0, 120_000.0)  # the years 1899 to 2187: a first tag in there is taken for a date
EPOCH_LIMIT_NS = 4 * 10**18  # 1843 to 2096: differences of two epochs still fit int64
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,18})?Z?", re.ASCII)


def is_iso(text: str) -> bool:
    """Tell whether a field is a date and time as ISO 8601 writes it."""
    return _ISO.fullmatch(text) is not None


def tag_kind(fields: list[str]) -> str:
    """Tell from the first line of figures what its first field is: a tag of some kind, or already the sample."""
    if fields and is_iso(fields[0]):
        return "iso"
    tag = read_number(fields[0]) if len(fields) > 1 else None
    if tag is None or (fields[1].lower() != "nan" and read_number(fields[1]) is None):
        return "none"
    return "mjd" if MJD_RANGE[0] <= tag <= MJD_RANGE[1] else "seconds"


class TagReader:
    """Turns tags of one kind and one time scale into epochs; raises ``ValueError`` with the reason for a bad one."""

    def __init__(self, kind: str, system: str, start_ns: int, leaps: LeapTable | None, file: str) -> None:
        self._kind, self._start_ns, self._leaps, self._file = kind, start_ns, leaps, file
        self._table = table_for(system, leaps, file)

    def read(self, text: str) -> int:
        """Give the epoch (ns of TAI) of a tag; 0 when there are none."""
        if self._kind == "none":
            return 0
        epoch_ns = self._iso(text) if self._kind == "iso" else self._number(text)
        if abs(epoch_ns) > EPOCH_LIMIT_NS:
            raise ValueError("outside the years 1843 to 2096")
        return epoch_ns

    def _iso(self, text: str) -> int:
        if not is_iso(text):
            raise ValueError("not a date and time as YYYY-MM-DDTHH:MM:SS")
        stated_utc = text.endswith("Z")
        table = table_for("UTC", self._leaps, self._file) if stated_utc else self._table
        return parse_utc(text if stated_utc else f"{text}Z", table).ns

    def _number(self, text: str) -> int:
        if read_number(text) is None:
            raise ValueError("not a number")
        try:
            value = Decimal(text.upper().replace("D", "E"))
        except DecimalException as error:
            raise ValueError("not a number") from error
        if abs(value) > 10**11:
            raise ValueError("out of range")
        if self._kind == "seconds":
            return self._start_ns + int((value * NS_PER_SECOND).to_integral_value())
        whole = int(value // 1) if value >= 0 else -int(-value // 1) - 1
        days, ns = divmod(int(((value - whole) * DAY_NS).to_integral_value()), DAY_NS)
        day = whole + days - MJD_OF_1970
        if not -DAY_S < day < DAY_S:  # days, not seconds: any date that int64 ns can hold
            raise ValueError("outside the years 1843 to 2096")
        return from_utc_parts(day, ns // NS_PER_SECOND, ns % NS_PER_SECOND * 10**9, self._table).ns


def untagged_epochs(places: npt.NDArray[np.int64], tau0_s: float, start_ns: int, file: str) -> npt.NDArray[np.int64]:
    """Give the epochs of samples at places 0, 1, 2 … of a grid of ``tau0_s`` that starts at ``start_ns``."""
    step_ns = Fraction(str(tau0_s)) * NS_PER_SECOND
    last_ns = start_ns + (int(int(places[-1]) * step_ns) if places.size else 0)
    if abs(start_ns) > EPOCH_LIMIT_NS or abs(last_ns) > EPOCH_LIMIT_NS:
        raise whole_file_error(file, str(tau0_s), "the record would end outside the years 1843 to 2096")
    if step_ns.denominator == 1:
        return start_ns + places * int(step_ns)
    return np.array([start_ns + round(place * step_ns) for place in places.tolist()], dtype=np.int64)
