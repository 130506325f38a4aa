"""One metric: its name as Prometheus sees it, its kind, labels and help; and a figure of it.

Names carry their unit (`_seconds`, `_bytes`, `_ratio`, `_total`). Where nothing is known there is no sample, never a 0
that stands for it. This module knows no figure; the parts beside it do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family

GAUGE: Final = "gauge"
COUNTER: Final = "counter"


class Metric(NamedTuple):
    """`name` of a counter ends in `_total`."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()

    def at(self, value: float | None, *labels: str) -> Iterator[Sample]:
        """One figure, or none where it is not known."""
        if value is not None:
            yield Sample(self, labels, float(value))

    def each(self, page: object, fields: Mapping[str, str]) -> Iterator[Sample]:
        """A figure for each value of the only label: the field of `page` that `fields` names for it."""
        for label, field in fields.items():
            yield from self.at(getattr(page, field), label)

    def states(self, known: Iterable[str], now: str | None, *labels: str) -> Iterator[Sample]:
        """1 for the state that holds and 0 for every other one; the state is the last label."""
        for state in known:
            yield Sample(self, (*labels, state), float(state == now))


class Sample(NamedTuple):
    """A figure of a metric, with the values of its labels in their order."""

    metric: Metric
    labels: tuple[str, ...]
    value: float


def gauge(name: str, help_text: str, *labels: str) -> Metric:
    """A figure that goes up and down."""
    return Metric(name, GAUGE, help_text, labels)


def counter(name: str, help_text: str, *labels: str) -> Metric:
    """A figure that only grows, until its process starts anew."""
    return Metric(name, COUNTER, help_text, labels)


def families(samples: Iterable[Sample]) -> list[Family]:
    """The samples as prometheus_client writes them, grouped by metric in the order of their coming."""
    found: dict[str, Family] = {}
    for metric, labels, value in samples:
        family = found.get(metric.name)
        if family is None:
            kind = CounterMetricFamily if metric.kind == COUNTER else GaugeMetricFamily
            family = found[metric.name] = kind(metric.name, metric.help, labels=metric.labels)
        family.add_metric(labels, value)  # type: ignore[attr-defined]
    return list(found.values())
