"""Whose signatures count in a log: keys as the log names them, and what an auditor has accepted by hand.

A log that replaces its collector's key may say the truth, or may be in the hands of a thief: nobody can tell from the
log. So what rests on a second key is "cannot check" until a person has accepted that key.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from timeball.ledger.batch import batch_key, is_batch, verify_batch
from timeball.ledger.errors import LedgerError
from timeball.ledger.note import Verifier, parse_vkey
from timeball.station.fold.timekeeping import COLLECTOR

KEY = "key"
MUST = {"readings": "readings", "bulletin": "a bulletin"}


class NotSigned(ValueError):
    """A signed batch that does not hold: its signature, or whose it is."""


class Keys:
    """The newest key of each name (`collector`, `observer`), fed with `key` entries in their order."""

    def __init__(self, accepted: Collection[str] = ()) -> None:
        self._accepted = frozenset(accepted)
        self._newest: dict[str, Verifier] = {}
        self._streams: dict[str, str] = {}
        self.unaccepted: str | None = None

    def take(self, by: str, payload: Any) -> str | None:
        """One `key` entry of stream `by`; gives the words of a finding, or None.

        `unaccepted` is the collector's newest key while nobody has accepted it, else None.
        """
        name = payload.get("name") if isinstance(payload, dict) else None
        try:
            key = parse_vkey(str(payload["vkey"]) if isinstance(payload, dict) else "")
        except (LedgerError, KeyError) as error:
            return f"this names no key: {error}"
        if not isinstance(name, str) or self._streams.setdefault(name, by) != by:
            return f"stream {by} names a key of {name!r}, which is not its own"
        before = self._newest.get(name)
        self._newest[name] = key
        if name == COLLECTOR and by == COLLECTOR:
            known = before in (None, key) and self.unaccepted is None and not self._accepted
            self.unaccepted = None if known or key.vkey in self._accepted else key.vkey
        if before is None or before == key:
            return None
        accepted = ", accepted here" if key.vkey in self._accepted else ""
        return f"the key of {name} was replaced: {before.vkey} by {key.vkey}{accepted}"

    def check(self, kind: str, by: str, payload: Any) -> None:
        """Raise NotSigned for a signed batch that the key of its stream did not sign; other payloads pass.

        Readings and bulletins of the collector must be signed.
        """
        if not is_batch(payload):
            if by == COLLECTOR and kind in MUST:
                raise NotSigned(f"{MUST[kind]} without a signature")
            return
        expected = self._newest.get(by)
        try:
            claimed = batch_key(payload)
            if expected is None and claimed not in self._newest.values():
                raise NotSigned(f"signed by {claimed.vkey}, which no key entry before it names")
            verify_batch(payload, claimed if expected is None else expected)
        except LedgerError as error:
            raise NotSigned(str(error)) from error
