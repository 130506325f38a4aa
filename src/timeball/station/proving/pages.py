"""What the clock page said at a moment, from the statements recorded before and after it. Pure.

served = UTC(k) as the page gives it; x = UTC(k) − UTC, so UTC − served = −x, give or take the host's counter. Only
+ − × ÷ √ and the shortest text of a float, so that every machine says the same. The pages written between two
statements are not recorded: that the two meet in the middle (`differ_s`) is what speaks for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from timeball.integrity.bound import COVERAGE
from timeball.station.proving.errors import StatementError

FEMTOSECONDS_PER_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class Said:
    """One `served` entry: the page's reference on RAW and in TAI, rate, bound, and what the bound rested on."""

    boot_id: str
    raw_ns: int
    tai_ns: int
    tai_frac_fs: int
    rate: float
    bound_s: float
    bound_growth: float
    tai_minus_utc_s: int
    utck_minus_utc_s: float
    u_s: float
    residual_s: float
    against: str

    @property
    def u_host_s(self) -> float:
        """Standard uncertainty of the host counter's line, taken back out of the bound (`integrity.bound`)."""
        rest_s = self.bound_s - abs(self.utck_minus_utc_s) - COVERAGE * self.u_s - abs(self.residual_s)
        return max(rest_s, 0.0) / COVERAGE if math.isfinite(rest_s) else math.nan

    def bound_at(self, tai_ns: int) -> float:
        """The bound (s) so long after, or before, the reference."""
        return self.bound_s + self.bound_growth * (float(abs(tai_ns - self.tai_ns)) * 1e-9)

    def raw_from(self, origin_ns: int, tai_ns: int) -> float:
        """RAW − `origin_ns` (ns) when this page shows `tai_ns`."""
        elapsed_ns = float(tai_ns - self.tai_ns) - self.tai_frac_fs / FEMTOSECONDS_PER_NS
        return float(self.raw_ns - origin_ns) + elapsed_ns / (1.0 + self.rate)


@dataclass(frozen=True, slots=True)
class Served:
    """UTC − served at the moment (s), its standard uncertainty, its bound; all NaN or infinite where unknown.

    `differ_s`: on RAW, how much later the second page shows the moment than the first.
    """

    utc_minus_served_s: float
    u_s: float
    bound_s: float
    differ_s: float


def read_served(payload: Any, place: str) -> Said:
    """The payload of a `served` entry; raises `StatementError`."""
    try:
        return Said(
            boot_id=str(payload["boot_id"]),
            raw_ns=_integer(payload["raw_ns"]),
            tai_ns=_integer(payload["tai_ns"]),
            tai_frac_fs=_integer(payload["tai_frac_fs"]),
            rate=float(payload["rate"]),
            bound_s=float(payload["bound_s"]),
            bound_growth=float(payload["bound_growth"]),
            tai_minus_utc_s=_integer(payload["tai_minus_utc_s"]),
            utck_minus_utc_s=float(payload["utck_minus_utc_s"]),
            u_s=float(payload["u_s"]),
            residual_s=float(payload["residual_s"]),
            against=str(payload["against"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise StatementError(place, f"this is no statement of served time: {error!r}") from error


def between(before: Said, after: Said, tai_ns: int) -> Served:
    """What was served between two statements of the same boot.

    x is linear between the two. Either bound holds at the moment, so the smaller does; what the page said lies between
    the two pages, so their difference is added, to the bound and to the uncertainty.
    """
    differ_s = (after.raw_from(before.raw_ns, tai_ns) - before.raw_from(before.raw_ns, tai_ns)) * 1e-9
    span_ns = after.tai_ns - before.tai_ns
    weight = float(tai_ns - before.tai_ns) / float(span_ns) if span_ns > 0 else 0.0
    x_s = before.utck_minus_utc_s + weight * (after.utck_minus_utc_s - before.utck_minus_utc_s)
    u_s = max_known(before.u_s, after.u_s)
    u_host_s = max_known(before.u_host_s, after.u_host_s)
    bound_s = min(_infinite(before.bound_at(tai_ns)), _infinite(after.bound_at(tai_ns))) + abs(differ_s)
    return _served(x_s, math.sqrt(u_s * u_s + u_host_s * u_host_s + differ_s * differ_s), bound_s, differ_s)


def after_one(before: Said, tai_ns: int) -> Served:
    """What the page would have said if it was still the last one."""
    u_s = math.sqrt(before.u_s * before.u_s + before.u_host_s * before.u_host_s)
    return _served(before.utck_minus_utc_s, u_s, before.bound_at(tai_ns), math.nan)


def max_known(a: float, b: float) -> float:
    """The greater of two; NaN when either is."""
    return math.nan if math.isnan(a) or math.isnan(b) else max(a, b)


def _served(x_s: float, u_s: float, bound_s: float, differ_s: float) -> Served:
    known = math.isfinite(x_s) and math.isfinite(u_s)
    return Served(
        0.0 - x_s if known else math.nan,
        u_s if known else math.nan,
        bound_s if math.isfinite(bound_s) else math.inf,
        differ_s,
    )


def _infinite(bound_s: float) -> float:
    return math.inf if math.isnan(bound_s) else bound_s


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)) or len(str(value)) > 19:
        raise ValueError(f"not an integer: {value!r}"[:100])
    return int(value)
