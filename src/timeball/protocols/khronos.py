"""The Khronos watchdog of RFC 9523: a random few of many servers are asked beside everything else, and trimmed.

Each look asks m servers at random, drops the lowest and the highest third of their offsets, and takes the mean of the
rest if these lie within 2 w of one another and the mean within ERR + 2 w of the last look's. Otherwise others are
drawn, up to K samples in all; then, in panic, every server is asked and the middle third averaged (sections 3.2, 3.3).
So it is, beyond the RFC, before an offset above H is told: a sample may by chance hold more liars than the pool does.

A third is a third of those *asked*: whoever silences honest servers shortens the middle and not the ends, and no
answer within it can come from liars as long as no more than a third of those asked lie. What is believed is therefore
never outside what honest servers say.

Signs: an offset is server minus our own served time (s). Pure: who is asked is drawn with a Generator that comes in,
and nothing here moves time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Parameters:
    """m, w, ERR, K and H of RFC 9523 section 3.3; times in s."""

    sample: int = 15
    window_s: float = 0.025
    error_s: float = 0.005
    tries: int = 3
    limit_s: float = 0.030


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a look came to; `offset_s` None when too few answered even in panic.

    `survivors` the servers whose offsets were averaged, `spread_s` how far apart these are.
    """

    offset_s: float | None
    panic: bool
    samples: int
    asked: int
    answered: int
    survivors: tuple[str, ...] = ()
    spread_s: float = 0.0

    def beyond(self, limit_s: float) -> bool:
        """Whether our time is further off than `limit_s` (H)."""
        return self.offset_s is not None and abs(self.offset_s) > limit_s


@dataclass(frozen=True, slots=True)
class Trimmed:
    """The middle third of a sample: mean, spread and whose."""

    mean_s: float
    spread_s: float
    survivors: tuple[str, ...]


def draw(pool: Sequence[str], count: int, rng: np.random.Generator) -> tuple[str, ...]:
    """`count` servers of the pool at random, each at most once; all of them when there are no more."""
    if count >= len(pool):
        return tuple(pool)
    return tuple(pool[place] for place in rng.choice(len(pool), size=count, replace=False).tolist())


def trim(asked: int, offsets_s: Mapping[str, float]) -> Trimmed | None:
    """Drop a third of `asked` (rounded down) at each end of the answers; None when nothing is left between them."""
    dropped = asked // 3
    ordered = sorted(offsets_s.items(), key=lambda item: (item[1], item[0]))
    middle = ordered[dropped : len(ordered) - dropped]
    if not middle:
        return None
    values = [value for _, value in middle]
    mean_s = values[0] + sum(value - values[0] for value in values) / len(values)
    return Trimmed(min(max(mean_s, values[0]), values[-1]), values[-1] - values[0], tuple(name for name, _ in middle))


class Look:
    """One look: `asking` names the servers to ask next, `answered` takes what they said; `outcome` ends it.

    last_s: the offset of the look before (s), 0 for the first: our own time is what is judged.
    """

    def __init__(
        self, pool: Sequence[str], parameters: Parameters, rng: np.random.Generator, last_s: float = 0.0
    ) -> None:
        self._pool, self._parameters, self._rng, self._last_s = pool, parameters, rng, last_s
        self._samples = 0
        self._panic = False
        self.outcome: Outcome | None = None
        self.asking = draw(pool, parameters.sample, rng)

    def answered(self, offsets_s: Mapping[str, float]) -> None:
        """What the servers of `asking` said (s); whoever said nothing is left out. Answers of others do not count."""
        told = {name: offset for name, offset in offsets_s.items() if name in self.asking}
        self._samples += 1
        trimmed = trim(len(self.asking), told)
        believed = trimmed is not None and self._believable(trimmed)
        if self._panic or (trimmed is not None and believed and abs(trimmed.mean_s) <= self._parameters.limit_s):
            self.outcome = self._outcome(trimmed, len(told))
            self.asking = ()
        elif self._samples < self._parameters.tries and not believed:
            self.asking = draw(self._pool, self._parameters.sample, self._rng)
        else:
            self._panic = True
            self.asking = tuple(self._pool)

    def _believable(self, trimmed: Trimmed) -> bool:
        """The two conditions of section 3.2."""
        width_s = 2 * self._parameters.window_s
        near = abs(trimmed.mean_s - self._last_s) <= self._parameters.error_s + width_s
        return trimmed.spread_s <= width_s and near

    def _outcome(self, trimmed: Trimmed | None, answered: int) -> Outcome:
        asked = len(self.asking)
        if trimmed is None:
            return Outcome(None, self._panic, self._samples, asked, answered)
        return Outcome(trimmed.mean_s, self._panic, self._samples, asked, answered, trimmed.survivors, trimmed.spread_s)
