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
    Outcome("denied", "dropped_denied", DENIED),
    Outcome("kiss DENY", "kisses_deny", DENIED),
    Outcome("kiss RSTR", "kisses_rstr", DENIED),
    Outcome("crypto-NAK", "crypto_naks", DENIED),
    Outcome("limited", "dropped_limited", LIMITED),
    Outcome("kiss RATE", "kisses_rate", LIMITED),
    Outcome("NTS NAK", "nts_naks", NAK),
    Outcome("too short", "dropped_too_short", IGNORED),
    Outcome("too long", "dropped_too_long", IGNORED),
    Outcome("wrong version", "dropped_wrong_version", IGNORED),
    Outcome("wrong mode", "dropped_wrong_mode", IGNORED),
    Outcome("malformed fields", "dropped_malformed_fields", IGNORED),
    Outcome("malformed MAC", "dropped_malformed_mac", IGNORED),
    Outcome("malformed NTS", "dropped_nts_malformed", IGNORED),
    Outcome("other draft", "dropped_other_draft", IGNORED),
    Outcome("no port", "dropped_no_port", IGNORED),
    Outcome("busy", "dropped_busy", IGNORED),
    Outcome("internal error", "dropped_internal_error", IGNORED),
)


def outcomes(page: ServerPage) -> dict[str, int]:
    """How many datagrams came to each outcome."""
    return {one.word: getattr(page, one.field) for one in OUTCOMES}


def received(page: ServerPage | None) -> int:
    """Every datagram that was received, as the sum of its outcomes."""
    return 0 if page is None else sum(outcomes(page).values())


def of_kind(page: ServerPage | None, kind: str) -> int:
    """How many datagrams came to an outcome of this class."""
    return 0 if page is None else sum(getattr(page, one.field) for one in OUTCOMES if one.kind == kind)
