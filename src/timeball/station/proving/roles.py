"""The parts that entries play in a proof of served time: who must have written what, and what comes before what.

A later kind of decision (an approval, a certificate) gets a new line here and no new format. It reads nothing.
"""

from __future__ import annotations

from typing import NamedTuple

SERVED = "served"
SERVED_NEXT = "served-next"
CONFIG = "config"
COLLECTOR_KEY = "collector-key"
OBSERVER_KEY = "observer-key"
SCALE = "scale"
READINGS = "readings"
STEER = "steer"
LEASE = "lease-timekeeper"
LEASE_NEXT = "lease-timekeeper-next"
OBSERVER_LEASE = "lease-observer"
OBSERVER_LEASE_NEXT = "lease-observer-next"
VERDICT = "verdict"
VERDICT_NEXT = "verdict-next"
WITNESSING = "witnessing"
APPROVAL = "approval"


class Role(NamedTuple):
    """`by`: the stream; `type`: the type; empty: any.

    `after`: the role whose next entry of the same stream it is; the first of its stream where that role is empty.
    """

    by: str
    type: str
    after: str = ""
    many: bool = False


ROLES: dict[str, Role] = {
    SERVED: Role("served", "served"),
    SERVED_NEXT: Role("served", "served", after=SERVED),
    CONFIG: Role("config", "config"),
    COLLECTOR_KEY: Role("collector", "key"),
    OBSERVER_KEY: Role("observer-key", "key"),
    SCALE: Role("timekeeping", "scale"),
    READINGS: Role("collector", "readings"),
    STEER: Role("timekeeping", "steer"),
    LEASE: Role("lease", "lease"),
    LEASE_NEXT: Role("lease", "lease", after=LEASE),
    OBSERVER_LEASE: Role("observer-lease", "lease"),
    OBSERVER_LEASE_NEXT: Role("observer-lease", "lease", after=OBSERVER_LEASE),
    VERDICT: Role("observer", "verdict"),
    VERDICT_NEXT: Role("observer", "verdict", after=VERDICT),
    WITNESSING: Role("witness", "witnessing"),
    APPROVAL: Role("", "", many=True),
}

BEFORE: tuple[tuple[str, str], ...] = (
    (CONFIG, SERVED),
    (SCALE, SERVED),
    (STEER, SERVED),
    (READINGS, SCALE),
    (COLLECTOR_KEY, READINGS),
    (OBSERVER_KEY, VERDICT),
    (OBSERVER_KEY, VERDICT_NEXT),
)
"""What must stand earlier in the log than what rests on it."""
