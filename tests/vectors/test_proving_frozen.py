"""A proof of served time that was made by version 0.1.0 and is kept: what it says must be the same for ever.

Made with `tests/system/proofs.py` (a simulated laboratory) on 2026-11-22: 30.123456 s after T0, cosigned by two
witnesses of both kinds, whose seeds are 32 times 7 and 32 times 8. It is never made again: a change of the statement
needs a new format, beside which this one is still verified.
"""

from __future__ import annotations

from pathlib import Path

from timeball.ledger.policy import parse_policy
from timeball.station.proving.verifying import verify_proof

FOLDER = Path(__file__).parent


def test_the_kept_proof_still_says_what_it_said() -> None:
    policy = parse_policy((FOLDER / "served-time-v1.policy").read_bytes())
    verified = verify_proof((FOLDER / "served-time-v1.tlog-proof").read_bytes(), policy)
    said = verified.statement
    assert said["utc"] == "2027-01-15T13:00:53.123456Z"
    assert (said["claim"], said["tai_minus_utc_s"], said["simulated"]) == ("in sync", 37, True)
    assert (said["utc_minus_served_s"], said["u_s"], said["bound_s"]) == (
        "3.030123456e-09",
        "4.940344283244859e-08",
        "4.6876544381469733e-07",
    )
    assert verified.head.witnesses == {"a": 1_800_100_000, "b": 1_800_100_001}
