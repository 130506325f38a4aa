"""What becomes of the cookie keys as time goes by: which step is due, and the keys after it. Values in, values out.

A new key is announced a while before it is used, so that every server that must open its cookies has it by then; that
`lead_s` is what a reader of the file, or a server of the cluster, has to fetch it in. Randomness comes in as bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from timeball.protocols.nts.keyring import KEY_BYTES
from timeball.station.configuration.serving import NTS
from timeball.station.nts.keyfile import KeySet, Moment, StoredKey
from timeball.station.nts.moments import age_s

ALONE_LEAD_S = 2.0
"""Ten times what a server's loop takes to look at the file again."""
CLUSTER_LEAD_S = 600.0
LEAD_SHARE = 4
FETCHES_A_LEAD = 4
ID_BYTES = 4
RandomBytes = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Rules:
    """`rotate_s` between two keys, `kept` older ones, `lead_s` between announcing a key and using it."""

    rotate_s: float
    kept: int
    lead_s: float

    @property
    def fetch_s(self) -> float:
        """How often a server of the cluster asks: it may miss some answers and still know a key in time."""
        return self.lead_s / FETCHES_A_LEAD


def rules_of(settings: NTS) -> Rules:
    """The rules that the settings make: at most a quarter of a key's life is spent announcing the next."""
    lead_s = CLUSTER_LEAD_S if settings.cluster_listen or settings.cluster_leader else ALONE_LEAD_S
    return Rules(settings.rotate_s, settings.kept, min(lead_s, settings.rotate_s / LEAD_SHARE))


def first_keys(now: Moment, random: RandomBytes) -> KeySet:
    """Keys where there were none."""
    return KeySet(current=_new_key((), random), used=now)


def next_keys(keys: KeySet, now: Moment, rules: Rules, random: RandomBytes) -> KeySet | None:
    """The keys after the step that is due: a key announced, or the announced one in use; None when nothing is due."""
    if keys.next is not None and keys.announced is not None:
        return used(keys, now, rules) if age_s(keys.announced, now) >= rules.lead_s else None
    if age_s(keys.used, now) >= rules.rotate_s - rules.lead_s:
        return announced(keys, now, random)
    return None


def announced(keys: KeySet, now: Moment, random: RandomBytes) -> KeySet:
    """The keys with another to come; the same when one is to come already."""
    if keys.next is not None:
        return keys
    return KeySet(
        current=keys.current,
        used=keys.used,
        next=_new_key(keys.ids(), random),
        announced=now,
        older=keys.older,
    )


def used(keys: KeySet, now: Moment, rules: Rules) -> KeySet:
    """The keys with the announced one in use, and no more older ones than are kept."""
    assert keys.next is not None
    older = (keys.current, *keys.older)[: rules.kept]
    return KeySet(current=keys.next, used=now, older=older)


def what_changed(before: KeySet | None, after: KeySet) -> str:
    """In words, for the log and the ledger."""
    if before is None:
        return "first keys"
    if before.ids() == after.ids():
        return "the keys are made here from now on" if not after.source else "the keys are fetched"
    if not set(before.ids()) & set(after.ids()):
        return "all keys replaced: cookies given out before are not taken any more"
    if after.current.id != before.current.id:
        return "the announced key is in use"
    if after.next is not None and before.next is None:
        return "a key is announced"
    return "older keys are dropped"


def _new_key(taken: tuple[int, ...] | list[int], random: RandomBytes) -> StoredKey:
    """A key whose number, random too, tells nobody how many there were."""
    while True:
        number = int.from_bytes(random(ID_BYTES))
        if number not in taken:
            return StoredKey(number, random(KEY_BYTES).hex())
