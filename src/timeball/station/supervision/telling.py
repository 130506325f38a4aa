"""What the service manager is told of a running station, turn by turn of its supervisor.

Ready is said when every process runs and the server answers on its sockets; a sign of life is given at every turn, and
a sentence now and then. Numbers and pages are loaded only where a service manager listens: a supervisor without one
stays small. Time is read from the pages; nothing here judges it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from timeball.station.configuration.config import Config
from timeball.station.supervision.child import Child
from timeball.station.supervision.notify import Notifier

READY_LOOK_S = 0.5
"""How often it is asked whether everything is up, until it is."""


class Teller:
    """Tells the service manager of `notifier` about the station on one state folder."""

    def __init__(self, state: Path, config: Config, notifier: Notifier) -> None:
        self._state, self._config, self._notifier = state, config, notifier
        self._pages: Pages | None = None
        self._is_ready = False
        self._tenths = -1
        self._look_due = float("-inf")

    def progress(self, fraction: float, words: str) -> None:
        """The laboratory's past is being computed, 0 to 1; told tenth by tenth."""
        if int(10 * fraction) != self._tenths:
            self._tenths = int(10 * fraction)
            self._notifier.starting(f"computing {words}: {fraction:.0%}")

    def turn(self, children: Sequence[Child], now: float) -> None:
        """A turn of the supervisor at `now` (monotonic s): it lives, and so may the station."""
        self._notifier.alive(now)
        if not self._notifier.listening or now < self._look_due:
            return
        if self._is_ready and not self._notifier.status_is_due(now):
            return
        self._look_due = now + READY_LOOK_S
        self._look(children)

    def stopping(self) -> None:
        """The station is being stopped."""
        self._notifier.stopping("stopping: who answers the public first, the recorder last")

    def _look(self, children: Sequence[Child]) -> None:
        down = [child.name for child in children if child.process is None]
        self._pages = self._pages or Pages(self._state, replayed=self._config.replayed)
        words = f"{self._pages.words()}; {processes_words(len(children), down)}"
        server = next((child.process for child in children if child.name == "server"), None)
        if self._is_ready:
            self._notifier.status(words)
        elif not down and (server is None or self._pages.server_pid() == server.pid):
            self._is_ready = True
            self._notifier.ready(words)
        else:
            self._notifier.starting(f"starting; {words}")


class Pages:
    """The clock page and the server's page, read without compiled code."""

    def __init__(self, state: Path, *, replayed: bool) -> None:
        from timeball.station.page.clockpage import ObserverPage, PageReader, TimekeeperPage
        from timeball.station.page.serverpage import ServerPage, server_page
        from timeball.station.paths import observer_page, timekeeper_page

        self._replayed = replayed
        self._timekeeper = PageReader(timekeeper_page(state), TimekeeperPage, plain=True)
        self._observer = PageReader(observer_page(state), ObserverPage, plain=True)
        self._server: Any = PageReader(server_page(state), ServerPage, plain=True)

    def server_pid(self) -> int:
        """Which process writes the server's page; 0 while none does."""
        page = self._server.read()
        return int(page.pid) if page is not None else 0

    def words(self) -> str:
        """Whether time is served, with its bound."""
        from timeball.station.hosttime.hostclocks import boottime_ns, raw_ns
        from timeball.station.page.clockpage import now_from_page

        if self._replayed:
            return "replays a record: no time is served"
        now = now_from_page(self._timekeeper.read(), self._observer.read(), raw_ns(), boottime_ns())
        return f"in sync, bound {now.bound_s * 1e6:.3g} µs" if now.in_sync else f"withdrawn: {now.why}"


def processes_words(count: int, down: Sequence[str]) -> str:
    """How many processes run, and which do not."""
    if not down:
        return f"{count} processes run"
    return f"{count - len(down)} of {count} processes run, not {', '.join(down)}"
