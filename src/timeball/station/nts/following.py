"""A follower's side of the cluster: the leader is asked often enough that a silence or two cost nothing.

It asks in a thread, because an answer may take seconds; what came is taken by whoever owns the keys. While the leader
is away nothing comes, and the keys there are go on.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from timeball.station.nts.cluster import ClusterError, fetch_keys
from timeball.station.nts.keyfile import KeySet
from timeball.station.supervision.process import Process


class Follower:
    """Asks every `every_s`; `fetched` and `failures` are counted."""

    def __init__(self, process: Process, every_s: float) -> None:
        self.fetched = self.failures = 0
        self._process, self._every_s = process, every_s
        self._newest: deque[KeySet] = deque(maxlen=1)
        self._well_at: float | None = None
        self._away = False
        self._thread = threading.Thread(target=self._run, name="following", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def take(self) -> KeySet | None:
        """The newest keys that came since the last call."""
        return self._newest.pop() if self._newest else None

    def age_s(self) -> int:
        """How long ago the leader last gave its keys (s); −1 for never."""
        return -1 if self._well_at is None else int(time.monotonic() - self._well_at)

    def _run(self) -> None:
        while not self._process.stop.is_set():
            self._ask()
            self._process.sleep(self._every_s)

    def _ask(self) -> None:
        log = self._process.log
        try:
            self._newest.append(fetch_keys(self._process.config.nts))
        except ClusterError as error:
            self.failures += 1
            if not self._away:
                log.warning("%s; going on with what there is", error)
            self._away = True
            return
        if self._away:
            log.info("the leader answers again")
        self.fetched, self._well_at, self._away = self.fetched + 1, time.monotonic(), False
