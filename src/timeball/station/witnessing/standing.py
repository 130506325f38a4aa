"""What is said of the witnesses: the state that is recorded, its reason in words, and the table for the status.

Times recorded are those of entries, so a witness's clock or the host's has no say. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from timeball.ledger.policy import Policy
from timeball.ledger.quorum import NO_QUORUM
from timeball.station.witnessing.board import WitnessState

COSIGNED, MISSING = "cosigned", "missing"
_WORDS = 160


def state_of(states: Sequence[WitnessState], age_s: float, limit_s: float, *, quorum_met: bool) -> str | None:
    """The state: "missing" for a fork or entries too long without a quorum, else "cosigned" once a quorum was met.

    None while neither is known, shortly after the start.
    """
    if any(state.fork for state in states) or age_s > limit_s:
        return MISSING
    return COSIGNED if quorum_met else None


def why_of(states: Sequence[WitnessState], policy: Policy, state: str, limit_s: float) -> str:
    """The reason of a state in one sentence."""
    forks = [f"{each.name}: {each.why}" for each in states if each.fork]
    if forks:
        return f"FORK: {'; '.join(forks)[: 4 * _WORDS]}"
    if state == COSIGNED:
        return f"the quorum cosigned: {quorum_words(policy)}"
    wrong = "; ".join(f"{each.name}: {each.why[:_WORDS]}" for each in states if each.why)
    return f"no quorum ({quorum_words(policy)}) for more than {limit_s:g} s" + (f"; {wrong}" if wrong else "")


def quorum_words(policy: Policy) -> str:
    """The quorum in words, such as "2 of w1, w2, w3"."""
    group = policy.groups.get(policy.quorum)
    if group is None:
        return "nobody" if policy.quorum == NO_QUORUM else policy.quorum
    return f"{group.threshold} of {', '.join(group.members)}"


def table(states: Sequence[WitnessState], now: float, unix_s: float) -> list[dict[str, Any]]:
    """One row a witness; `cosigned_unix_s` is when it last cosigned, by the host's clock."""
    return [
        {
            "name": each.name,
            "url": each.url,
            "size": each.size,
            "cosigned_unix_s": None if each.at is None else unix_s - (now - each.at),
            "why": each.why,
        }
        for each in states
    ]
