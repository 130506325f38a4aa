"""Every part of the metrics put together, as prometheus_client asks for them: read from files when somebody scrapes.

A part that fails costs that part alone, and says so in `timeball_exporter_part_up`. Nothing waits: who scrapes while
another scrape is being answered gets the same figures, and figures younger than `FRESH_S` are not read again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from timeball.station.metrics import (
    feedpart,
    keyexchangepart,
    ledgerpart,
    processpart,
    roughtimepart,
    scalepart,
    serverpart,
    timepart,
    watchdogpart,
)
from timeball.station.metrics.metric import Metric, Sample, families, gauge
from timeball.station.reporting.view import View, Viewer

FRESH_S = 0.25
PART_UP = gauge("timeball_exporter_part_up", "0 when a part of the metrics could not be read", "part")
LOOK_S = gauge("timeball_exporter_duration_seconds", "Time that reading the station took")

Collect = Callable[[View], Iterable[Sample]]


PARTS: dict[str, tuple[Collect, tuple[Metric, ...]]] = {
    "time": (timepart.collect, timepart.METRICS),
    "scale": (scalepart.collect, scalepart.METRICS),
    "ledger": (ledgerpart.collect, ledgerpart.METRICS),
    "processes": (processpart.collect, processpart.METRICS),
    "server": (serverpart.collect, serverpart.METRICS),
    "nts": (keyexchangepart.collect, keyexchangepart.METRICS),
    "roughtime": (roughtimepart.collect, roughtimepart.METRICS),
    "watchdog": (watchdogpart.collect, watchdogpart.METRICS),
    "outputs": (feedpart.collect, feedpart.METRICS),
}
METRICS: tuple[Metric, ...] = (PART_UP, LOOK_S, *(metric for _, metrics in PARTS.values() for metric in metrics))
"""Every metric that can ever be told, for whoever checks names."""


class StationCollector(Collector):
    """The metrics of one state folder. Raises ConfigError where no station has run."""

    def __init__(self, state: Path) -> None:
        self._viewer = Viewer(state)
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._families: list[Family] = []

    def describe(self) -> Iterable[Family]:
        """Nothing: registering must not read a station."""
        return []

    def collect(self) -> Iterable[Family]:
        """The figures of now."""
        with self._lock:
            if time.monotonic() - self._read_at >= FRESH_S:
                self._families = families(self._samples())
                self._read_at = time.monotonic()
            return self._families

    def _samples(self) -> Iterator[Sample]:
        began = time.monotonic()
        try:
            view = self._viewer.look()
        except Exception:
            # a scrape must say that, not fail: whoever watches would only see a gap
            logging.getLogger("exporter").exception("the station could not be read")
            yield from PART_UP.at(0, "station")
            return
        yield from PART_UP.at(1, "station")
        for name, (collect, _) in PARTS.items():
            yield from read_part(name, collect, view)
        yield from LOOK_S.at(time.monotonic() - began)


def read_part(name: str, collect: Collect, view: View) -> list[Sample]:
    """The samples of a part and the word that it could be read; of a part that fails the word alone."""
    try:
        return [*PART_UP.at(1, name), *collect(view)]
    except Exception:
        logging.getLogger("exporter").exception("metrics of %s could not be read", name)
        return list(PART_UP.at(0, name))
