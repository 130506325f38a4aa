"""A lease that ends while a sample is being made: what was read after its end is never given to anybody."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
from handpages import HandPages, S

from timeball.station.configuration.outputs import ChronySock
from timeball.station.feeding.chronysock import ChronySockFeed
from timeball.station.feeding.served import ClockView
from timeball.station.hosttime.hostclocks import boot_id, raw_ns
from timeball.station.page.feedpage import Outcome

TURNS = 600
LONGEST_S = 2e-3


def test_no_sample_is_read_after_the_end_of_either_lease(tmp_path: Path) -> None:
    """Leases so short that they end before, during and after a turn; which of the two ends is drawn."""
    rng = np.random.default_rng(6)
    pages, view = HandPages(tmp_path), ClockView(tmp_path, boot_id())
    feed = ChronySockFeed(ChronySock(path=str(tmp_path / "clk.sock")))
    outcomes = dict.fromkeys(Outcome, 0)
    received = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as chronyd:
        chronyd.bind(str(tmp_path / "clk.sock"))
        chronyd.setblocking(False)
        for first, left_s in zip(rng.random(TURNS) < 0.5, rng.random(TURNS) * LONGEST_S, strict=True):
            before_ns = raw_ns()
            pages.lease(*((left_s, 3600) if first else (3600, left_s)))
            latest_end_ns = raw_ns() + round(left_s * S)
            outcome, served, _ = feed.turn(view)
            outcomes[outcome] += 1
            try:
                chronyd.recv(64)
                received += 1
            except BlockingIOError:
                assert outcome is not Outcome.GIVEN
                continue
            assert before_ns < served.raw_ns < latest_end_ns
    feed.close()
    pages.close()
    assert outcomes[Outcome.WITHHELD] > 20
    assert outcomes[Outcome.GIVEN] == received > 20
