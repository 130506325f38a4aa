"""The policy file of a station's witnesses: read, and refused in one sentence when it cannot do what it is for.

What the lines mean is `ledger.policy`; whether a quorum has cosigned is `ledger.quorum`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from timeball.ledger.errors import LedgerError
from timeball.ledger.policy import parse_policy
from timeball.ledger.quorum import Policy, PolicyWitness
from timeball.station.supervision.process import CannotStartError
from timeball.station.witnessing.client import check_url


def read_policy(path: str) -> Policy:
    """Read a policy whose quorum can be reached over its URLs; raises CannotStartError with one sentence."""
    try:
        policy = parse_policy(Path(path).read_text("utf-8"))
        by_url_names = [witness.name for found in by_url(policy).values() for witness in found]
        for url in by_url(policy):
            check_url(url)
    except OSError as error:
        raise CannotStartError(f"ledger.policy: cannot read {path}: {error.strerror or error}") from error
    except (LedgerError, ValueError) as error:
        raise CannotStartError(f"ledger.policy: {path}: {error}") from error
    if not policy.satisfied(by_url_names):
        raise CannotStartError(f"ledger.policy: {path}: the witnesses that have a URL cannot make the quorum")
    return policy


def by_url(policy: Policy) -> Mapping[str, list[PolicyWitness]]:
    """The witnesses that can be asked, by URL: one daemon may hold a key of each kind."""
    found: dict[str, list[PolicyWitness]] = {}
    for witness in policy.witnesses.values():
        if witness.url is not None:
            found.setdefault(witness.url, []).append(witness)
    return found
