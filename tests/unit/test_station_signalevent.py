"""An event set from signal handlers: never lost, never a deadlock, and otherwise what threading.Event is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

from timeball.station.supervision.signalevent import SignalEvent

# A second process sends thousands of signals a second while this one waits and clears; it ends when it has seen enough.
STORM = """
import os, signal, subprocess, sys
from timeball.station.supervision.signalevent import SignalEvent
event, seen = SignalEvent(), 0
def handler(*_):
    global seen
    seen += 1
    event.set()
signal.signal(signal.SIGUSR1, handler)
code = "import os, sys, time\\nwhile True: os.kill(int(sys.argv[1]), 10); time.sleep(1e-4)"
storm = subprocess.Popen([sys.executable, "-c", code, str(os.getpid())])
try:
    while seen < 10000:
        event.wait(0.25)
        event.clear()
finally:
    storm.kill()
    storm.wait()
print("done")
"""

# A signal comes before every line of `set` and `clear`; an alarm tells when its handler never comes back.
INTERRUPTED = """
import signal, sys, threading
from timeball.station.supervision.signalevent import SignalEvent
kind = {"ours": SignalEvent, "threading": threading.Event}[sys.argv[1]]
event = kind()
def alarmed(*_):
    sys.exit(print("stuck"))
def every_line(frame, happened, _):
    if happened == "line":
        signal.raise_signal(signal.SIGUSR1)
    return every_line
signal.signal(signal.SIGUSR1, lambda *_: event.set())
signal.signal(signal.SIGALRM, alarmed)
signal.setitimer(signal.ITIMER_REAL, 5.0)
sys.settrace(every_line)
event.set()
event.clear()
sys.settrace(None)
print("done")
"""


def interrupted(kind: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", INTERRUPTED, kind], capture_output=True, text=True, timeout=60.0, check=False
    ).stdout


def storm(patience_s: float) -> str:
    process = subprocess.Popen(
        [sys.executable, "-c", STORM],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        return process.communicate(timeout=patience_s)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return "stuck"


def test_a_storm_of_signals_ends() -> None:
    assert storm(60.0) == "done\n"


def test_a_signal_at_every_line_ends() -> None:
    assert interrupted("ours") == "done\n"


def test_the_plain_event_waits_for_itself() -> None:
    """The control: a handler that comes while the lock is held waits for what it interrupted."""
    assert interrupted("threading") == "stuck\n"


def test_it_is_an_event() -> None:
    event = SignalEvent()
    assert not event.is_set()
    begun = time.monotonic()
    assert not event.wait(0.05)
    assert time.monotonic() - begun >= 0.05
    event.set()
    assert event.wait(0.0)
    assert event.wait(None)
    event.clear()
    assert not event.wait(0.0)
    for _ in range(100_000):
        event.set()
    assert event.wait()
    event.clear()
    assert not event.wait(0.0)


def test_it_wakes_every_thread() -> None:
    event, woken = SignalEvent(), []
    threads = [threading.Thread(target=lambda: woken.append(event.wait(20.0))) for _ in range(4)]
    for thread in threads:
        thread.start()
    event.set()
    for thread in threads:
        thread.join(20.0)
    assert woken == [True] * 4
