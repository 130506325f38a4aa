"""The publisher: brings the log's head to its witnesses. `python -m timeball.station.publisher --state DIR`.

Started only when `ledger.policy` is set. It submits the newest head to every witness while there are new entries,
keeps the newest one with a quorum in STATE/ledger/checkpoint.cosigned, and records when the quorum goes missing and
when it is back. It holds no state of its own: killed and started again, it asks the witnesses what they hold.
It withdraws nothing; what follows from a missing quorum is decided by whoever reads the ledger.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from timeball.ledger import canonical
from timeball.ledger.errors import LedgerError
from timeball.ledger.note import NoteKey
from timeball.ledger.quorum import Policy
from timeball.station import paths
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.recording.newest import newest_entry
from timeball.station.recording.recorder_client import LedgerFull, RecorderClient, RecorderUnavailable
from timeball.station.recording.say import QUICK_S, Say
from timeball.station.supervision.files import write_atomically
from timeball.station.supervision.process import CannotStartError, Process, run_process
from timeball.station.witnessing.board import Board
from timeball.station.witnessing.client import WitnessClient
from timeball.station.witnessing.errors import ForkFound, WitnessError
from timeball.station.witnessing.heads import MAX_FORKS
from timeball.station.witnessing.locallog import LocalLog, SignedHead
from timeball.station.witnessing.policyfile import by_url, read_policy
from timeball.station.witnessing.standing import COSIGNED, quorum_words, state_of, table, why_of
from timeball.station.witnessing.submitting import Submitter

STREAM, KIND = "witness", "witnessing"
TURN_S = 0.25
FIRST_RETRY_S = 0.5
TIMEOUT_S = 10.0
# the fold believes the last statement for two hours (rules.witnessed_within_s)
REPEAT_S = 1800.0


class Publisher:
    """Submits the heads of one state folder under one policy."""

    def __init__(self, process: Process, policy: Policy, log: LocalLog, key: NoteKey) -> None:
        self.process, self.policy, self.log = process, policy, log
        self.settings = process.config.ledger
        self.reader = LedgerReader(process.state)
        self.board = Board(policy, key, _cosigned_size(process.state, policy, key))
        self.say = Say(process, STREAM, KIND)
        self.recorded = _recorded_state(self.reader)
        self.quorum_met = False
        self._offered: SignedHead | None = None
        self._due = float("-inf")
        self._shown = b""
        self._unwritten: bytes | None = None
        self._said_at = time.monotonic()

    def run(self) -> None:
        """Publish until told to stop."""
        clients = [(WitnessClient(url, TIMEOUT_S), found) for url, found in by_url(self.policy).items()]
        submitters = [Submitter(client, found, self.log) for client, found in clients]
        threads = [threading.Thread(target=self.follow, args=(one,), daemon=True) for one in submitters]
        for thread in threads:
            thread.start()
        while not self.process.sleep(TURN_S):
            try:
                self.turn(time.monotonic())
            except OSError as error:  # a full disk: what is not written now is written when there is space
                self.process.log.warning("not written: %s", error)
        self.board.close()

    def turn(self, now: float) -> None:
        """Offer a new head when it is due, keep what has its quorum, record what is to be said of the state."""
        head = self.log.newest()
        if head is None or head.size == 0:
            return
        if now >= self._due and (self._offered is None or head.size > self._offered.size):
            self._offered, self._due = head, now + self.settings.publish_every_s
            self.board.offer(head)
        self._unwritten = self.board.take_note() or self._unwritten
        if self._unwritten is not None:
            write_atomically(paths.cosigned_checkpoint(self.process.state), self._unwritten, durable=True)
            self._unwritten, self.quorum_met = None, True
        self._record(head, now)
        self._show(now)

    def follow(self, submitter: Submitter) -> None:
        """Bring head after head to one witness, until the process is told to stop."""
        done, retry_s = 0, FIRST_RETRY_S
        while not self.process.stop.is_set():
            head = self.board.wait(done, 1.0)
            if head is None:
                continue
            if self._submitted(submitter, head):
                done, retry_s = head.size, FIRST_RETRY_S
            else:
                self.process.sleep(retry_s)
                retry_s = min(2 * retry_s, self.settings.publish_every_s)

    def _submitted(self, submitter: Submitter, head: SignedHead) -> bool:
        try:
            lines = submitter.submit(head)
        except ForkFound as fork:
            self._keep_fork(fork)
            self.board.failed(submitter.names, fork.reason, fork=True)
            self.process.log.error("FORK: %s", fork)
        except (WitnessError, LedgerError, OSError) as error:
            self.board.failed(submitter.names, error.reason if isinstance(error, WitnessError) else str(error))
            self.process.log.warning("%s", error)
        except Exception as error:
            # a bug met with one witness must not silence the others, nor end in a loop of restarts
            self.board.failed(submitter.names, f"{type(error).__name__}: {error}")
            self.process.log.exception("submitting to %s", submitter.url)
        else:
            self.board.cosigned(head.size, lines, time.monotonic())
            return True
        return False

    def _record(self, head: SignedHead, now: float) -> None:
        states, limit_s = self.board.states(), self.settings.cosign_within_s
        state = state_of(states, self.board.age(head.size, now), limit_s, quorum_met=self.quorum_met)
        if state is None or (state == self.recorded and now - self._said_at < REPEAT_S):
            return
        why, size = why_of(states, self.policy, state, limit_s), self.board.cosigned_size
        oldest = min(size, head.size - 1) if state != COSIGNED else size - 1
        since = next(iter(self.reader.envelopes(oldest, oldest + 1)))[1].time_ns
        if self.say.now({"state": state, "size": size, "since": str(since), "why": why}):
            if state != self.recorded:
                self.process.log.warning("%s: %s", state, why)
            self.recorded, self._said_at = state, now

    def _show(self, now: float) -> None:
        """Write the table for the status, when it has changed."""
        states = self.board.states()
        shown: dict[str, Any] = {
            "quorum": quorum_words(self.policy),
            "size": self.board.cosigned_size,
            "witnesses": table(states, now, time.time()),
        }
        seen = json.dumps([shown["size"], [(each.name, each.size, each.at, each.why) for each in states]]).encode()
        if seen != self._shown:
            write_atomically(paths.witnesses_file(self.process.state), json.dumps(shown, indent=2).encode() + b"\n")
            self._shown = seen

    def _keep_fork(self, fork: ForkFound) -> None:
        path = paths.forks_dir(self.process.state) / hashlib.sha256(fork.note).hexdigest()[:16]
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            # a witness may dress up one such head in any number of ways
            if not path.exists() and len(list(path.parent.iterdir())) < MAX_FORKS:
                write_atomically(path, fork.note, durable=True)
        except OSError as error:
            self.process.log.error("the evidence of a fork could not be kept: %s", error)


def _recorder_answers(state: Path) -> bool:
    try:
        with RecorderClient(state, STREAM, timeout_s=QUICK_S) as recorder:
            recorder.next_seq()
    except (RecorderUnavailable, LedgerFull):
        return False
    return True


def _cosigned_size(state: Path, policy: Policy, key: NoteKey) -> int:
    """Entries under the head that stands cosigned on the disk; 0 when it does not meet this policy."""
    try:
        return policy.check(paths.cosigned_checkpoint(state).read_bytes(), [key]).checkpoint.size
    except (OSError, LedgerError):
        return 0


def _recorded_state(reader: LedgerReader) -> str | None:
    entry = newest_entry(reader, KIND, STREAM)
    return None if entry is None else str(canonical.decode(entry.payload or b"")["state"])


def work(process: Process) -> None:
    """The process: wait for the recorder, then publish.

    A recorder that answers has brought its journal under a head. The head before that, cosigned now, would have a
    witness say that what the journal held since before a power cut was not there yet: an auditor would call it
    back-dated.
    """
    policy, log = read_policy(process.config.ledger.policy), LocalLog(process.state)
    while (key := log.verifier()) is None or not _recorder_answers(process.state):
        if process.sleep(TURN_S):
            return
    if policy.logs and key.vkey not in {each.verifier.vkey for each in policy.logs}:
        raise CannotStartError(f"ledger.policy: its logs are of others; this station's is {key.vkey}")
    Publisher(process, policy, log, key).run()


if __name__ == "__main__":
    sys.exit(run_process("publisher", work))
