"""The restore rule: before a recorder signs anything it asks its witnesses for the newest head, and refuses to fork.

At the place where it last signed, silent witnesses do not hold it up. At another place (a copy, a restore, another
machine) the policy's quorum must have answered, unless the operator has said otherwise; and what was asked and answered
there is recorded as an entry `restore`. A log that is begun here, with a key that is made here, has nothing to ask.
It does not find out where the missing entries are: see `restoring`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from timeball.ledger import canonical
from timeball.ledger.note import NoteKey, parse_skey
from timeball.ledger.policy import Policy, parse_policy
from timeball.station.keeping.asking import Answer, ask_witnesses, expect_no_fork, has_quorum
from timeball.station.keeping.errors import WitnessesSilentError
from timeball.station.keeping.place import current_place, read_place, write_place
from timeball.station.recording.keys import key_path
from timeball.station.recording.recovery import LocalHead
from timeball.station.recording.store import NewEntry, Store

STREAM = "recorder"
RESTORE = "restore"
VERSION = 1
SAME_PLACE_TIMEOUT_S = 2.0
NEW_PLACE_TIMEOUT_S = 10.0
Ask = Callable[[Policy, NoteKey, float], list[Answer]]


class RestoreGuard:
    """The `guard` of one store: call it with the local head; afterwards `settle` records where the store is now."""

    def __init__(self, state: Path, policy: Policy | None, ask: Ask = ask_witnesses) -> None:
        self._state = state
        self._policy = policy if policy and policy.witnesses else None
        self._ask = ask
        self._known = read_place(state)
        self._founding = not key_path(state, "log").exists()
        self._answers: list[Answer] = []
        self._head_size = 0
        self._log = logging.getLogger("recorder")

    @property
    def moved(self) -> bool:
        """Whether this is not the place where the ledger was last signed."""
        if self._founding:
            return False
        return self._known is None or self._known.place != current_place(self._state)

    def __call__(self, head: LocalHead) -> None:
        """Judge the local head; raises WouldForkError and WitnessesSilentError, before anything is signed."""
        self._head_size = head.acknowledged
        if self._policy is None:
            if self.moved:
                self._log.warning("the ledger is at a new place, and no policy names witnesses who could be asked")
            return
        log = parse_skey(key_path(self._state, "log").read_text("ascii")).verifier
        timeout_s = NEW_PLACE_TIMEOUT_S if self.moved else SAME_PLACE_TIMEOUT_S
        self._answers = self._ask(self._policy, log, timeout_s)
        expect_no_fork(self._answers, head.acknowledged, head.root_at)
        if has_quorum(self._policy, self._answers):
            return
        silent = "; ".join(f"{answer.witness}: {answer.words()}" for answer in self._answers if not answer.counts)
        if self.moved and not self._waived:
            raise WitnessesSilentError(
                f"{self._state} was copied or restored, and too few witnesses say which head is the newest ({silent}); "
                "start again when they answer, or say `timeball ledger restore --without-witnesses`"
            )
        self._log.warning("too few witnesses were asked with success: %s", silent)

    @property
    def _waived(self) -> bool:
        return self._known is not None and self._known.unwitnessed

    def settle(self, store: Store, time_ns: int) -> None:
        """After a good start at a new place: record it as an entry, then in the place file."""
        moved = self.moved
        if moved:
            payload = canonical.encode(self.payload())
            store.append_many([NewEntry(STREAM, store.next_seq(STREAM), RESTORE, VERSION, payload)], time_ns)
            self._log.warning("the ledger of %d entries goes on at a new place", self._head_size)
        if moved or self._founding or self._known is None:
            write_place(self._state)

    def payload(self) -> dict[str, Any]:
        """The entry `restore`: what is known here, and what the witnesses said."""
        return {
            "from": self._known.place if self._known and self._known.place else None,
            "head_size": self._head_size,
            "place": current_place(self._state),
            "unwitnessed": self._waived,
            "witnesses": {
                answer.witness: {"size": _size(answer), "why_not": answer.why_not or None} for answer in self._answers
            },
        }


def _size(answer: Answer) -> int | None:
    if answer.head is not None:
        return answer.head.size
    return 0 if answer.counts else None


def load_policy(path: str) -> Policy | None:
    """The policy file of a configuration, None when it names none; raises PolicyError and OSError."""
    return parse_policy(Path(path).read_bytes()) if path else None
