"""What the collector does with samples before it signs them: common epochs from free-running counters, and batches.

Pure: samples come in, rows and payloads go out; docs/ledger-entries.md describes the payload.
Sign: x_a − x_b, whole femtoseconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable
from typing import Any

from timeball.station.fold.batches import shape_batch
from timeball.station.instruments.base import Sample

Pair = tuple[str, str]


class Gridder:
    """Brings counters that report when they like to common epochs on a grid of `step_ns`.

    A pair's value at a grid epoch is its reading there, or else lies on the straight line between the nearest readings
    before and after it, when these are at most `step_ns` away; otherwise the pair is missing at that epoch. An epoch
    is given once every pair seen lately has gone past it, at the latest when one is `step_ns` past it.
    """

    def __init__(self, step_ns: int) -> None:
        self._step_ns = step_ns
        self._readings: dict[Pair, list[Sample]] = defaultdict(list)
        self._next: int | None = None

    def add(self, samples: Iterable[Sample], now_ns: int) -> list[Sample]:
        """Take samples in and give back those that cannot be used.

        Of a pair they must come in order. None may lie more than `step_ns` ahead of TAI `now_ns`: a counter whose
        calendar is wrong would otherwise make all others look late.
        """
        refused = []
        for sample in samples:
            kept = self._readings.get((sample.a, sample.b))
            oldest = kept[-1].epoch + 1 if kept else 0 if self._next is None else self._next - self._step_ns
            if not oldest <= sample.epoch <= now_ns + self._step_ns:
                refused.append(sample)
                continue
            self._readings[sample.a, sample.b].append(sample)
            if self._next is None:
                self._next = self._up(sample.epoch)
        return refused

    def take(self) -> list[Sample]:
        """Samples at every grid epoch that is complete."""
        ready: list[Sample] = []
        while self._next is not None and self._complete(self._next):
            found = (self._at(kept, self._next) for kept in self._readings.values())
            ready += [sample for sample in found if sample is not None]
            self._next += self._step_ns
            self._forget()
        return ready

    def _up(self, epoch: int) -> int:
        return -(-epoch // self._step_ns) * self._step_ns

    def _complete(self, epoch: int) -> bool:
        newest = [kept[-1].epoch for kept in self._readings.values()]
        return bool(newest) and (min(newest) >= epoch or max(newest) >= epoch + self._step_ns)

    def _at(self, kept: list[Sample], epoch: int) -> Sample | None:
        after = next((sample for sample in kept if sample.epoch >= epoch), None)
        if after is None or after.epoch - epoch > self._step_ns:
            return None
        if after.epoch == epoch:
            return after
        before = next((sample for sample in reversed(kept) if sample.epoch < epoch), None)
        if before is None or epoch - before.epoch > self._step_ns:
            return None
        span, part = after.epoch - before.epoch, epoch - before.epoch
        x_fs = before.x_fs + ((after.x_fs - before.x_fs) * part * 2 + span) // (2 * span)
        u_fs = None if before.u_fs is None or after.u_fs is None else max(before.u_fs, after.u_fs)
        bounds = [one.bound_fs for one in (before, after) if one.bound_fs is not None]
        return Sample(epoch, after.a, after.b, x_fs, u_fs, max(bounds, default=None))

    def _forget(self) -> None:
        """Drop what no later epoch can need; a pair that has fallen silent is no longer waited for."""
        assert self._next is not None
        oldest = self._next - self._step_ns
        kept = {pair: [one for one in many if one.epoch >= oldest] for pair, many in self._readings.items()}
        self._readings = defaultdict(list, {pair: many for pair, many in kept.items() if many})
        # over a gap in all readings in one step, however long it was
        earliest = min((many[0].epoch for many in self._readings.values()), default=self._next)
        self._next = max(self._next, self._up(earliest))


def batch_of(samples: Iterable[Sample], kind: str, **more: str) -> dict[str, Any]:
    """The batch of some samples; see `shape_batch`. Bounds stand in it once a pair, the greatest, if there are any."""
    kept = list(samples)
    batch = shape_batch(((one.epoch, one.a, one.b, one.x_fs, one.u_fs) for one in kept), kind, **more)
    bounds: dict[Pair, int] = {}
    for one in kept:
        if one.bound_fs is not None:
            bounds[one.a, one.b] = max(one.bound_fs, bounds.get((one.a, one.b), 0))
    if bounds:
        batch["bound_fs"] = [str(bounds[a, b]) if (a, b) in bounds else None for a, b in batch["pairs"]]
    return batch


def held(samples: Iterable[Sample], hung: Container[Pair]) -> list[Sample]:
    """Without the pairs of `hung` at epochs at which nothing else holds them: comparisons that hang on the host.

    The ensemble keeps the largest connected part of an epoch. Servers that are compared with the host's counter are
    part of the laboratory only while the counter is compared with the output, and the output with the clocks: alone,
    many of them would be taken for the laboratory.
    """
    by_epoch: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_epoch[sample.epoch].append(sample)
    return [sample for many in by_epoch.values() for sample in _held(many, hung)]


def _held(samples: list[Sample], hung: Container[Pair]) -> list[Sample]:
    names = {name for one in samples if (one.a, one.b) not in hung for name in (one.a, one.b)}
    kept = [one for one in samples if (one.a, one.b) not in hung]
    hanging = [one for one in samples if (one.a, one.b) in hung]
    while ready := [one for one in hanging if one.a in names or one.b in names]:
        names |= {name for one in ready for name in (one.a, one.b)}
        kept += ready
        hanging = [one for one in hanging if one not in ready]
    return kept
