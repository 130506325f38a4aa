"""What a TFEX file's header says: reference points, constant delays, columns with their formats and units.

What it does not do: read it (:mod:`timeball.formats.tfex.header`) or write it (:mod:`timeball.formats.tfex.writer`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

FORMAT = re.compile(r"0?(\d{1,3})(?:\.(\d{1,2}))?([dfs])", re.ASCII)
TIME_UNITS = {"second": 0, "millisecond": -3, "microsecond": -6, "nanosecond": -9, "picosecond": -12}
TIME_UNITS |= {"s": 0, "ms": -3, "us": -6, "ns": -9, "ps": -12, "femtosecond": -15, "fs": -15}


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
        return int(format_parts(self.format)[0])

    @property
    def decimals(self) -> int:
        """Decimals of a number."""
        return int(format_parts(self.format)[1] or 0)

    @property
    def kind(self) -> str:
        """Tell what it holds: ``d`` whole numbers, ``f`` numbers, ``s`` text."""
        return format_parts(self.format)[2]

    @property
    def exponent(self) -> int:
        """A printed 1 is 10 to this power in s, for a unit of time; 0 for any other unit, which is kept as printed."""
        return TIME_UNITS.get(self.unit.rpartition(":")[2], 0)

    @property
    def is_time(self) -> bool:
        """Tell whether its values are times, given in s."""
        return self.unit.rpartition(":")[2] in TIME_UNITS


def format_parts(text: str) -> tuple[str, str, str]:
    """Give width, decimals and kind of a format; ``ValueError`` when it is none."""
    match = FORMAT.fullmatch(text)
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
