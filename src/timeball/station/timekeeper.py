"""The timekeeper: follows the ledger, records the decisions of the fold, writes the clock page, renews the first lease.

It renews while scale, ledger and output agree; when they do not, or when this process stands still, nobody renews and
the lease runs out by itself. A recorder that cannot write (a full disk) stops new steers and lets the bound grow; it
does not by itself end the lease. Orders to the output go through the ledger, never by a call.
"""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import replace
from itertools import islice
from typing import Any

from timeball.integrity.host_counter import CounterUnknown
from timeball.station import paths
from timeball.station.fold.follow import Follower
from timeball.station.fold.rules import RulesUnknown
from timeball.station.fold.timekeeping import CONFIG, DOUBT, STREAM, Decision
from timeball.station.fold.upgrades import config_records, unheeded
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.realtime import station_leaps
from timeball.station.hosttime.timeofday import TimeOfDayUnknown, agreed_tai_ns, sources_of
from timeball.station.page.clockpage import PageReader, PageWriter, TimekeeperPage
from timeball.station.page.pagemaker import HostCounter, Moment, Statement, make_statement
from timeball.station.recording.awaiting import await_next_seq
from timeball.station.recording.recorder_client import LedgerFull, Record, RecorderClient, RecorderUnavailable
from timeball.station.recording.say import QUICK_S, Say
from timeball.station.supervision.process import CannotStartError, Process, run_process

POLL_S = 0.1
SERVED_EVERY_S = 60.0
MOST_AT_ONCE = 200
"""Decisions recorded between two looks at the lease, when there is much to catch up with."""


