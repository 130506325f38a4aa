"""The observer: measures the output signal and our own NTP replies from outside, and renews the second lease.

It has its own key, its own counter on the output, and asks the server over the network like any client. It never moves
anything: when it finds something its lease ends, and while it cannot judge, or stands still, nobody renews. Every
minute its readings and its verdict stand in the ledger, signed, "nothing found" included.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field
from typing import Any, Protocol

from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.station import paths
from timeball.station.fold.timekeeping import STREAM as TIMEKEEPING
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.realtime import station_leaps
from timeball.station.observing.codes import CANNOT_JUDGE, FOUND, NOTHING_FOUND
from timeball.station.observing.judging import (
    WORDS,
    Scale,
    gravest,
    judge,
    judge_answer,
    scale_of,
)
from timeball.station.observing.replies import ReplyUnusable, ask
from timeball.station.page.clockpage import ObserverPage, PageWriter
from timeball.station.recording.keys import load_or_create_key
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.newest import newest_entry
from timeball.station.recording.say import Say
from timeball.station.supervision.process import Process, run_process

STREAM = "observer"
LEASE_STREAM = "observer-lease"
KEY_STREAM = "observer-key"
MOST_LOOKS = 600
"""Measurements kept for the next verdict while the recorder does not take it."""


class Counter(Protocol):
    """The observer's own instrument on the output."""

    def tai_ns(self, raw_ns: int) -> int:
        """The output's own time (TAI, ns) at RAW `raw_ns`."""

    def compare(self) -> tuple[int, dict[str, float]]:
        """Now: an epoch (TAI, ns), and x_OUT − x_i (s) of the clocks it sees at that epoch."""


@dataclass
class Minute:
    """What is gathered between two verdicts."""

    epochs: list[str] = field(default_factory=list)
    rows: list[dict[str, float]] = field(default_factory=list)
    residuals: list[float] = field(default_factory=list)
    offsets: list[float] = field(default_factory=list)

    def batch(self, output: str, verdict: int, words: str) -> dict[str, Any]:
        """The batch of a verdict: x_OUT − x_i of every look, and what was made of it."""
        clocks = sorted({name for row in self.rows for name in row})
        return {
            "kind": "verdict",
            "code": verdict,
            "verdict": words or WORDS[verdict],
            "epochs": self.epochs,
            "pairs": [[output, name] for name in clocks],
            "x_fs": [[_fs(row.get(name)) for name in clocks] for row in self.rows],
            "residual_fs": [_fs(residual) for residual in self.residuals],
            "reply_offset_fs": [_fs(offset) for offset in self.offsets],
        }


class Observer:
    """One run of the observer process; see the module's docstring."""

    def __init__(self, process: Process, counter: Counter) -> None:
        self.process, self.config, self.counter = process, process.config, counter
        self.reader = LedgerReader(process.state)
        self.key = load_or_create_key(process.state, "observer")
        self.say = Say(process, STREAM, "verdict")
        self.lease = Say(process, LEASE_STREAM, "lease")
        self.page = PageWriter(paths.observer_page(process.state), ObserverPage)
        self.boot = hostclocks.boot_id()
        self.leaps = station_leaps(self.config)
        self.minute = Minute()
        self.scale: Scale | None = None
        self.seen = 0
        self.ends = (0, 0)
        self.told: int | None = None

    def run(self) -> None:
        """Look, judge, renew or not, until told to stop."""
        key = {"name": "observer", "purpose": "verdicts", "vkey": self.key.verifier.vkey}
        known = self.reader.find_stream_tail(KEY_STREAM)
        if known is None or known.payload != canonical.encode(key):
            Say(self.process, KEY_STREAM, "key").now(key, patience_s=30.0)
        while not self.process.stop.is_set():
            verdict, words = self.look()
            self.renew(verdict)
            state = "granted" if verdict == NOTHING_FOUND else "withheld"
            self.lease.on_change({"lease": "observer", "state": state, "why": words or WORDS[verdict]})
            self.tell(verdict, words)
            self.process.sleep(self.config.observer.interval_s)

    def look(self) -> tuple[int, str]:
        """Measure the output, ask every address we serve on, and judge both: verdict and findings."""
        self._read_scale()
        tai_ns, compared = self.counter.compare()
        verdict, words, residual_s = judge(tai_ns, compared, self.scale, self.config)
        self.minute.epochs.append(str(tai_ns))
        self.minute.rows.append(compared)
        self.minute.residuals.append(residual_s)
        findings = [words] if words else []
        for address in self.config.ntp.listen:
            answered, finding = self._ask(address)
            verdict = gravest(verdict, answered)
            if finding:
                findings.append(finding)
        return verdict, "; ".join(findings)

    def renew(self, verdict: int) -> None:
        """Renew the lease, end it when something is found, let it run out while nothing can be judged."""
        if verdict == NOTHING_FOUND:
            length = int(self.config.lease.observer_s * 1e9)
            self.ends = (hostclocks.raw_ns() + length, hostclocks.boottime_ns() + length)
        elif verdict == FOUND:
            self.ends = (0, 0)
        self.page.write(ObserverPage(self.boot.words, *self.ends, verdict))

    def tell(self, verdict: int, words: str) -> None:
        """Have the minute's readings and verdict recorded, signed; at once when the verdict changes."""
        before = self.say.last_said
        payload = sign_batch(self.minute.batch(self.config.output.clock, verdict, words), self.key)
        if verdict != self.told:
            self.say.now(payload)
        else:
            self.say.every(self.config.observer.verdict_every_s, payload)
        if self.say.last_said != before:
            self.told = verdict
            self.minute = Minute()
        elif len(self.minute.epochs) > MOST_LOOKS:
            self.minute = Minute()

    def _ask(self, address: str) -> tuple[int, str]:
        """What an answer from one of our addresses says; an answer that does not come says nothing."""
        try:
            answer = ask(address, self.counter.tai_ns, self.leaps)
        except ReplyUnusable as unusable:
            return CANNOT_JUDGE, str(unusable)
        if answer.in_sync:
            self.minute.offsets.append(answer.offset_s)
        finding = judge_answer(answer, self.config.observer.reply_limit_s)
        return (FOUND if finding else NOTHING_FOUND), finding

    def _read_scale(self) -> None:
        size = self.reader.size()
        if size == self.seen:
            return
        entry = newest_entry(self.reader, "scale", TIMEKEEPING)
        self.seen = size
        if entry is not None and entry.payload is not None:
            self.scale = scale_of(canonical.decode(entry.payload))


def _fs(x_s: float | None) -> str | None:
    return str(round(x_s * 1e15)) if x_s is not None and math.isfinite(x_s) else None


def work(process: Process) -> None:
    """Run until told to stop."""
    from timeball.station.instruments.registry import make_observer_counter

    Observer(process, make_observer_counter(process.config, process.state)).run()


if __name__ == "__main__":
    sys.exit(run_process("observer", work))
