"""The NTP server's counters in a shared page, for status, console and metrics: every datagram ends in one of them.

The server's main thread writes it a few times a second; no datagram waits for that. Counts begin at its start.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from timeball.station.paths import run_dir


@dataclass(frozen=True)
class ServerPage:
    """Counts since `started_boottime_ns`; `updated_boottime_ns` says when they stood so. Field order is layout.

    Each of the `received` datagrams is exactly one of OUTCOMES. `requests` got the time: each is one of
    `replies_in_sync` and `replies_unsynchronised`. The kisses of death and NAKs got an answer without time, the
    `dropped_*` none. Every answer is one of `replies` (sent) and `send_failures`. `dropped_no_port` came from port 0,
    where nothing can be sent to; at a `dropped_internal_error` our own code failed, which should not occur.

    The others tell of the same datagrams once more. `raw_stamps` requests had no usable kernel stamp, `pair_moves`
    times REALTIME moved against RAW, `torn_pages` readings met a page whose writer stood in the middle.
    `nts_received` carried NTS; of these `nts_accepted` were authentic, `nts_naks` refused, `nts_forged` of the refused
    no matter of an old key. `by_mac`, `by_version5` and `interleaved` requests were answered so, `by_hand` by Python;
    `sent_stamps` true transmit stamps came from the kernel, and `lost_by_kernel` found the queue of a socket full.
    """

    MAGIC: ClassVar[bytes] = b"TBALL-SV"
    OUTCOMES: ClassVar[tuple[str, ...]] = (
        "requests",
        "kisses_rate",
        "kisses_deny",
        "kisses_rstr",
        "crypto_naks",
        "nts_naks",
        "dropped_too_short",
        "dropped_wrong_version",
        "dropped_wrong_mode",
        "dropped_too_long",
        "dropped_malformed_fields",
        "dropped_malformed_mac",
        "dropped_other_draft",
        "dropped_limited",
        "dropped_denied",
        "dropped_busy",
        "dropped_nts_malformed",
        "dropped_no_port",
        "dropped_internal_error",
    )

    boot_id: tuple[int, int]
    pid: int
    started_boottime_ns: int
    updated_boottime_ns: int
    requests: int
    replies: int
    replies_in_sync: int
    replies_unsynchronised: int
    dropped_too_short: int
    dropped_wrong_version: int
    dropped_wrong_mode: int
    send_failures: int
    raw_stamps: int
    pair_moves: int
    torn_pages: int
    received: int
    dropped_too_long: int
    dropped_malformed_fields: int
    dropped_malformed_mac: int
    dropped_other_draft: int
    dropped_limited: int
    dropped_denied: int
    dropped_busy: int
    kisses_rate: int
    kisses_deny: int
    kisses_rstr: int
    crypto_naks: int
    nts_received: int
    nts_accepted: int
    nts_naks: int
    nts_forged: int
    dropped_nts_malformed: int
    by_mac: int
    by_version5: int
    by_hand: int
    interleaved: int
    sent_stamps: int
    lost_by_kernel: int
    dropped_no_port: int
    dropped_internal_error: int


def server_page(state: Path) -> Path:
    """STATE/run/page.server."""
    return run_dir(state) / "page.server"
