"""Malfeasance reports: a chain of replies that anybody can check, of which at least one is a lie (RFC 10049, 8.4).

A report is worth nothing until every signature in it and every link of its chain has been verified: `check_report`
raises unless the report proves something, and gives what it proves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from timeball.protocols.roughtime.client import Verified, chain_nonce, request_nonce, verify_reply
from timeball.protocols.roughtime.delegation import KEY_BYTES, decode_base64, encode_base64
from timeball.protocols.roughtime.errors import UnusableReport, WrongNonce
from timeball.protocols.roughtime.measuring import Exchange, broken_pairs
from timeball.protocols.roughtime.message import NONCE_BYTES

MEDIA_TYPE = "application/roughtime-malfeasance+json"
MOST_RESPONSES = 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """What a report proves: `replies` with their long-term keys, and the `pairs` that contradict each other."""

    public_keys: tuple[bytes, ...]
    replies: tuple[Verified, ...]
    pairs: tuple[tuple[int, int], ...]


def write_report(exchanges: Sequence[Exchange]) -> str:
    """The JSON of a report; it says nothing about who was wrong."""
    rows = []
    for exchange in exchanges:
        row = {"rand": encode_base64(exchange.rand)} if exchange.rand else {}
        row["publicKey"] = encode_base64(exchange.public_key)
        row["request"] = encode_base64(exchange.request)
        row["response"] = encode_base64(exchange.reply)
        rows.append(row)
    return json.dumps({"responses": rows}, indent=1) + "\n"


def check_report(text: str | bytes, *, old_contexts: bool = False) -> Finding:
    """Verify a whole report. `old_contexts` as in `verify_reply`: for reports made before RFC 10049.

    Raises UnusableReport for what is no report or one whose replies agree, WrongNonce for a broken chain, and what
    `verify_reply` raises.
    """
    rows = _rows(text)
    keys, replies = [], []
    before = b""
    for number, row in enumerate(rows):
        key, request, reply = (_bytes(row, name, number) for name in ("publicKey", "request", "response"))
        if len(key) != KEY_BYTES:
            raise UnusableReport(f"reply {number + 1} of the report: publicKey has {len(key)} bytes, not {KEY_BYTES}")
        if number > 0:
            _check_link(before, _bytes(row, "rand", number), request, number)
        replies.append(verify_reply(request, reply, key, old_contexts=old_contexts))
        keys.append(key)
        before = reply
    pairs = broken_pairs(replies)
    if not pairs:
        raise UnusableReport("the replies of this report agree with each other: it proves nothing")
    return Finding(tuple(keys), tuple(replies), tuple(pairs))


def _check_link(before: bytes, rand: bytes, request: bytes, number: int) -> None:
    if len(rand) != NONCE_BYTES or request_nonce(request) != chain_nonce(before, rand):
        raise WrongNonce(f"request {number + 1} of the report was not made from the reply before it")


def _rows(text: str | bytes) -> Sequence[Mapping[str, Any]]:
    try:
        rows = json.loads(text)["responses"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UnusableReport("this is no malfeasance report: no JSON with a list of responses") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnusableReport("this is no malfeasance report: its responses are no list of objects")
    if not 2 <= len(rows) <= MOST_RESPONSES:
        raise UnusableReport(f"a report of {len(rows)} replies: 2 to {MOST_RESPONSES} are read")
    return rows


def _bytes(row: Mapping[str, Any], name: str, number: int) -> bytes:
    try:
        return decode_base64(row[name])
    except (KeyError, ValueError) as error:
        raise UnusableReport(f"reply {number + 1} of the report: {name} is missing or not base64") from error
