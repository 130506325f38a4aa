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

    `requests` got an answer: each is one of `replies_in_sync` and `replies_unsynchronised`, and one of `replies`
    (sent) and `send_failures`. The `dropped_*` got no answer. `raw_stamps` requests had no usable kernel stamp,
    `pair_moves` times REALTIME moved against RAW, `torn_pages` requests met a page whose writer stood in the middle.
    """

    MAGIC: ClassVar[bytes] = b"TBALL-SV"

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


def server_page(state: Path) -> Path:
    """STATE/run/page.server."""
    return run_dir(state) / "page.server"