class Timekeeper:
    """One run of the timekeeper process; see the module's docstring."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.config = process.config
        self.counter = HostCounter()
        self.follower = Follower(process.state, self.counter.take)
        self.pending: deque[Decision] = deque()
        self.recorder = RecorderClient(process.state, STREAM, timeout_s=QUICK_S)
        self.recorded = 0
        self.lease = Say(process, "lease", "lease")
        self.served = Say(process, "served", "served")
        self.leaps = station_leaps(self.config)
        path = paths.timekeeper_page(process.state)
        self.before = PageReader(path, TimekeeperPage).read()
        self.page = PageWriter(path, TimekeeperPage)
        self.boot = hostclocks.boot_id()
        self.renewed: Moment | None = None
        self.trusted = False

    def run(self) -> None:
        """Wait for the recorder, catch up with the ledger, then go on until told to stop."""
        next_seq = await_next_seq(self.process, self.recorder)
        if next_seq is None:
            return
        self.recorded = next_seq - 1
        self._record_config()
        while not self.process.stop.is_set():
            self._decide()
            now = self._moment()
            if self.renewed is None or now.raw_ns - self.renewed.raw_ns >= self.config.lease.renew_s * 1e9:
                self._wake(now)
                self._renew(now)
            self.process.sleep(POLL_S)

    def _record_config(self) -> None:
        """A changed configuration is a recorded decision, made before anything is decided by it."""
        last = self.follower.config()
        try:
            due = config_records(self.config, last.payload if last is not None else None)
        except RulesUnknown as unknown:
            raise CannotStartError(str(unknown)) from unknown
        for sentence in unheeded(self.config, last.payload if last is not None else None):
            self.process.log.warning("%s", sentence)
        for record in due:
            said = Say(self.process, CONFIG, record.type, record.version).now(record.payload, patience_s=30.0)
            if not said and last is None:
                raise RecorderUnavailable("no configuration is recorded, so nothing can be decided")
            if not said:
                break
            if record.type == "upgrade":
                self.process.log.warning("the rules change from version %(from)s to %(to)s", record.payload)

    def _wake(self, now: Moment) -> None:
        """After a suspension nothing that RAW has carried counts: neither the counter's line nor the time of day."""
        if self.renewed is not None and now.slept_since(self.renewed):
            self.process.log.warning("the host was suspended: its counter is measured anew")
            self.counter.forget()
            self.trusted = False
        self.renewed = now

    def _decide(self) -> None:
        """Fold what is new and record what follows from it, some at a time; what is recorded already is passed over."""
        for decision in self.follower.take(MOST_AT_ONCE):
            if decision.seq > self.recorded:
                self.pending.append(decision)
                if decision.type == DOUBT:
                    self.process.log.warning("bulletin in entry %(bulletin)d: %(why)s", decision.payload)
        for complaint in self.follower.take_complaints():
            self.process.log.warning("not believed: %s", complaint)
        if self.pending:
            group = list(islice(self.pending, MOST_AT_ONCE))
            try:
                self.recorder.append_many(Record(one.type, one.version, one.payload, one.seq) for one in group)
            except (RecorderUnavailable, LedgerFull) as error:
                self.process.log.warning("%d decisions wait: %s", len(self.pending), error)
                return
            self.recorded = group[-1].seq
            for _ in group:
                self.pending.popleft()

    def _moment(self) -> Moment:
        return Moment(hostclocks.raw_ns(), hostclocks.boottime_ns(), self.boot.words, hostclocks.boot_name())

    def _renew(self, now: Moment) -> None:
        """Write the page; the lease goes with it only when there is no reason against."""
        try:
            statement = make_statement(
                self.follower.keeper, self.follower.residual_s, self.counter, now, self.config, self.leaps
            )
        except CounterUnknown as unknown:
            self.lease.on_change({"lease": "timekeeper", "state": "withheld", "why": str(unknown)})
            return
        against = statement.against or self._distrust(statement, now)
        page = statement.page
        if against:
            page = replace(page, lease_raw_ns=0, lease_boottime_ns=0)
        else:
            length = int(self.config.lease.timekeeper_s * 1e9)
            page = replace(page, lease_raw_ns=now.raw_ns + length, lease_boottime_ns=now.boottime_ns + length)
        self.page.write(page)
        why = against or "scale, ledger and output agree"
        self.lease.on_change({"lease": "timekeeper", "state": "withheld" if against else "granted", "why": why})
        self.served.every(SERVED_EVERY_S, served_payload(statement, now))

    def _distrust(self, statement: Statement, now: Moment) -> str:
        """Once a run: does the time of day agree with at least one other source? Empty when it does."""
        if self.trusted:
            return ""
        page = statement.page
        try:
            agreed = agreed_tai_ns(
                sources_of(self.config, self.process.state, self.before),
                now,
                self.leaps,
                self.config,
                self.follower.head_tai_ns,
            )
        except TimeOfDayUnknown as unknown:
            return str(unknown)
        ours = page.tai_ns + (now.raw_ns - page.raw_ns)
        if abs(ours - agreed) > self.config.time_of_day.tolerance_s * 1e9:
            return f"the output's second is {(ours - agreed) / 1e9:+.3f} s from the agreed time of day"
        self.trusted = True
        return ""


def served_payload(statement: Statement, now: Moment) -> dict[str, Any]:
    """What was served: enough to say later what UTC − served was, and what its bound rested on."""
    page = statement.page
    return {
        "boot_id": now.boot_name,
        "raw_ns": str(page.raw_ns),
        "tai_ns": str(page.tai_ns),
        "tai_frac_fs": page.tai_frac_fs,
        "rate": repr(page.rate),
        "bound_s": repr(statement.bound.at_reference_s),
        "bound_growth": repr(statement.bound.growth),
        "tai_minus_utc_s": page.tai_minus_utc_s + (page.leap_sign if 0 < page.leap_tai_ns <= page.tai_ns else 0),
        "utck_minus_utc_s": repr(statement.utck_minus_utc_s),
        "u_s": repr(statement.u_utc_s),
        "residual_s": repr(statement.residual_s),
        "against": statement.against,
    }


def work(process: Process) -> None:
    """Run until told to stop."""
    Timekeeper(process).run()


if __name__ == "__main__":
    sys.exit(run_process("timekeeper", work))
