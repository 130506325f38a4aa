"""One look at a station for metrics and checks: its status, and the pages of its processes, read at one moment.

Only files are read; no process is asked, and none is waited for. A page that is absent, torn or of another boot is
None.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timeball.station import paths
from timeball.station.configuration.config import Config
from timeball.station.hosttime import hostclocks
from timeball.station.page.clockpage import (
    ObserverPage,
    PageReader,
    ServedTime,
    TimekeeperPage,
    now_from_page,
    sync_status,
)
from timeball.station.page.feedpage import FeedPage, feed_page
from timeball.station.page.keyexchangepage import KeyExchangePage, keyexchange_page
from timeball.station.page.roughtimepage import RoughtimePage, roughtime_page
from timeball.station.page.serverpage import ServerPage, server_page
from timeball.station.page.watchpage import WatchPage, watch_page
from timeball.station.reporting.hostfacts import ProcessFacts, SocketFacts, port_of, process_facts, udp_sockets
from timeball.station.reporting.servers import output_name
from timeball.station.reporting.status import StatusReader

Payload = dict[str, Any]


@dataclass(frozen=True)
class View:
    """A station at one moment.

    `now` is served time by the page, `code` the reason of pagelayout against it (0: none), `pair` and `boottime_ns` the
    host's counters; `facts` has every process of the supervisor's list, `sockets` those of the served UDP ports.
    """

    state: Path
    config: Config
    status: Payload
    pair: hostclocks.Bracket
    boottime_ns: int
    timekeeper: TimekeeperPage | None
    observer: ObserverPage | None
    server: ServerPage | None
    keyexchange: KeyExchangePage | None
    roughtime: RoughtimePage | None
    watchdog: WatchPage | None
    feeds: dict[str, FeedPage | None]
    now: ServedTime
    code: int
    facts: dict[str, ProcessFacts | None]
    sockets: list[SocketFacts]

    @property
    def raw_ns(self) -> int:
        """RAW at the look (ns)."""
        return self.pair.raw_ns

    def age_s(self, page: ServerPage | KeyExchangePage | RoughtimePage | FeedPage | WatchPage) -> float:
        """For how long the counters of a page have not been written."""
        return (self.boottime_ns - page.updated_boottime_ns) / 1e9


class Viewer:
    """Looks at one state folder again and again. Raises ConfigError where no station has run."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.reader = StatusReader(state)
        self._timekeeper = PageReader(paths.timekeeper_page(state), TimekeeperPage, plain=True)
        self._observer = PageReader(paths.observer_page(state), ObserverPage, plain=True)
        self._server = PageReader(server_page(state), ServerPage, plain=True)
        self._keyexchange = PageReader(keyexchange_page(state), KeyExchangePage, plain=True)
        self._roughtime = PageReader(roughtime_page(state), RoughtimePage, plain=True)
        self._watchdog = PageReader(watch_page(state), WatchPage, plain=True)
        self._feeds = {
            output_name(output): PageReader(feed_page(state, index), FeedPage, plain=True)
            for index, output in enumerate(self.reader.config.outputs)
        }

    def look(self) -> View:
        """The station now."""
        status = self.reader.status()
        first, second = self._timekeeper.read(), self._observer.read()
        pair, boottime_ns, ntp = hostclocks.bracket(), hostclocks.boottime_ns(), self.reader.config.ntp
        return View(
            self.state,
            self.reader.config,
            status,
            pair,
            boottime_ns,
            first,
            second,
            self._server.read(),
            self._keyexchange.read(),
            self._roughtime.read(),
            self._watchdog.read(),
            {name: reader.read() for name, reader in self._feeds.items()},
            now_from_page(first, second, pair.raw_ns, boottime_ns),
            sync_status(first, second, pair.raw_ns, boottime_ns),
            {row["name"]: process_facts(row["pid"]) for row in status["processes"]},
            udp_sockets({port_of(address) for address in ntp.listen + ntp.smeared}),
        )
