"""What the publisher knows between its threads: the head to be cosigned, who has cosigned what, who failed and why.

One thread a witness takes the newest head from here and brings back cosignatures, so that a slow one delays nobody;
the main thread sets the head and asks how things stand. It does no I/O and reads no clock: `now` is monotonic seconds.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from timeball.ledger.cosignature import add_cosignatures
from timeball.ledger.errors import LedgerError
from timeball.ledger.note import NoteKey
from timeball.ledger.policy import Policy
from timeball.station.witnessing.locallog import SignedHead

KEPT_HEADS = 32
KEPT_AGES = 1024
MAX_WHY = 300


@dataclass(frozen=True, slots=True)
class WitnessState:
    """How one witness of the policy does: the largest head it cosigned, when (monotonic s), and what is wrong."""

    name: str
    url: str | None
    size: int = 0
    at: float | None = None
    why: str = ""
    fork: bool = False


@dataclass(slots=True)
class _Pending:
    head: SignedHead
    lines: dict[str, str] = field(default_factory=dict)


class Board:
    """Heads and cosignatures under one policy; safe to use from several threads."""

    def __init__(self, policy: Policy, log: NoteKey, cosigned_size: int = 0) -> None:
        self.policy = policy
        self.cosigned_size = cosigned_size
        self._log = log
        self._changed = threading.Condition()
        self._pending: OrderedDict[int, _Pending] = OrderedDict()
        self._target: SignedHead | None = None
        self._note: bytes | None = None
        self._ages: deque[tuple[float, int]] = deque()
        self._states = {
            name: WitnessState(name, witness.url, why="" if witness.url else "the policy names no URL")
            for name, witness in policy.witnesses.items()
        }
        self._closed = False

    def offer(self, head: SignedHead) -> None:
        """Set the head that every witness shall cosign next."""
        with self._changed:
            self._target = head
            self._pending[head.size] = _Pending(head)
            while len(self._pending) > KEPT_HEADS:
                self._pending.popitem(last=False)
            self._judge(self._pending[head.size])  # a policy may ask for nobody
            self._changed.notify_all()

    def wait(self, done_size: int, timeout_s: float) -> SignedHead | None:
        """The head to be cosigned when it is larger than `done_size`; waits for it, None when there is none in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._due(done_size), timeout_s)
            return self._target if self._due(done_size) and not self._closed else None

    def close(self) -> None:
        """Wake everybody who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def cosigned(self, size: int, lines: Mapping[str, str], now: float) -> None:
        """Take verified signature lines, by witness, for the head of that size."""
        with self._changed:
            for name in lines:
                self._states[name] = replace(self._states[name], size=size, at=now, why="", fork=False)
            pending = self._pending.get(size)
            if pending is not None:
                pending.lines.update(lines)
                self._judge(pending)

    def failed(self, names: list[str], why: str, *, fork: bool = False) -> None:
        """Note why the witnesses of one URL did not cosign; a fork stays known until they cosign again."""
        words = "".join(character for character in why if character.isprintable())[:MAX_WHY]
        with self._changed:
            for name in names:
                known = self._states[name]
                self._states[name] = known if known.fork and not fork else replace(known, why=words, fork=fork)

    def take_note(self) -> bytes | None:
        """The newest head with its quorum, once."""
        with self._changed:
            note, self._note = self._note, None
            return note

    def states(self) -> list[WitnessState]:
        """How each witness does, in the order of the policy."""
        with self._changed:
            return list(self._states.values())

    def age(self, size: int, now: float) -> float:
        """Take in that the log has `size` entries now; how long the oldest without a quorum have been known (s)."""
        with self._changed:
            while self._ages and self._ages[0][1] <= self.cosigned_size:
                self._ages.popleft()
            newest = self._ages[-1][1] if self._ages else self.cosigned_size
            if size > newest and len(self._ages) < KEPT_AGES:
                self._ages.append((now, size))
            return now - self._ages[0][0] if self._ages else 0.0

    def _due(self, done_size: int) -> bool:
        return self._target is not None and self._target.size > done_size

    def _judge(self, pending: _Pending) -> None:
        if pending.head.size < self.cosigned_size or not self.policy.satisfied(pending.lines):
            return
        try:
            note = add_cosignatures(pending.head.note, pending.lines.values())
            self.policy.check(note, [self._log])
        except LedgerError:
            return  # a note that has grown too long; the next head is another chance
        self._note, self.cosigned_size = note, pending.head.size
