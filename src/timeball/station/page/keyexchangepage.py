"""The key exchange's counters in a shared page, for status, console and metrics: every connection ends in one of them.

The keyexchange process writes it a few times a second, the sum over all that shake hands. Counts begin at its start.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from timeball.station.paths import run_dir


@dataclass(frozen=True)
class KeyExchangePage:
    """Counts since `started_boottime_ns`; `updated_boottime_ns` says when they stood so. Field order is layout.

    `accepted` connections are open (`open`) or ended in one of: `agreed` (cookies given), `no_protocol`, `no_aead`,
    `unknown_critical`, `bad_request` (answered as RFC 8915 asks), `tls_failed`, `no_alpn`, `timed_out`, `hung_up`,
    `evicted` (the oldest gave way to a new one), `crowded` (the oldest of a network gave way to a new one of it),
    `limited` (its network came too often), `internal_errors`. `accept_failures`: no descriptor was left for one.
    `certificate_expires_unix_s` and `certificate_left_s` of the certificate that is shown (0 without one);
    `certificates_taken` after the first, `certificates_refused` were bad and left the old one in place.
    `key_id` in use since `key_age_s`; `keys` open cookies, `key_changes` and `key_failures` (could not be written).
    `cluster_served` and `cluster_refused` fetches of others; `cluster_fetched`, `cluster_failures` of this one's own,
    `cluster_age_s` since the last that went well (−1: none yet). `workers` shake hands, `worker_deaths` ended unasked.
    """

    MAGIC: ClassVar[bytes] = b"TBALL-KE"

    boot_id: tuple[int, int]
    pid: int
    started_boottime_ns: int
    updated_boottime_ns: int
    accepted: int
    agreed: int
    no_protocol: int
    no_aead: int
    unknown_critical: int
    bad_request: int
    tls_failed: int
    no_alpn: int
    timed_out: int
    hung_up: int
    evicted: int
    crowded: int
    limited: int
    internal_errors: int
    accept_failures: int
    cookies: int
    open: int
    certificate_expires_unix_s: int
    certificate_left_s: int
    certificates_taken: int
    certificates_refused: int
    key_id: int
    key_age_s: int
    keys: int
    key_changes: int
    key_failures: int
    cluster_served: int
    cluster_refused: int
    cluster_fetched: int
    cluster_failures: int
    cluster_age_s: int
    workers: int
    worker_deaths: int


def keyexchange_page(state: Path) -> Path:
    """STATE/run/page.keyexchange."""
    return run_dir(state) / "page.keyexchange"
