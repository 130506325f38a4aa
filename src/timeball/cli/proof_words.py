"""A verified proof of served time in words and as JSON, for `timeball prove` and `timeball verify`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from timeball.cli.output import format_seconds, format_table

if TYPE_CHECKING:
    from timeball.station.proving.der import TokenInfo
    from timeball.station.proving.verifying import Verified

_ON_WHOSE_WORD = {
    "policy": "signed and cosigned as the policy asks",
    "key": "signed with the key given; cosignatures not judged (give --policy)",
    "file": "signed with the key that the file itself names (give --key or --policy to hold it against one you know)",
}
_CLAIMS = {
    "in sync": "in sync",
    "not in sync": "the service did not claim to be in sync",
    "unknown": "whether sync was claimed cannot be told",
}
_FIGURES = ("utc_minus_served_s", "u_s", "bound_s", "pages_differ_s")


def sentences(verified: Verified, stamps: list[tuple[TokenInfo, bool]] | None = None) -> Iterator[str]:
    """The statement in words, the table of what it rests on, and on whose word."""
    said = verified.statement
    yield headline(said)
    if said["simulated"]:
        yield "  a simulated laboratory: nothing here is traceable to UTC"
    yield f"  claim       {said['claim']}: {said['why']}"
    yield f"  u           {format_seconds(float(said['u_s']))} (k = 1); the bound is a maximum"
    yield f"  TAI − UTC   {said['tai_minus_utc_s']} s in force{', inside a leap second' if said['leap_second'] else ''}"
    yield f"  checkpoint  {verified.head.checkpoint.size} entries of {verified.head.checkpoint.origin}"
    yield f"              {_ON_WHOSE_WORD[verified.head.trust]}"
    for name, time_s in sorted(verified.head.witnesses.items()):
        yield f"              seen by {name} at {_posix(time_s)}"
    for info, checked in stamps or []:
        word = "signature verified" if checked else "signature not checked: give --tsa-certificate"
        yield f"  stamped     {info.utc} (RFC 3161; {word})"
    yield ""
    yield format_table(["rests on", "entry", "says"], _rows(said), left=3)


def headline(said: dict[str, Any]) -> str:
    """One sentence: when, how far off, how sure."""
    offset_s, bound_s = float(said["utc_minus_served_s"]), float(said["bound_s"])
    offset = f"{'−' if offset_s < 0 else '+'}{format_seconds(abs(offset_s))}" if math.isfinite(offset_s) else "unknown"
    bound = f"± {format_seconds(bound_s)} (bound)" if math.isfinite(bound_s) else "without a known bound"
    return f"at {said['utc']} UTC − served = {offset} {bound}, {_CLAIMS[said['claim']]}, by these decisions:"


def describe(verified: Verified, stamps: list[tuple[TokenInfo, bool]] | None = None) -> dict[str, Any]:
    """The same as one JSON object; figures as numbers."""
    said = dict(verified.statement)
    head = verified.head
    return {
        "statement": {**said, **{name: float(said[name]) for name in _FIGURES}},
        "index": verified.proof.index,
        "checkpoint": {
            "origin": head.checkpoint.origin,
            "size": head.checkpoint.size,
            "root": head.checkpoint.root.hex(),
            "key": head.vkey,
            "key_source": head.trust,
            "witnesses": {name: _posix(time_s) for name, time_s in head.witnesses.items()},
        },
        "timestamps": [
            {"utc": info.utc, "serial": str(info.serial), "signature_checked": checked}
            for info, checked in stamps or []
        ],
    }


def _rows(said: dict[str, Any]) -> Iterator[list[str]]:
    from timeball.station.proving.roles import ROLES

    for role in ROLES:
        brief = said.get(role.replace("-", "_"))
        if brief is not None:
            yield [role, str(brief["index"]), _says(brief)]
    for approval in said["approvals"]:
        yield ["approval", str(approval["index"]), f"{approval['type']} by {approval['by']}"]


def _says(brief: dict[str, Any]) -> str:
    if brief.get("missing"):
        return "payload not in this file: erased, or withheld from whoever made it"
    if "bound_s" in brief:
        return f"bound {format_seconds(float(brief['bound_s']))}; {brief['against'] or 'nothing against'}"
    if "weights" in brief:
        return f"{brief['algorithm']}, {len(brief['weights'])} clocks, from readings {brief['readings']}"
    words = [str(brief[name]) for name in ("state", "verdict", "why", "software", "vkey", "kind") if name in brief]
    return ": ".join(words)


def _posix(time_s: int) -> str:
    try:
        return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return f"{time_s} s since 1970"
