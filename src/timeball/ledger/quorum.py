"""What a trust policy demands (C2SP tlog-policy): known logs, known witnesses, and the quorum that must have cosigned.

`Policy.check` takes a signed checkpoint and counts only cosignatures that verify. It does not ask how old they are, it
keeps no state, and it reads no policy files (see `policy`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from timeball.ledger.checkpoint import Checkpoint, parse_checkpoint_text
from timeball.ledger.cosignature import CosignerKey
from timeball.ledger.errors import PolicyError, QuorumError
from timeball.ledger.note import Note, NoteKey, parse_note, verify_signatures

NO_QUORUM = "none"


@dataclass(frozen=True, slots=True)
class PolicyLog:
    """A log whose checkpoints count; the name of its key is the log's origin."""

    verifier: NoteKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyWitness:
    """A witness; `name` is the policy's own name for it, `url` its submission prefix."""

    name: str
    key: CosignerKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyGroup:
    """A group has witnessed a checkpoint when at least `threshold` of its members (witnesses, groups) have."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CosignedCheckpoint:
    """A checkpoint that a policy accepted: the log's key, and the time (POSIX s) of each witness, by policy name."""

    checkpoint: Checkpoint
    log: NoteKey
    times: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Policy:
    """Known logs, witnesses and groups (each group after its members), and the name that must have witnessed."""

    logs: tuple[PolicyLog, ...]
    witnesses: Mapping[str, PolicyWitness]
    groups: Mapping[str, PolicyGroup]
    quorum: str = NO_QUORUM

    def satisfied(self, names: Iterable[str]) -> bool:
        """Say whether cosignatures of the witnesses `names` make the quorum."""
        return self.quorum == NO_QUORUM or self.quorum in self._witnessed(set(names))

    def check(self, note: bytes, logs: Iterable[NoteKey] = ()) -> CosignedCheckpoint:
        """Verify a signed checkpoint: signed by a log of this policy (or of `logs`), cosigned by its quorum.

        Raises NoteError for a signature that fails, PolicyError when no known log signed or signed for another origin,
        QuorumError when witnesses are missing, CheckpointError for the text.
        """
        parsed = parse_note(note)
        head = parse_checkpoint_text(parsed.text)
        log = self._log_of(parsed, head, logs)
        times = self.cosignature_times(parsed)
        if not self.satisfied(times):
            raise self._lacking(head, times)
        return CosignedCheckpoint(head, log, times)

    def cosignature_times(self, note: Note) -> dict[str, int]:
        """Verify the cosignatures of known witnesses on a note: time by policy name, the later one of two.

        Those of time 0 say nothing of what is newest and are left out. Raises NoteError for one that fails.
        """
        names = {witness.key.vkey: witness.name for witness in self.witnesses.values()}
        times: dict[str, int] = {}
        for key, signature in verify_signatures(note, [witness.key for witness in self.witnesses.values()]):
            name, time_s = names[key.vkey], int.from_bytes(signature[:8], "big")
            if time_s:
                times[name] = max(time_s, times.get(name, 0))
        return times

    def _log_of(self, note: Note, head: Checkpoint, more: Iterable[NoteKey]) -> NoteKey:
        keys = {key.vkey: key for key in [*(log.verifier for log in self.logs), *more]}
        signed = [key for key, _ in verify_signatures(note, keys.values())]
        for key in signed:
            if key.name == head.origin:
                return key
        if signed:
            raise PolicyError(f"log {signed[0].name} signed a checkpoint of another origin: {head.origin!r}")
        known = ", ".join(key.name for key in keys.values()) or "no log at all"
        raise PolicyError(f"checkpoint of {head.origin!r} is not signed by a log of the policy, which knows {known}")

    def _witnessed(self, names: set[str]) -> set[str]:
        met = names & self.witnesses.keys()
        for group in self.groups.values():
            if sum(member in met for member in group.members) >= group.threshold:
                met.add(group.name)
        return met

    def _lacking(self, head: Checkpoint, times: Mapping[str, int]) -> QuorumError:
        missing = tuple(name for name in self.witnesses if name not in times)
        words = (
            f"checkpoint of {head.origin} with {head.size} entries lacks the quorum {self.quorum!r}: "
            f"cosigned by {', '.join(times) or 'none'}; missing {', '.join(missing) or 'none'}"
        )
        # names are octets; those that are not UTF-8 must still be printable
        return QuorumError(words.encode("utf-8", "backslashreplace").decode(), missing)
