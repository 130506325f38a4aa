"""What other hands are given: the spread of samples for chronyd, what a chronyd makes of them, the cost of a turn.

Served UTC is the host's REALTIME for the time of the measurement, so the true offset is what it changes by in a second
or two: a straight line is taken off the samples.
"""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench import Figure, Skip
from bench.ntp_servers import HostClock, chronyd, free_port, has_chronyd
from timeball.station.configuration.outputs import PHC, ChronySock
from timeball.station.feeding.chronyd import Chronyd
from timeball.station.feeding.chronydview import read_chronyd
from timeball.station.feeding.chronysock import ChronySockFeed
from timeball.station.feeding.phc import PHCFeed
from timeball.station.feeding.served import ClockView
from timeball.station.hosttime.hostclocks import boot_id
from timeball.station.page.feedpage import Outcome

ROOM = "outputs"
SAMPLES, APART_S = 1000, 0.002
MOST_SPREAD_NS, MOST_TURN_US, MOST_ERROR_NS = 1000.0, 1000.0, 500.0
FED_S = 4.0
CARD_TURNS = 60


def figures() -> Iterator[Figure | Skip]:
    """Give the spread and cost of samples, chronyd's error of what it is fed, and how a simulated card follows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clock, view = HostClock(folder), ClockView(folder, boot_id())
        spread_ns, turn_us = samples(folder, view)
        yield told("samples for chronyd, p5 to p95", spread_ns, "ns", MOST_SPREAD_NS)
        yield told("processor time of a turn", turn_us, "us", MOST_TURN_US)
        if has_chronyd():
            yield told("offset that chronyd finds, less what was fed", fed(folder, view), "ns", MOST_ERROR_NS)
        else:
            yield Skip("offset that chronyd finds", "no chronyd, or not root")
        yield told("simulated PTP clock against TAI, rms", card(folder, clock, view), "ns", MOST_SPREAD_NS)


def told(name: str, value: float, unit: str, most: float) -> Figure:
    """A figure with an upper limit."""
    return Figure(name, ROOM, value, unit, target=f"< {most:g} {unit}", ok=value < most)


def samples(folder: Path, view: ClockView) -> tuple[float, float]:
    """The spread of the offsets that are sent (ns), and the processor time of a turn (us)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(folder / "samples"))
        feed = ChronySockFeed(ChronySock(path=str(folder / "samples")))
        offsets = np.empty(SAMPLES)
        cost_s = 0.0
        for i in range(SAMPLES):
            begun = time.process_time()
            _, _, offset_s = feed.turn(view)
            cost_s += time.process_time() - begun
            offsets[i] = np.nan if offset_s is None else offset_s
            receiver.recv(64)
            time.sleep(APART_S)
        feed.close()
    places = np.arange(SAMPLES)
    rest = offsets - np.polyval(np.polyfit(places, offsets, 1), places)
    low, high = np.percentile(rest, [5, 95])
    return float(high - low) * 1e9, cost_s / SAMPLES * 1e6


def fed(folder: Path, view: ClockView) -> float:
    """|what chronyd says of the system clock − what it was fed| (ns), after some seconds."""
    place = folder / "chronyd"
    place.mkdir(mode=0o700)
    core = min(os.sched_getaffinity(0))
    clock = f"refclock SOCK {place}/utc.sock refid UTCk poll -2 filter 4 precision 1e-9 delay 1e-9 trust"
    with chronyd(place, free_port(), core, (clock,)):
        feed = ChronySockFeed(ChronySock(path=str(place / "utc.sock"), every_s=0.1))
        offsets = []
        until = time.monotonic() + FED_S
        while time.monotonic() < until:
            outcome, _, offset_s = feed.turn(view)
            if outcome is Outcome.GIVEN and offset_s is not None:
                offsets.append(offset_s)
            time.sleep(feed.every_s)
        feed.close()
        with Chronyd(str(place / "sock")) as asked:
            found_s = -read_chronyd(asked).tracking.system_minus_ntp_s
    return abs(found_s - float(np.median(offsets[-10:]))) * 1e9


def card(folder: Path, clock: HostClock, view: ClockView) -> float:
    """How far a simulated card with a rate of its own is from TAI (ns, rms), after it has settled."""
    clock.renew()
    feed = PHCFeed(PHC(device="simulated:bench", every_s=0.1), folder, 0)
    offsets = []
    for _ in range(CARD_TURNS):
        _, _, offset_s = feed.turn(view)
        offsets.append(np.nan if offset_s is None else offset_s)
        time.sleep(feed.every_s)
    feed.close()
    return float(np.sqrt(np.mean(np.square(offsets[CARD_TURNS // 2 :])))) * 1e9
