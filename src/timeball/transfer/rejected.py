"""What was left out of a link, each with its reason in words, which are made only of those that somebody reads.

Kept as columns, a rule at a time: of a month of tracks a hundred thousand are left out, and most are only counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from timeball.readings import EpochArray

Words = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A track or a session left out: where it stands, whose it is, and why.

    satellite: empty for a two-way session. epoch: of its start, ns of TAI. reason: the same words for the same rule, so
    that they can be counted. value: what offended, in words; empty where there is nothing to add.
    """

    file: str
    line: int
    satellite: str
    epoch: int
    reason: str
    value: str = ""

    def __str__(self) -> str:
        what = " ".join(filter(None, (self.satellite, self.reason)))
        return f"{self.file}:{self.line}: {what}" + (f" ({self.value})" if self.value else "")


@dataclass(frozen=True, slots=True, eq=False)
class RejectedRows:
    """n tracks or sessions that one rule left out; columns of length n.

    source: index into files. satellite: None for sessions. values: what offended, its first axis of length n, with
    ``words`` for one of them; None where there is nothing to add.
    """

    files: tuple[str, ...]
    source: npt.NDArray[np.int64]
    line: npt.NDArray[np.int64]
    satellite: npt.NDArray[np.str_] | None
    epoch: EpochArray
    reason: str
    values: npt.NDArray[Any] | None = None
    words: Words = str

    def __len__(self) -> int:
        return int(self.epoch.size)

    def __iter__(self) -> Iterator[Rejected]:
        return self.told(slice(None))

    def told(self, places: slice) -> Iterator[Rejected]:
        """Say some of them in words, one by one."""
        source, line, epoch = (column[places].tolist() for column in (self.source, self.line, self.epoch))
        satellites = [""] * len(line) if self.satellite is None else self.satellite[places].tolist()
        values = [""] * len(line) if self.values is None else map(self.words, self.values[places].tolist())
        for number, at, satellite, start, value in zip(source, line, satellites, epoch, values, strict=True):
            yield Rejected(self.files[number], at, satellite, start, self.reason, value)


class Rejections(Sequence[Rejected]):
    """All that were left out, rule after rule; ``parts`` holds them as columns."""

    __slots__ = ("parts",)

    def __init__(self, parts: Iterable[RejectedRows] = ()) -> None:
        self.parts = tuple(part for part in parts if len(part))

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def __iter__(self) -> Iterator[Rejected]:
        return chain.from_iterable(self.parts)

    @overload
    def __getitem__(self, place: int) -> Rejected: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Rejected]: ...
    def __getitem__(self, place: int | slice) -> Rejected | Sequence[Rejected]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        left = place + len(self) if place < 0 else place
        for part in self.parts:
            if 0 <= left < len(part):
                return next(part.told(slice(left, left + 1)))
            left -= len(part)
        raise IndexError(place)

    def __add__(self, more: Rejections) -> Rejections:
        return Rejections((*self.parts, *more.parts))


def by_reason(rejected: Rejections) -> dict[str, int]:
    """Count by reason, the commonest first."""
    counts: Counter[str] = Counter()
    for part in rejected.parts:
        counts[part.reason] += len(part)
    return dict(counts.most_common())
