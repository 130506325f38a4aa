"""Limits of MTIE and TDEV that ITU-T sets for primary clocks, and whether a record keeps them.

Sources: ITU-T G.811 (1997), tables 1 and 2; G.8272 (PRTC-A: tables 1 and 3, PRTC-B: tables 2 and 4), with max|TE| of
clause 6.1; G.8272.1 (ePRTC, locked: tables 1 and 2); G.811.1 (ePRC, class A). The tables were compared with those of
allantools, where it has them; of G.811.1 nobody here had the text, so its mask says `verified = False`.

A limit is a + b τ on each of its stretches of τ. A record passes when it keeps every limit and reaches the end of the
mask, fails when it breaks one, and is "too short" when it keeps all that it can show but ends before. An MTIE limit
without an end is judged as far as the TDEV limit of the same clock goes. What filter a counter had is not looked at:
the recommendations ask for 10 Hz and a sampling of 1/30 s, or for one sample a second from a 1 PPS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from timeball.stability.errors import StabilityError
from timeball.stability.forms import Deviations

FloatArray = NDArray[np.float64]
Verdict = Literal["PASS", "FAIL", "too short"]
# A TDEV of fewer windows than that is a guess: ITU-T G.810, annex II asks for twelve τ.
TDEV_LENGTH = 12.0
# G.8272, clause 6.1: a 1 PPS is measured through a moving average of at least 100 samples.
TE_POINTS = 100


class MaskError(StabilityError):
    """No mask has this name, or a deviation that it has no limit for was given."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The limit a_s + b τ for from_s < τ ≤ to_s, in seconds."""

    from_s: float
    to_s: float
    a_s: float
    b: float = 0.0

    def limit(self, tau_s: FloatArray) -> FloatArray:
        """Limit at tau_s, whether or not inside the stretch."""
        return np.asarray(self.a_s + self.b * tau_s, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Mask:
    """The limits of one clock of a recommendation: MTIE, TDEV and, where there is one, the largest |time error|."""

    key: str
    title: str
    source: str
    mtie: tuple[Stretch, ...]
    tdev: tuple[Stretch, ...]
    max_te_s: float | None = None
    verified: bool = True

    def stretches(self, deviation: str) -> tuple[Stretch, ...]:
        """Limits of "mtie" or "tdev"; MaskError for another deviation."""
        if deviation not in ("mtie", "tdev"):
            raise MaskError(f"a mask limits MTIE and TDEV, not {deviation}")
        return self.mtie if deviation == "mtie" else self.tdev

    def needed_s(self, deviation: str) -> float:
        """The longest τ that a PASS must reach."""
        end_s = self.stretches(deviation)[-1].to_s
        return end_s if math.isfinite(end_s) else self.tdev[-1].to_s

    def limit(self, deviation: str, tau_s: FloatArray) -> FloatArray:
        """Limit in s at tau_s float64[k]; NaN where the mask says nothing."""
        limit = np.full(tau_s.shape, np.nan)
        for stretch in self.stretches(deviation):
            inside = (tau_s > stretch.from_s) & (tau_s <= stretch.to_s)
            limit[inside] = stretch.limit(tau_s)[inside]
        return limit


@dataclass(frozen=True, slots=True)
class Judged:
    """One deviation against one mask.

    tau_s, value_s, limit_s float64[k]: where both are; margin: the smallest limit/value − 1 (0.25: a quarter of the
    value in hand; negative: broken), at worst_tau_s; from_s, to_s: what was judged; needed_s: the longest τ that a PASS
    must reach.
    """

    deviation: str
    verdict: Verdict
    tau_s: FloatArray
    value_s: FloatArray
    limit_s: FloatArray
    margin: float
    worst_tau_s: float
    needed_s: float

    @property
    def from_s(self) -> float:
        """Shortest τ judged; NaN when none was."""
        return float(self.tau_s[0]) if self.tau_s.size else math.nan

    @property
    def to_s(self) -> float:
        """Longest τ judged; NaN when none was."""
        return float(self.tau_s[-1]) if self.tau_s.size else math.nan


OPEN = math.inf
G811_TDEV = (Stretch(0.1, 100.0, 3e-9), Stretch(100.0, 1e3, 0.0, 3e-11), Stretch(1e3, 1e4, 3e-8))
EPRTC_TDEV = (Stretch(0.1, 3e4, 1e-9), Stretch(3e4, 3e5, 0.0, 3.33333e-14), Stretch(3e5, 1e6, 1e-8))
_MASKS = (
    Mask(
        "g811",
        "primary reference clock (PRC)",
        "ITU-T G.811, tables 1 and 2",
        (Stretch(0.1, 1e3, 2.5e-8, 2.75e-10), Stretch(1e3, OPEN, 2.9e-7, 1e-11)),
        G811_TDEV,
    ),
    Mask(
        "prtc-a",
        "primary reference time clock, class A (PRTC-A)",
        "ITU-T G.8272, tables 1 and 3",
        (Stretch(0.1, 273.0, 2.5e-8, 2.75e-10), Stretch(273.0, OPEN, 1e-7)),
        G811_TDEV,
        1e-7,
    ),
    Mask(
        "prtc-b",
        "primary reference time clock, class B (PRTC-B)",
        "ITU-T G.8272, tables 2 and 4",
        (Stretch(0.1, 54.5, 2.5e-8, 2.75e-10), Stretch(54.5, OPEN, 4e-8)),
        (Stretch(0.1, 100.0, 1e-9), Stretch(100.0, 500.0, 0.0, 1e-11), Stretch(500.0, 1e5, 5e-9)),
        4e-8,
    ),
    Mask(
        "eprtc",
        "enhanced primary reference time clock (ePRTC), locked",
        "ITU-T G.8272.1, tables 1 and 2",
        (
            Stretch(0.1, 1.0, 4e-9),
            Stretch(1.0, 100.0, 3.89e-9, 1.1114e-10),
            Stretch(100.0, 4e5, 1.5e-8, 3.75e-14),
            Stretch(4e5, OPEN, 3e-8),
        ),
        EPRTC_TDEV,
        3e-8,
    ),
    Mask(
        "eprc",
        "enhanced primary reference clock, class A (ePRC)",
        "ITU-T G.811.1, by the limits it shares with G.8272.1; not compared with its own text",
        (Stretch(0.1, 1.0, 4e-9), Stretch(1.0, 100.0, 3.89e-9, 1.1114e-10), Stretch(100.0, 4e5, 1.5e-8, 3.75e-14)),
        EPRTC_TDEV,
        verified=False,
    ),
)
MASKS: dict[str, Mask] = {mask.key: mask for mask in _MASKS}


def find_mask(name: str) -> Mask:
    """Give the mask of this name; MaskError names those there are."""
    mask = MASKS.get(name.lower())
    if mask is None:
        raise MaskError(f"no mask is called {name!r}; there are: {', '.join(MASKS)}")
    return mask


def judge(mask: Mask, deviation: str, found: Deviations, span_s: float) -> Judged:
    """Judge a deviation ("mtie" or "tdev", in s) of a record that lasts span_s against a mask.

    Values without a term, outside the mask, or of a TDEV longer than a twelfth of the record are not judged.
    Raises MaskError.
    """
    limit = mask.limit(deviation, found.tau_s)
    sure = found.tau_s <= (span_s / TDEV_LENGTH if deviation == "tdev" else span_s)
    kept = np.isfinite(limit) & np.isfinite(found.sigma) & (found.n > 0) & sure
    tau_s, value, limit = found.tau_s[kept], found.sigma[kept], limit[kept]
    with np.errstate(divide="ignore"):
        margins = np.where(value > 0.0, limit / np.where(value > 0.0, value, 1.0) - 1.0, np.inf)
    needed_s = mask.needed_s(deviation)
    worst = int(np.argmin(margins)) if margins.size else -1
    margin = float(margins[worst]) if margins.size else math.nan
    verdict: Verdict = "too short"
    if margin < 0.0:
        verdict = "FAIL"
    elif margins.size and tau_s[-1] * (1.0 + 1e-9) >= needed_s:
        verdict = "PASS"
    worst_tau_s = float(tau_s[worst]) if margins.size else math.nan
    return Judged(deviation, verdict, tau_s, value, limit, margin, worst_tau_s, needed_s)


def judge_time_error(mask: Mask, x: FloatArray, points: int = TE_POINTS) -> tuple[Verdict, float]:
    """Verdict and largest |time error| (s) of a phase record x (s) against what it should be, averaged over `points`.

    Only for a record whose zero is the standard's: a comparator's arbitrary offset is a time error here. Averages with
    a missing value (NaN) are left out. Raises MaskError for a mask that has no such limit.
    """
    if mask.max_te_s is None:
        raise MaskError(f"{mask.title} has no limit of the time error")
    if x.size < points:
        return "too short", math.nan
    sums = np.concatenate(([0.0], np.cumsum(np.where(np.isfinite(x), x, 0.0))))
    count = np.concatenate(([0], np.cumsum(np.isfinite(x))))
    whole = count[points:] - count[:-points] == points
    if not whole.any():
        return "too short", math.nan
    largest = float(np.max(np.abs((sums[points:] - sums[:-points])[whole]))) / points
    return ("PASS" if largest <= mask.max_te_s else "FAIL"), largest


def mask_factors(mask: Mask, deviation: str, tau0_s: float, points: int) -> list[int]:
    """Averaging factors at which a mask is judged: octaves, the corners of the mask, and the longest the record has."""
    longest = max(points // 3 if deviation == "tdev" else points - 1, 1)
    if deviation == "tdev":
        longest = max(min(longest, int((points - 1) / TDEV_LENGTH)), 1)
    corners = [edge for each in mask.stretches(deviation) for edge in (each.from_s, each.to_s) if math.isfinite(edge)]
    wanted = {2**k for k in range(longest.bit_length())} | {longest}
    wanted |= {round(edge / tau0_s) for edge in corners if edge >= 0.5 * tau0_s}
    return sorted(m for m in wanted if 1 <= m <= longest)
