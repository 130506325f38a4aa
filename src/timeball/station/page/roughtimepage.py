"""The Roughtime server's counters in a shared page, for status, console and metrics.

Every packet, datagram or one of a stream, ends in exactly one of `replies`, `send_failures` and the `dropped_*`. The
server's main thread writes the page a few times a second. Counts begin at its start.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

from timeball.station.paths import run_dir


@dataclass(frozen=True)
class RoughtimePage:
    """Counts since `started_boottime_ns`; `updated_boottime_ns` says when they stood so. Field order is layout.

    `packets` came in. `replies` were sent; of `send_failures` the kernel refused to send the reply. Not answered:
    `dropped_too_short` for a reply that is not longer, `dropped_too_long`, `dropped_malformed`, `dropped_other_key`
    (SRV names another long-term key), `dropped_no_version` in common, `dropped_unsynchronised`, `dropped_no_key` whose
    times hold now. `answers_version_1` and `answers_draft` were made by version, `greased` of them wrong on purpose,
    under `signatures`. Of TCP: `connections` taken, `connections_refused` that gave way for want of room, closed when
    `connections_idle` too long or `connections_broken`. `key_maxt_s` until when (Unix seconds) the online key in use
    may sign, 0 before the first.
    """

    MAGIC: ClassVar[bytes] = b"TBALL-RT"

    boot_id: tuple[int, int]
    pid: int
    started_boottime_ns: int
    updated_boottime_ns: int
    key_maxt_s: int
    packets: int
    replies: int
    send_failures: int
    dropped_too_short: int
    dropped_too_long: int
    dropped_malformed: int
    dropped_other_key: int
    dropped_no_version: int
    dropped_unsynchronised: int
    dropped_no_key: int
    answers_version_1: int
    answers_draft: int
    greased: int
    signatures: int
    connections: int
    connections_refused: int
    connections_idle: int
    connections_broken: int


COUNTED = tuple(field.name for field in fields(RoughtimePage))[5:]
"""The names of the counters, in the order of their array."""
(
    PACKETS,
    REPLIES,
    SEND_FAILURES,
    DROPPED,
    _,
    _,
    _,
    _,
    _,
    _,
    ANSWERS,
    _,
    GREASED,
    SIGNATURES,
    CONNECTIONS,
    CONNECTIONS_REFUSED,
    CONNECTIONS_IDLE,
    CONNECTIONS_BROKEN,
) = range(18)
"""Places in that array; DROPPED + reason − 1 for each reason, ANSWERS + index of the version in `VERSIONS`."""
COUNTERS = len(COUNTED)


def roughtime_page(state: Path) -> Path:
    """STATE/run/page.roughtime."""
    return run_dir(state) / "page.roughtime"
