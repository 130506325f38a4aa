"""What became of the datagrams that the NTP server received: each in one outcome, each outcome in one class.

The classes are those of ntpd-rs: accepted (answered), denied, ignored, limited, nak (of NTS). Outcomes are told by the
words of this table, in metrics and status alike; the counts stand in the server's page.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from timeball.station.page.serverpage import ServerPage

ACCEPTED: Final = "accepted"
DENIED: Final = "denied"
IGNORED: Final = "ignored"
LIMITED: Final = "limited"
NAK: Final = "nak"
CLASSES: Final = (ACCEPTED, DENIED, IGNORED, LIMITED, NAK)


class Outcome(NamedTuple):
    """`field` of the server's page counts it."""

    word: str
    field: str
    kind: str


OUTCOMES: Final = (
    Outcome("in sync", "replies_in_sync", ACCEPTED),
    Outcome("unsynchronised", "replies_unsynchronised", ACCEPTED),
    Outcome("too short", "dropped_too_short", IGNORED),
    Outcome("wrong version", "dropped_wrong_version", IGNORED),
    Outcome("wrong mode", "dropped_wrong_mode", IGNORED),
)


def outcomes(page: ServerPage) -> dict[str, int]:
    """How many datagrams came to each outcome."""
    return {one.word: getattr(page, one.field) for one in OUTCOMES}


def received(page: ServerPage | None) -> int:
    """Every datagram that was received."""
    return 0 if page is None else sum(outcomes(page).values())


def of_kind(page: ServerPage | None, kind: str) -> int:
    """How many datagrams came to an outcome of this class."""
    return 0 if page is None else sum(getattr(page, one.field) for one in OUTCOMES if one.kind == kind)
