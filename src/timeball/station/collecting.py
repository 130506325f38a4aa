"""What the collector does with samples before it signs them: common epochs from free-running counters, and batches.

Pure: samples and the present TAI come in, rows and payloads go out; docs/ledger-entries.md describes the payload.
Sign: x_a − x_b, whole femtoseconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from timeball.station.instruments.base import Sample

Pair = tuple[str, str]


class Gridder:
    """Brings counters that report when they like to common epochs on a grid of `step_ns`.

    A pair's value at a grid epoch is its reading there, or else lies on the straight line between the nearest readings
    before and after it, when these are at most `step_ns` away; otherwise the pair is missing at that epoch. An epoch
    is given once every pair seen lately has gone past it, at the latest `step_ns` after it.
    """

    def __init__(self, step_ns: int) -> None:
        self._step_ns = step_ns
        self._readings: dict[Pair, list[Sample]] = defaultdict(list)
        self._next: int | None = None

    def add(self, samples: Iterable[Sample]) -> None:
        """Take samples in; of a pair they must come in order, one that goes back in time is left out."""
        for sample in samples:
            kept = self._readings[sample.a, sample.b]
            if kept and sample.epoch <= kept[-1].epoch:
                continue
            kept.append(sample)
            if self._next is None:
                self._next = -(-sample.epoch // self._step_ns) * self._step_ns

    def take(self, now_ns: int) -> list[Sample]:
        """Samples at every grid epoch that is complete at TAI `now_ns`."""
        ready: list[Sample] = []
        while self._next is not None and self._complete(self._next, now_ns):
            found = (self._at(kept, self._next) for kept in self._readings.values())
            ready += [sample for sample in found if sample is not None]
            self._next += self._step_ns
            self._forget()
        return ready

    def _complete(self, epoch: int, now_ns: int) -> bool:
        if now_ns >= epoch + self._step_ns:
            return True
        return now_ns >= epoch and all(kept[-1].epoch >= epoch for kept in self._readings.values() if kept)

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
        return Sample(epoch, after.a, after.b, x_fs, u_fs)

    def _forget(self) -> None:
        """Drop what no later epoch can need; a pair that has fallen silent is no longer waited for."""
        assert self._next is not None
        oldest = self._next - self._step_ns
        for pair in list(self._readings):
            kept = [sample for sample in self._readings[pair] if sample.epoch >= oldest]
            if kept:
                self._readings[pair] = kept
            else:
                del self._readings[pair]


def batch_of(samples: Iterable[Sample], kind: str, **more: str) -> dict[str, Any]:
    """A batch: one row an epoch, one column a pair, in sorted order; null where a pair was not read.

    u is stated once a pair: the greatest of its readings, null when one is unknown. Of a pair read twice at one epoch
    the first reading counts.
    """
    rows: dict[int, dict[Pair, int]] = defaultdict(dict)
    u: dict[Pair, int | None] = {}
    for sample in samples:
        pair = (sample.a, sample.b)
        rows[sample.epoch].setdefault(pair, sample.x_fs)
        known = u.get(pair, 0)
        u[pair] = None if known is None or sample.u_fs is None else max(known, sample.u_fs)
    pairs, epochs = sorted(u), sorted(rows)
    return {
        "kind": kind,
        "epochs": [str(epoch) for epoch in epochs],
        "pairs": [list(pair) for pair in pairs],
        "x_fs": [[_text(rows[epoch].get(pair)) for pair in pairs] for epoch in epochs],
        "u_fs": [_text(u[pair]) for pair in pairs],
        **more,
    }


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)
