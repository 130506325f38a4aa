"""Policy files (C2SP tlog-policy): parse and write; every error says the line. What they demand is in `quorum`.

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> <k|any|all> <member> ...
    quorum <name|none>

One definition a line, items separated by spaces and tabs; lines that begin with `#` are comments. Groups and the quorum
name only what stands above them, and each name is a member at most once, so no witness counts twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from timeball.ledger.cosignature import parse_cosigner_vkey, parse_log_vkey
from timeball.ledger.errors import NoteError, PolicyError
from timeball.ledger.quorum import NO_QUORUM, CosignedCheckpoint, Policy, PolicyGroup, PolicyLog, PolicyWitness

__all__ = ["CosignedCheckpoint", "Policy", "PolicyGroup", "PolicyLog", "PolicyWitness", "parse_policy", "write_policy"]

MAX_LINES = 10_000  # the specification asks for 32 logs, witnesses and groups each
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_THRESHOLD = re.compile(r"[0-9]{1,9}")


def parse_policy(data: str | bytes) -> Policy:
    """Parse a policy file; raises PolicyError with line number and text. Bytes need not be UTF-8 (names are opaque)."""
    text = data.decode("utf-8", "surrogateescape") if isinstance(data, bytes) else data
    reader = _Reader()
    for number, line in _lines(text):
        try:
            reader.take(line)
        except (PolicyError, NoteError) as error:
            raise PolicyError(f"policy, line {number}: {error}: {line!r}") from error
    if reader.quorum is None:
        raise PolicyError("policy: no quorum line (write `quorum none` to ask for no cosignature)")
    return Policy(tuple(reader.logs), reader.witnesses, reader.groups, reader.quorum)


def write_policy(policy: Policy) -> str:
    """Write a policy as a file: logs, witnesses, groups, quorum; comments are gone, thresholds are numbers."""
    lines = [_join("log", log.verifier.vkey, log.url) for log in policy.logs]
    lines += [_join("witness", each.name, each.key.vkey, each.url) for each in policy.witnesses.values()]
    lines += [_join("group", each.name, str(each.threshold), *each.members) for each in policy.groups.values()]
    return "".join(line + "\n" for line in [*lines, _join("quorum", policy.quorum)])


class _Reader:
    """What the lines so far define."""

    def __init__(self) -> None:
        self.logs: list[PolicyLog] = []
        self.witnesses: dict[str, PolicyWitness] = {}
        self.groups: dict[str, PolicyGroup] = {}
        self.quorum: str | None = None
        self._members: set[str] = set()
        self._log_keys: set[bytes] = set()
        self._witness_keys: set[bytes] = set()

    def take(self, line: str) -> None:
        """Take one line; raises PolicyError or NoteError without saying where."""
        bad = _FORBIDDEN.search(line)
        if bad:
            raise PolicyError(f"control character {bad.group()!r}")
        items = [item for item in re.split("[ \t]+", line) if item]
        if not items or items[0].startswith("#"):
            return
        takers = {"log": self._log, "witness": self._witness, "group": self._group, "quorum": self._quorum}
        if items[0] not in takers:
            raise PolicyError(f"a line begins with log, witness, group, quorum or #, not with {items[0]!r}")
        takers[items[0]](items[1:])

    def _log(self, items: list[str]) -> None:
        if len(items) not in (1, 2):
            raise PolicyError("expected log <vkey> [<url>]")
        verifier = parse_log_vkey(items[0])
        if verifier.public_key in self._log_keys:
            raise PolicyError("another log has the same public key")
        self._log_keys.add(verifier.public_key)
        self.logs.append(PolicyLog(verifier, items[1] if len(items) > 1 else None))

    def _witness(self, items: list[str]) -> None:
        if len(items) not in (2, 3):
            raise PolicyError("expected witness <name> <vkey> [<url>]")
        name = items[0]
        self._check_new(name)
        key = parse_cosigner_vkey(items[1])
        if key.public_key in self._witness_keys:
            raise PolicyError("another witness has the same public key")
        self._witness_keys.add(key.public_key)
        self.witnesses[name] = PolicyWitness(name, key, items[2] if len(items) > 2 else None)

    def _group(self, items: list[str]) -> None:
        if len(items) < 3:
            raise PolicyError("expected group <name> <k|any|all> <member> ...")
        name, asked, *members = items
        self._check_new(name)
        for member in members:
            self._check_defined(member)
            if member in self._members:
                raise PolicyError(f"{member!r} is already a member of a group")
            self._members.add(member)
        self.groups[name] = PolicyGroup(name, _threshold(asked, len(members)), tuple(members))

    def _quorum(self, items: list[str]) -> None:
        if len(items) != 1:
            raise PolicyError("expected quorum <name|none>")
        if self.quorum is not None:
            raise PolicyError("a second quorum line")
        if items[0] != NO_QUORUM:
            self._check_defined(items[0])
        self.quorum = items[0]

    def _check_new(self, name: str) -> None:
        if name == NO_QUORUM:
            raise PolicyError(f"the name {name!r} is reserved")
        if name in self.witnesses or name in self.groups:
            raise PolicyError(f"the name {name!r} is already defined")

    def _check_defined(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise PolicyError(f"no witness or group {name!r} is defined above this line")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        raise PolicyError(f"policy of {len(lines)} lines, more than {MAX_LINES}")
    return enumerate(lines, 1)


def _threshold(asked: str, members: int) -> int:
    if asked == "any":
        return 1
    if asked == "all":
        return members
    if not _THRESHOLD.fullmatch(asked) or not 1 <= int(asked) <= members:
        raise PolicyError(f"the threshold of {members} members is any, all, or 1 to {members}, not {asked!r}")
    return int(asked)


def _join(*items: str | None) -> str:
    return " ".join(item for item in items if item is not None)
