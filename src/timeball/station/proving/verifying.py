"""Verifying a proof of served time from its bytes alone. Pure: no ledger, no network, no clock.

In order: the checkpoint by a policy or a log key, every entry under it, signed batches, then the statement is made
again and compared. Raises; never returns a verdict. Time-stamp tokens are the caller's next step (`timestamps`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from timeball.ledger import canonical
from timeball.ledger.checkpoint import Checkpoint, open_checkpoint
from timeball.ledger.cosignature import parse_log_vkey
from timeball.ledger.errors import CanonicalError, LedgerError
from timeball.ledger.policy import Policy
from timeball.ledger.proof import TlogProof, parse_tlog_proof
from timeball.station.proving.errors import StatementError
from timeball.station.proving.evidence import check_entries
from timeball.station.proving.extra import Extra, parse_extra
from timeball.station.proving.moment import read_moment
from timeball.station.proving.statement import make_statement

GIVEN, POLICY, FILE = "key", "policy", "file"


@dataclass(frozen=True, slots=True)
class Head:
    """A checkpoint that was believed: by which log key, on whose word, and when each witness of the policy saw it."""

    checkpoint: Checkpoint
    vkey: str
    trust: str
    witnesses: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verified:
    """A proof that holds: its statement, the head it stands under, and its parts."""

    statement: dict[str, Any]
    head: Head
    proof: TlogProof
    extra: Extra


def verify_proof(data: bytes, policy: Policy | None = None, vkey: str | None = None) -> Verified:
    """Verify a `.tlog-proof` file of served time; raises LedgerError, most often `StatementError`.

    policy: who must have signed and cosigned. vkey: the log's key alone; with a policy, the key that the log must have,
    which the policy then need not name. With neither, the key in the file is believed, which shows only that the file
    agrees with itself; `Verified.head.trust` says so.
    """
    proof = _part("proof", lambda: parse_tlog_proof(data))
    if proof.extra is None:
        raise StatementError("extra", "this proof carries no statement of served time")
    extra = parse_extra(proof.extra)
    head = _part("checkpoint", lambda: open_head(proof.checkpoint, extra.log, policy, vkey))
    if head.vkey != extra.log:
        raise StatementError(
            "log", f"the file names the log key {extra.log[:200]!r}, the checkpoint is {head.vkey!r}'s"
        )
    items, approvals = check_entries(extra, proof.index, proof.path, head.checkpoint)
    again = make_statement(read_moment(extra.moment, extra.leap_seconds), items, approvals)
    _compare(extra.statement, again)
    return Verified(again, head, proof, extra)


def open_head(note: bytes, named: str, policy: Policy | None, vkey: str | None) -> Head:
    """The checkpoint of a proof, when it is signed as it must be; raises LedgerError.

    named: the key that the file itself names, believed when neither policy nor key is given.
    """
    if policy is not None:
        cosigned = policy.check(note, [] if vkey is None else [parse_log_vkey(vkey)])
        if vkey is not None and cosigned.log.vkey != vkey.strip():
            raise StatementError("checkpoint", "it is signed by a log of the policy, but not with the key given")
        return Head(cosigned.checkpoint, cosigned.log.vkey, POLICY, dict(cosigned.times))
    log = parse_log_vkey(named if vkey is None else vkey)
    return Head(open_checkpoint(note, log), log.vkey, FILE if vkey is None else GIVEN)


def _compare(stated: dict[str, Any], again: dict[str, Any]) -> None:
    """Every member of the statement as it follows from the entries; raises with the first that does not."""
    for name in sorted({*stated, *again}):
        if name not in again or name not in stated or _bytes(stated[name]) != _bytes(again[name]):
            said, follows = stated.get(name, "nothing"), again.get(name, "nothing")
            raise StatementError(f"statement.{name}", f"the file says {said!r}, from its entries follows {follows!r}")


def _bytes(value: Any) -> bytes:
    try:
        return canonical.encode(value)
    except CanonicalError as error:
        raise StatementError("statement", str(error)) from error


def _part(place: str, make: Any) -> Any:
    try:
        return make()
    except StatementError:
        raise
    except LedgerError as error:
        raise StatementError(place, str(error)) from error
