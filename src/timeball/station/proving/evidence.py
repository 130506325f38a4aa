"""The evidence under a statement: every entry under the checkpoint, in its role, in its order, signed where it must be.

What it cannot show: that no other entry of a stream lies between two that it holds, except where their numbers follow
one another, and that relies on the recorder's rule of numbers without a gap, which verifying the whole log checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from timeball.ledger.batch import verify_batch
from timeball.ledger.checkpoint import Checkpoint
from timeball.ledger.entry import verify_payload
from timeball.ledger.errors import LedgerError
from timeball.ledger.merkle import hash_leaf, verify_inclusion
from timeball.ledger.note import Verifier, parse_vkey
from timeball.station.proving import roles
from timeball.station.proving.errors import StatementError
from timeball.station.proving.extra import Extra, Item


def check_entries(
    extra: Extra, index: int, path: Sequence[bytes], head: Checkpoint
) -> tuple[dict[str, Item], list[Item]]:
    """The entries by role, and the approvals, all verified against `head`; raises `StatementError`.

    index, path: what the proof's own lines say; the entry in the role `served` must be that one.
    """
    items, approvals = _by_role(extra)
    served = items.get(roles.SERVED)
    if served is None or served.index != index or served.path:
        raise StatementError(roles.SERVED, "it is not the entry that the proof's lines lead to")
    for item in extra.entries:
        hashes = list(path) if item is served else item.path_hashes()
        _check_item(item, hashes, head)
    _check_order(items)
    _check_signatures(items)
    return items, approvals


def _by_role(extra: Extra) -> tuple[dict[str, Item], list[Item]]:
    items: dict[str, Item] = {}
    approvals: list[Item] = []
    for item in extra.entries:
        role = roles.ROLES.get(item.role)
        if role is None:
            raise StatementError(item.place, "a role that this software does not know")
        if role.many:
            approvals.append(item)
        elif items.setdefault(item.role, item) is not item:
            raise StatementError(item.place, "two entries in one role")
        envelope = item.envelope
        if role.by and (envelope.by, envelope.type) != (role.by, role.type):
            raise StatementError(item.place, f"an entry {envelope.type!r} of the stream {envelope.by!r} in this role")
    return items, approvals


def _check_item(item: Item, path: Sequence[bytes], head: Checkpoint) -> None:
    try:
        verify_inclusion(hash_leaf(item.leaf), item.index, head.size, path, head.root)
        payload = item.payload_bytes
        if payload is not None:
            verify_payload(item.envelope, item.salt_bytes(), payload)
        elif item.salt:
            raise StatementError(item.place, "a salt without a payload")
    except StatementError:
        raise
    except LedgerError as error:
        raise StatementError(item.place, str(error)) from error


def _check_order(items: dict[str, Item]) -> None:
    """Numbers that follow one another, and nothing that rests on what came later."""
    for name, role in roles.ROLES.items():
        if role.after and name in items:
            _check_follows(items[name], items.get(role.after))
    for earlier, later in roles.BEFORE:
        if earlier in items and later in items and items[earlier].index >= items[later].index:
            raise StatementError(items[earlier].place, f"it comes after the {later} that rests on it")
    if roles.READINGS in items and roles.SCALE in items:
        payload = items[roles.SCALE].payload
        if isinstance(payload, dict) and payload.get("readings") != items[roles.READINGS].index:
            raise StatementError(items[roles.READINGS].place, "the scale does not follow from these readings")


def _check_follows(item: Item, before: Item | None) -> None:
    number = 0 if before is None else before.envelope.seq
    if item.envelope.seq != number + 1 or (before is not None and item.index <= before.index):
        raise StatementError(item.place, "it is not the next entry of its stream")


def _check_signatures(items: dict[str, Item]) -> None:
    """The collector signed the readings, the observer its verdicts, with the keys that the log names."""
    for signed, key in (
        (roles.READINGS, roles.COLLECTOR_KEY),
        (roles.VERDICT, roles.OBSERVER_KEY),
        (roles.VERDICT_NEXT, roles.OBSERVER_KEY),
    ):
        if signed in items and items[signed].payload is not None:
            item = items[signed]
            try:
                verify_batch(_object(item), _named_key(items, key))
            except StatementError:
                raise
            except LedgerError as error:
                raise StatementError(item.place, str(error)) from error


def _named_key(items: dict[str, Item], role: str) -> Verifier:
    if role not in items or items[role].payload is None:
        raise StatementError(role, "the file does not name the key that signed")
    return parse_vkey(str(_object(items[role]).get("vkey")))


def _object(item: Item) -> dict[str, Any]:
    if not isinstance(item.payload, dict):
        raise StatementError(item.place, "its payload is no object")
    return item.payload
