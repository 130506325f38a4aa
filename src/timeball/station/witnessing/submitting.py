"""Bringing our log's head to one witness: the request with its proof, its answers, and what a refusal means.

A witness says which size it holds; the proof is made from there. When it refuses a head that we can prove, it is asked
for the head it holds: one that our own key has signed and that our log does not extend is a fork, whoever made it. A
witness that only says so proves nothing, and is one witness less.
"""

from __future__ import annotations

from collections.abc import Sequence

from timeball.ledger.checkpoint import Checkpoint, open_checkpoint
from timeball.ledger.errors import LedgerError
from timeball.ledger.note import parse_note
from timeball.ledger.policy import PolicyWitness
from timeball.ledger.witnessing import write_add_checkpoint
from timeball.station.witnessing.client import WitnessClient
from timeball.station.witnessing.errors import ForkFound, WitnessError, WitnessRefused, WitnessUnreachable
from timeball.station.witnessing.locallog import LocalLog, SignedHead

_TRIES = 3
_CONFLICT, _UNPROVEN = 409, 422


class Submitter:
    """Submits heads to the witness at one URL, whose keys are `witnesses` (one key, or one of each kind)."""

    def __init__(self, client: WitnessClient, witnesses: Sequence[PolicyWitness], log: LocalLog) -> None:
        self.url = client.url
        self.names = [witness.name for witness in witnesses]
        self.size = 0
        self._client, self._witnesses, self._log = client, witnesses, log

    def submit(self, head: SignedHead) -> dict[str, str]:
        """Get a head cosigned: the verified signature lines by the policy's name of the witness.

        Raises WitnessUnreachable, WitnessRefused, ForkFound; EvidenceError when our own tiles do not give the proof.
        """
        for _ in range(_TRIES):
            if self.size > head.size:
                raise self._refused(head, WitnessRefused(self.url, _CONFLICT, "it holds a larger tree", self.size))
            body = write_add_checkpoint(self.size, self._log.proof(self.size, head.size), head.note)
            try:
                lines = self._client.add_checkpoint(body)
            except WitnessRefused as refusal:
                if refusal.status == _CONFLICT and refusal.size not in (None, self.size):
                    self.size = refusal.size or 0
                    continue
                if refusal.status in (_CONFLICT, _UNPROVEN):
                    raise self._refused(head, refusal) from refusal
                raise
            self.size = head.size
            return self._verified(head, lines)
        raise WitnessUnreachable(self.url, "it names another size each time it is asked")

    def _verified(self, head: SignedHead, lines: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        try:
            for line in lines:
                [signature] = parse_note((head.checkpoint.text + "\n" + line).encode()).signatures
                for witness in self._witnesses:
                    if (signature.name, signature.key_id) == (witness.key.name, witness.key.key_id):
                        witness.key.verify_cosignature(head.checkpoint, signature.signature)
                        found[witness.name] = line
        except LedgerError as error:
            raise WitnessUnreachable(self.url, f"its cosignature does not hold: {error}") from error
        if not found:
            raise WitnessUnreachable(self.url, "it cosigned with other keys than the policy's")
        return found

    def _refused(self, head: SignedHead, refusal: WitnessRefused) -> WitnessError:
        """What a refusal means; gives the error to raise."""
        self.size = 0  # asked anew next time, whatever it shows: a witness may have been given a new folder
        note = self._client.newest(head.checkpoint.origin)
        # read after the witness's, or a head that another process of ours has just submitted would look like a fork
        verifier, newest = self._log.verifier(), self._log.newest()
        if note is None or verifier is None or newest is None:
            return refusal
        try:
            theirs = open_checkpoint(note, verifier)
        except LedgerError as error:
            return WitnessUnreachable(self.url, f"{refusal.words}; and it shows no head of ours: {error}")
        words = self._contradiction(theirs, newest)
        return ForkFound(self.url, words, note) if words else refusal

    def _contradiction(self, theirs: Checkpoint, ours: SignedHead) -> str:
        """How a head that our key has signed contradicts our log; empty when it does not."""
        if theirs.size > ours.size:
            return f"it holds a head of {theirs.size} entries signed by our key, and our log has only {ours.size}"
        if self._log.root(theirs.size, ours.size) != theirs.root:
            return f"it holds a head of {theirs.size} entries signed by our key, with another history than our log's"
        return ""
