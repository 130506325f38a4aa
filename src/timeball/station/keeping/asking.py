"""Asking every witness of a policy at once for the newest head it knows of a log, and judging the answers.

A head counts when the log's own key signed it: then somebody has seen it, whoever shows it. An answer counts towards
the quorum only when the witness cosigned that head, or says that it knows no such log (size 0). A "not found" bears no
signature, so over plain http whoever sits between can say it: use https, or a quorum.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from timeball.ledger.checkpoint import Checkpoint, open_checkpoint
from timeball.ledger.errors import LedgerError
from timeball.ledger.note import NoteKey, parse_note
from timeball.ledger.quorum import Policy, PolicyWitness
from timeball.station.keeping.errors import WouldForkError
from timeball.station.witnessing.client import WitnessClient
from timeball.station.witnessing.errors import WitnessError


@dataclass(frozen=True, slots=True)
class Answer:
    """What one witness said: a head (None: it knows no such log, or said nothing of use), and why it does not count."""

    witness: str
    head: Checkpoint | None = None
    why_not: str = ""

    @property
    def counts(self) -> bool:
        """Whether the witness has answered."""
        return not self.why_not

    def words(self) -> str:
        """For a log line or a payload."""
        if self.why_not:
            return self.why_not
        return f"{self.head.size if self.head else 0} entries"


def ask_witnesses(policy: Policy, log: NoteKey, timeout_s: float) -> list[Answer]:
    """The answers of all witnesses of a policy, by name, within the timeout."""
    witnesses = sorted(policy.witnesses.values(), key=lambda witness: witness.name)
    if not witnesses:
        return []
    with ThreadPoolExecutor(len(witnesses), "witness") as pool:
        return list(pool.map(lambda witness: _ask(policy, witness, log, timeout_s), witnesses))


def expect_no_fork(answers: list[Answer], size: int, root_at: Callable[[int], bytes]) -> None:
    """Raise WouldForkError when a head was shown that a tree of `size` entries does not reach, or contradicts.

    `root_at(n)` gives the root of its first n entries. The largest head that is out of reach is named.
    """
    shown = sorted((answer for answer in answers if answer.head), key=_size, reverse=True)
    for answer in shown:
        if _size(answer) > size:
            seen = f"witness {answer.witness} has seen a signed head of {_size(answer)} entries"
            lost = f"entries {size} to {_size(answer) - 1} are not in this copy"
            raise WouldForkError(
                answer.witness, _size(answer), size, f"{seen}, and only {size} are here: {lost}; get them from a mirror"
            )
    for answer in shown:
        if answer.head and root_at(answer.head.size) != answer.head.root:
            seen = f"witness {answer.witness} has seen another head of {answer.head.size} entries"
            raise WouldForkError(
                answer.witness, answer.head.size, size, f"{seen}: this ledger was written anew, and would be a fork"
            )


def has_quorum(policy: Policy, answers: list[Answer]) -> bool:
    """Whether the witnesses that answered make the policy's quorum."""
    return policy.satisfied({answer.witness for answer in answers if answer.counts})


def _size(answer: Answer) -> int:
    return answer.head.size if answer.head else 0


def _ask(policy: Policy, witness: PolicyWitness, log: NoteKey, timeout_s: float) -> Answer:
    if witness.url is None:
        return Answer(witness.name, None, "the policy names no address of it")
    try:
        client = WitnessClient(witness.url, timeout_s)
        note = client.newest(log.name)
    except (WitnessError, ValueError) as error:
        return Answer(witness.name, None, str(error))
    if note is None:
        return Answer(witness.name)
    return judge_answer(policy, witness, log, note)


def judge_answer(policy: Policy, witness: PolicyWitness, log: NoteKey, note: bytes) -> Answer:
    """What a note shown by a witness is worth."""
    shown = urlsplit(witness.url or "").netloc
    try:
        head = open_checkpoint(note, log)
    except LedgerError as error:
        return Answer(witness.name, None, f"what it shows at {shown} is no head of this log: {error}")
    try:
        times = policy.cosignature_times(parse_note(note))
    except LedgerError as error:
        return Answer(witness.name, head, f"its cosignature does not verify: {error}")
    return Answer(witness.name, head, "" if witness.name in times else "it shows a head that it has not cosigned")
