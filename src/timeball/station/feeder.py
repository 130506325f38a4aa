"""The feeder process: `python -m timeball.station.feeder --state DIR`, started where `[[output]]` asks for it.

It reads the clock page as the servers do, both leases, and gives what stands there to other hands on this host: samples
to a chronyd, corrections to a PTP clock. While sync may not be claimed it gives nothing to anybody. It holds no keys,
reads no ledger, and writes one page of counts an output (page/feedpage.py).
"""

from __future__ import annotations

import sys
from pathlib import Path

from timeball.station.configuration.outputs import AnyOutput, ChronySock
from timeball.station.feeding.base import Account, Feed
from timeball.station.feeding.chronysock import ChronySockFeed
from timeball.station.feeding.phc import PHCFeed
from timeball.station.feeding.served import ClockView
from timeball.station.hosttime.hostclocks import boot_id, raw_ns
from timeball.station.supervision.process import Process, run_process

S = 1_000_000_000


def make_feed(settings: AnyOutput, state: Path, index: int) -> Feed:
    """The output of one `[[output]]`."""
    if isinstance(settings, ChronySock):
        return ChronySockFeed(settings)
    return PHCFeed(settings, state, index)


def feed_until_stopped(process: Process) -> None:
    """Give every output its turn when it is due, until the process is told to stop."""
    boot = boot_id()
    view = ClockView(process.state, boot)
    accounts = [
        Account(make_feed(settings, process.state, index), process.state, index, boot, process.log)
        for index, settings in enumerate(process.config.outputs)
    ]
    if process.config.simulated:
        process.log.warning("what is fed is simulated time: no clock that anybody needs may follow it")
    due = [raw_ns() for _ in accounts]
    try:
        while not process.sleep((min(due) - raw_ns()) / S):
            now = raw_ns()
            for index, account in enumerate(accounts):
                if due[index] <= now:
                    account.turn(view)
                    # a turn that was missed is not made up for
                    due[index] = max(due[index] + round(account.feed.every_s * S), now)
    finally:
        for account in accounts:
            account.close()


if __name__ == "__main__":
    sys.exit(run_process("feeder", feed_until_stopped))
