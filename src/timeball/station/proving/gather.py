"""Choosing the entries that a statement about a moment rests on: found by the recorder's clock and the streams' names.

Every bundle it looks into is checked up to the signed head, every payload by its digest, so whoever serves the log can
neither hide an entry nor change one. It walks bundles, never the whole log in memory, and looks for the next entry of a
stream no further than `FORWARD_BUNDLES`.
"""

from __future__ import annotations

import re
from typing import Any

from timeball.ledger import canonical
from timeball.ledger.checkpoint import Checkpoint
from timeball.ledger.entry import Envelope, parse_envelope, verify_payload
from timeball.ledger.errors import EvidenceError, LedgerError
from timeball.ledger.log import AttestedLog
from timeball.ledger.merkle import make_inclusion_proof
from timeball.ledger.tiles import WIDTH
from timeball.station.proving import roles
from timeball.station.proving.claim import MOST_GAP_S
from timeball.station.proving.errors import NothingServedError
from timeball.station.proving.extra import Item, make_item
from timeball.station.proving.source import Source

FORWARD_BUNDLES = 4096


class View:
    """The log of a source under one head; raises LedgerError where bytes do not lead to it."""

    def __init__(self, source: Source, head: Checkpoint) -> None:
        self.source, self.head = source, head
        self._log = AttestedLog(source.read, head.size, head.root)
        self._known: dict[int, dict[tuple[bytes, bytes], list[int]]] = {}

    def leaf(self, index: int) -> bytes:
        """Leaf bytes of an entry."""
        return self._log.attested_bundle(index // WIDTH)[index % WIDTH]

    def envelope(self, index: int) -> Envelope:
        """Envelope of an entry."""
        return parse_envelope(self.leaf(index))

    def payload(self, index: int) -> Any:
        """Payload of an entry as an object; None when erased."""
        data = self._payload_bytes(index)[1]
        return None if data is None else canonical.decode(data)

    def after(self, time_ns: int) -> int:
        """The first entry that the recorder took after `time_ns` (TAI); the size of the log when there is none."""
        low, high = 0, self.head.size
        while low < high:
            middle = (low + high) // 2
            if self.envelope(middle).time_ns > time_ns:
                high = middle
            else:
                low = middle + 1
        return low

    def last(self, role: str, before: int) -> int | None:
        """The last entry in a role's stream and type, below index `before`."""
        for bundle in range((before - 1) // WIDTH, -1, -1):
            places = self._places(bundle).get(_key(role), ())
            below = [place for place in places if bundle * WIDTH + place < before]
            if below:
                return bundle * WIDTH + below[-1]
        return None

    def next(self, role: str, index: int) -> int | None:
        """The next entry in a role's stream and type after entry `index`; None when none is near."""
        first = (index + 1) // WIDTH
        end = min((self.head.size + WIDTH - 1) // WIDTH, first + FORWARD_BUNDLES)
        for bundle in range(first, end):
            for place in self._places(bundle).get(_key(role), ()):
                if bundle * WIDTH + place > index:
                    return bundle * WIDTH + place
        return None

    def _places(self, bundle: int) -> dict[tuple[bytes, bytes], list[int]]:
        """Where in a bundle which stream says what; each bundle is read and checked once, however many roles ask."""
        found = self._known.get(bundle)
        if found is None:
            found = self._known[bundle] = {}
            for place, leaf in enumerate(self._log.attested_bundle(bundle)):
                match = _SPEAKER.match(leaf)
                if match is not None and match.groups() in _KEYS:
                    found.setdefault((match[1], match[2]), []).append(place)
        return found

    def item(self, role: str, index: int) -> Item:
        """An entry in its role, with its path; that of the role `served` stands in the proof's own lines."""
        salt, payload = self._payload_bytes(index)
        path = [] if role == roles.SERVED else self.path(index)
        return make_item(role, index, self.envelope(index), salt, payload, path)

    def path(self, index: int) -> list[bytes]:
        """The inclusion path of an entry under the head."""
        return make_inclusion_proof(index, self.head.size, self._log.node)

    def _payload_bytes(self, index: int) -> tuple[bytes, bytes | None]:
        try:
            salt, payload = self.source.payload(index)
            if payload is not None:
                verify_payload(self.envelope(index), salt, payload)
            return salt, payload
        except (LedgerError, FileNotFoundError) as error:
            raise EvidenceError("payloads", str(error), index) from error


def gather(view: View, tai_ns: int) -> dict[str, int]:
    """Which entry plays which role for a moment (TAI ns); raises `NothingServedError`."""
    here = view.after(tai_ns)
    served = _served_before(view, here, tai_ns)
    found: dict[str, int | None] = {
        roles.SERVED: served,
        roles.SERVED_NEXT: view.next(roles.SERVED, served),
        roles.CONFIG: view.last(roles.CONFIG, served),
        roles.SCALE: view.last(roles.SCALE, served),
        roles.STEER: view.last(roles.STEER, served),
    }
    if _has_witnesses(view, found[roles.CONFIG]):
        found[roles.WITNESSING] = view.last(roles.WITNESSING, here)
    for role in (roles.LEASE, roles.OBSERVER_LEASE, roles.VERDICT):
        found[role] = index = view.last(role, here)
        found[f"{role}-next"] = view.next(role, here - 1 if index is None else index)
    _add_signers(view, found)
    return {role: index for role in roles.ROLES if (index := found.get(role)) is not None}


def _served_before(view: View, here: int, tai_ns: int) -> int:
    """The statement whose reference is the last at or before the moment, no older than statements may lie apart."""
    index = view.last(roles.SERVED, here)
    while index is not None and _reference(view, index) > tai_ns:
        index = view.last(roles.SERVED, index)
    following = view.next(roles.SERVED, -1 if index is None else index)
    while following is not None and _reference(view, following) <= tai_ns:
        # recorded after the moment, by a reference before it
        index, following = following, view.next(roles.SERVED, following)
    if index is None:
        raise NothingServedError("the station had not said what it served before this moment")
    age_s = (tai_ns - _reference(view, index)) / 1e9
    if age_s > MOST_GAP_S:
        raise NothingServedError(
            f"no statement of the station surrounds the moment: the last one is {age_s:.0f} s older (entry {index})"
        )
    return index


def _has_witnesses(view: View, config: int | None) -> bool:
    """Whether the configuration names a policy; without one nobody speaks of cosignatures, and none is looked for."""
    payload = None if config is None else view.payload(config)
    try:
        return payload is None or bool(payload["config"]["ledger"]["policy"])
    except (KeyError, TypeError):
        return False


def _reference(view: View, index: int) -> int:
    payload = view.payload(index)
    if not isinstance(payload, dict):
        raise NothingServedError(f"the statement around this moment was erased (entry {index})")
    try:
        return int(payload["tai_ns"])
    except (KeyError, TypeError, ValueError) as error:
        raise EvidenceError("payloads", f"this is no statement of served time: {error!r}", index) from error


def _add_signers(view: View, found: dict[str, int | None]) -> None:
    """The readings under the scale, and the keys that signed them and the verdicts; without a key, none of them."""
    scale, verdict, following = found[roles.SCALE], found[roles.VERDICT], found[roles.VERDICT_NEXT]
    payload = None if scale is None else view.payload(scale)
    if isinstance(payload, dict) and isinstance(payload.get("readings"), int):
        key = view.last(roles.COLLECTOR_KEY, payload["readings"])
        if key is not None:
            found[roles.READINGS], found[roles.COLLECTOR_KEY] = payload["readings"], key
    first = following if verdict is None else verdict
    key = None if first is None else view.last(roles.OBSERVER_KEY, first)
    if first is None or key is None:
        found[roles.VERDICT] = found[roles.VERDICT_NEXT] = None
        return
    found[roles.OBSERVER_KEY] = key
    if following is not None and _signer(view, following) != _signer(view, first):
        found[roles.VERDICT_NEXT] = None  # a new key of the observer: another statement


def _signer(view: View, index: int) -> object:
    payload = view.payload(index)
    return payload.get("key") if isinstance(payload, dict) else None


def _key(role: str) -> tuple[bytes, bytes]:
    return roles.ROLES[role].by.encode(), roles.ROLES[role].type.encode()


# an envelope holds no free text, so its canonical bytes name a stream and a type in one way only
_SPEAKER = re.compile(rb'\{"by":"([^"]*)",.*"type":"([^"]*)"')
_KEYS = frozenset(map(_key, roles.ROLES))
