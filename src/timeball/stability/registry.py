"""Every deviation by its key: its name, its unit, how to compute it, and how its averaging time follows from m.

Used where people choose a deviation, and where confidence, bias and slope depend on which one it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from numpy.typing import ArrayLike

from timeball.stability.deviations import adev, hdev, mdev, oadev, ohdev, tdev
from timeball.stability.forms import Deviations, Factors
from timeball.stability.interval_error import mtie, tierms
from timeball.stability.parabolic import pdev
from timeball.stability.theo import theo1, theobr, theoh
from timeball.stability.total import htotdev, mtotdev, totdev, ttotdev

Family = Literal["allan", "modified", "time", "hadamard", "theo", "parabolic", "interval"]


class Function(Protocol):
    """How every deviation is called: a record, its interval in s, averaging factors, "phase" or "frequency"."""

    def __call__(
        self, x: ArrayLike, tau0_s: float, m: Factors = None, *, kind: str = "phase", threads: int = 1
    ) -> Deviations:
        """Compute the deviation; arguments and errors as `adev`."""
        ...


@dataclass(frozen=True, slots=True)
class Deviation:
    """One deviation.

    key: how it is asked for ("oadev"); name: as printed ("OADEV"); title: in words; unit: "1" or "s"; family: whose
    slopes it has; span: how many phase points a term at factor m needs; tau_ratio: τ = tau_ratio · m · τ₀ (Theo1 and
    TheoBR: 0.75, else 1; TheoH has both, 1 up to a tenth of the record).
    """

    key: str
    name: str
    title: str
    unit: Literal["1", "s"]
    family: Family
    function: Function
    span: Callable[[int], int]
    tau_ratio: float = 1.0


def _two(m: int) -> int:
    return 2 * m + 1


def _three(m: int) -> int:
    return 3 * m + 1


def _windows(m: int) -> int:
    return 3 * m


def _one(m: int) -> int:
    return m + 1


_ALL = (
    Deviation("adev", "ADEV", "Allan deviation", "1", "allan", adev, _two),
    Deviation("oadev", "OADEV", "overlapping Allan deviation", "1", "allan", oadev, _two),
    Deviation("mdev", "MDEV", "modified Allan deviation", "1", "modified", mdev, _windows),
    Deviation("tdev", "TDEV", "time deviation", "s", "time", tdev, _windows),
    Deviation("hdev", "HDEV", "Hadamard deviation", "1", "hadamard", hdev, _three),
    Deviation("ohdev", "OHDEV", "overlapping Hadamard deviation", "1", "hadamard", ohdev, _three),
    Deviation("totdev", "TOTDEV", "total deviation", "1", "allan", totdev, _one),
    Deviation("mtotdev", "MTOTDEV", "modified total deviation", "1", "modified", mtotdev, _windows),
    Deviation("ttotdev", "TTOTDEV", "time total deviation", "s", "time", ttotdev, _windows),
    Deviation("htotdev", "HTOTDEV", "Hadamard total deviation", "1", "hadamard", htotdev, _three),
    Deviation("theo1", "THEO1", "Thêo1 deviation", "1", "theo", theo1, _one, 0.75),
    Deviation("theobr", "THEOBR", "Thêo1 deviation, bias removed", "1", "allan", theobr, _one, 0.75),
    Deviation("theoh", "THEOH", "Allan deviation carried on by ThêoBR", "1", "allan", theoh, _one),
    Deviation("pdev", "PDEV", "parabolic deviation", "1", "parabolic", pdev, _two),
    Deviation("tierms", "TIE rms", "root mean square of the time interval error", "s", "interval", tierms, _one),
    Deviation("mtie", "MTIE", "maximum time interval error", "s", "interval", mtie, _one),
)

DEVIATIONS: dict[str, Deviation] = {deviation.key: deviation for deviation in _ALL}
