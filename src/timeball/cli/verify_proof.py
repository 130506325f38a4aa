"""`timeball verify FILE.tlog-proof`: a proof of served time, verified from the file alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from timeball.cli.output import CommandError, EvidenceFailedError, print_json

if TYPE_CHECKING:
    from timeball.ledger.policy import Policy
    from timeball.station.proving.der import TokenInfo
    from timeball.station.proving.verifying import Verified


def run(path: Path, vkey: str | None, policy: Path | None, certificates: tuple[Path, ...], as_json: bool) -> None:
    """Verify and print; EvidenceFailedError (exit 4) with the place where it fails."""
    from timeball.cli.proof_words import describe, sentences
    from timeball.ledger.errors import LedgerError
    from timeball.station.proving.timestamps import TimestampsMissingError
    from timeball.station.proving.verifying import verify_proof

    known = None if policy is None else _read_policy(policy)
    try:
        verified = verify_proof(path.read_bytes(), known, vkey)
        stamps = _stamps(verified, certificates)
    except TimestampsMissingError as error:
        raise CommandError(str(error)) from error
    except LedgerError as error:
        if as_json:
            place, reason = getattr(error, "place", None), getattr(error, "reason", str(error))
            print_json({"ok": False, "path": str(path), "place": place, "reason": reason})
        raise EvidenceFailedError(f"{path}: evidence failed: {error}") from error
    if as_json:
        print_json({"ok": True, "path": str(path), **describe(verified, stamps)})
        return
    for line in sentences(verified, stamps):
        click.echo(line)


def _read_policy(path: Path) -> Policy:
    from timeball.ledger.errors import LedgerError
    from timeball.ledger.policy import parse_policy

    try:
        return parse_policy(path.read_bytes())
    except LedgerError as error:
        raise CommandError(f"{path}: {error}") from error


def _stamps(verified: Verified, paths: tuple[Path, ...]) -> list[tuple[TokenInfo, bool]]:
    """Each token's time, and whether its signature was verified; raises `TimestampError`."""
    from timeball.station.proving.errors import TimestampError
    from timeball.station.proving.timestamps import load_certificates, read_tokens, verify_token

    note, tokens = verified.proof.checkpoint, verified.extra.timestamp_bytes()
    certificates = [one for path in paths for one in load_certificates(path.read_bytes(), str(path))]
    if certificates and not tokens:
        raise TimestampError("timestamps", "the proof carries no time-stamp token")
    if not certificates:
        return [(info, False) for info in read_tokens(tokens, note)]
    return [(verify_token(token, note, certificates, f"timestamps[{i}]"), True) for i, token in enumerate(tokens)]
