"""What the ledger is told of the cookie keys: their numbers, each time they change. Never a key.

A thread of its own, because recording may wait and keys must not: the keys in use are a fact, whether or not it could
be recorded yet. What could not be recorded is recorded later, and after a restart what differs from the last entry.
"""

from __future__ import annotations

import threading
from typing import Any

from timeball.ledger import canonical
from timeball.ledger.errors import LedgerError
from timeball.station.nts.keyfile import KeySet
from timeball.station.recording.errors import StoreError
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.newest import newest_entry
from timeball.station.recording.say import Say
from timeball.station.supervision.process import Process

STREAM, KIND = "keyexchange", "cookiekeys"
FIRST_AGAIN_S, LONGEST_AGAIN_S = 0.5, 60.0
Payload = dict[str, Any]


def key_payload(keys: KeySet, why: str) -> Payload:
    """The entry: which keys there are, by number."""
    return {
        "current": keys.current.id,
        "next": None if keys.next is None else keys.next.id,
        "older": [key.id for key in keys.older],
        "source": keys.source,
        "why": why,
    }


class KeySayer:
    """Records sets of keys in the order they came; begins by asking the ledger what was said last."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._say = Say(process, STREAM, KIND)
        self._changed = threading.Condition()
        self._due: list[Payload] = []
        self._last: Payload | None = None
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)

    def start(self) -> None:
        """Begin to record."""
        self._thread.start()

    def tell(self, keys: KeySet, why: str) -> None:
        """Have these keys recorded, unless they are what was recorded last."""
        with self._changed:
            self._due.append(key_payload(keys, why))
            self._changed.notify()

    def _run(self) -> None:
        self._last = self._recorded()
        again_s = FIRST_AGAIN_S
        while not self._process.stop.is_set():
            with self._changed:
                if not self._changed.wait_for(lambda: bool(self._due), 1.0):
                    continue
                first = self._due[0]
            if _same(first, self._last) or self._record(first):
                with self._changed:
                    self._last = first
                    self._due.pop(0)
                again_s = FIRST_AGAIN_S
            else:
                self._process.sleep(again_s)
                again_s = min(2 * again_s, LONGEST_AGAIN_S)

    def _record(self, payload: Payload) -> bool:
        try:
            return self._say.now(payload)
        except StoreError as error:
            self._process.log.error("the keys' numbers were not recorded: %s", error)
            return False

    def _recorded(self) -> Payload | None:
        try:
            entry = newest_entry(LedgerReader(self._process.state), KIND, STREAM)
        except (OSError, LedgerError, StoreError):
            return None  # no ledger yet
        return None if entry is None else dict(canonical.decode(entry.payload or b"{}"))


def _same(one: Payload, other: Payload | None) -> bool:
    """Whether two entries say the same of the keys; why they were said is no matter."""
    return other is not None and all(one[name] == other.get(name) for name in one if name != "why")
