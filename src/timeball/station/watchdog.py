"""The watchdog of RFC 9523: `python -m timeball.station.watchdog`, started only where `khronos.servers` names a pool.

Beside everything else it asks a random few of many servers and compares what the middle of them says with served time
as the clock page gives it. It never moves time, holds no lease and withdraws nothing: it has what it found recorded,
signed with its own key, and an alarm stands in the status while that is more than `khronos.limit_s`. The page is judged
as it extrapolates, also while its leases have ended; without a page of this boot it cannot judge.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.protocols.khronos import Look, Outcome, Parameters
from timeball.station import paths
from timeball.station.configuration.following import Khronos
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.realtime import station_leaps
from timeball.station.page.clockpage import PageReader, TimekeeperPage, served_instant
from timeball.station.recording.keys import load_or_create_key
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.say import Say
from timeball.station.supervision.process import Process, run_process
from timeball.station.watching.counting import LookCounter
from timeball.station.watching.pool import Told, ask_pool
from timeball.station.watching.telling import batch_of_look, verdict_of

NAME = "watchdog"
KEY_STREAM = "watchdog-key"
FIRST_LOOK_S = 5.0
"""After a start the page may not be there yet; looked again soon, and not after minutes."""


class Watchdog:
    """One run of the process; see the module's docstring."""

    def __init__(self, process: Process, rng: np.random.Generator) -> None:
        self.process, self.rng = process, rng
        self.settings: Khronos = process.config.khronos
        self.parameters = parameters_of(self.settings)
        self.leaps = station_leaps(process.config)
        # seconds and milliseconds are asked of it: the compiler is not worth waiting for
        self.page = PageReader(paths.timekeeper_page(process.state), TimekeeperPage, plain=True)
        self.key = load_or_create_key(process.state, NAME)
        self.say = Say(process, NAME, "watch")
        self.counter = LookCounter(process.state)
        self.last_s = 0.0
        self.told: int | None = None

    def run(self) -> None:
        """Look, tell, wait, until told to stop."""
        key = {"name": NAME, "purpose": "watches", "vkey": self.key.verifier.vkey}
        known = LedgerReader(self.process.state).find_stream_tail(KEY_STREAM)
        if known is None or known.payload != canonical.encode(key):
            Say(self.process, KEY_STREAM, "key").now(key, patience_s=30.0)
        while not self.process.stop.is_set():
            looked = self.look()
            wait_s = self.settings.every_s if looked else min(FIRST_LOOK_S, self.settings.every_s)
            self.process.sleep(wait_s)

    def look(self) -> bool:
        """One look, told; false when there was no page to judge."""
        page = self.page.read()
        if page is None:
            self._tell(0, None, (), f"served time is not known: {self.page.why}")
            return False
        look = Look(self.settings.servers, self.parameters, self.rng, self.last_s)
        told: list[Told] = []
        while look.outcome is None and not self.process.stop.is_set():
            told = ask_pool(look.asking, lambda raw_ns: served_instant(page, raw_ns)[0], self.leaps)
            look.answered({one.server: one.offset_s for one in told if one.offset_s is not None})
        if look.outcome is not None:
            self.last_s = 0.0 if look.outcome.offset_s is None else look.outcome.offset_s
            self._tell(served_instant(page, hostclocks.raw_ns())[0], look.outcome, told)
        return True

    def _tell(self, epoch: int, outcome: Outcome | None, told: Sequence[Told], why: str = "") -> None:
        """A look is recorded at once when its code changes, else now and then; that none was possible once in a row."""
        code, words = verdict_of(outcome, self.settings.limit_s, why)
        self.counter.count(outcome, code)
        if outcome is None and code == self.told:
            return
        if code != self.told:
            self.process.log.info("%s", words)
        payload = sign_batch(batch_of_look(epoch, outcome, told, code, words), self.key)
        if code == self.told:
            self.say.every(self.process.config.observer.verdict_every_s, payload)
        elif self.say.now(payload):
            self.told = code


def parameters_of(settings: Khronos) -> Parameters:
    """The parameters of RFC 9523 as they are configured."""
    return Parameters(settings.sample, settings.window_s, settings.error_s, settings.tries, settings.limit_s)


def work(process: Process) -> None:
    """Run until told to stop. Who is asked must not be foreseen: the generator is seeded by the system."""
    Watchdog(process, np.random.default_rng()).run()


if __name__ == "__main__":
    sys.exit(run_process(NAME, work))
