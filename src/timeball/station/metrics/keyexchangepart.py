"""Metrics of NTS: connections of the key exchange by how they ended, the certificate, the keys of the cookies.

What the NTP server does with cookies is counted by the server's own part.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from timeball.station.metrics.metric import Sample, counter, gauge
from timeball.station.reporting.view import View

CONNECTIONS = counter("timeball_nts_ke_connections_total", "Connections that ended, each in one outcome", "outcome")
OPEN = gauge("timeball_nts_ke_open_connections", "Connections that are open")
ACCEPT_FAILURES = counter("timeball_nts_ke_accept_failures_total", "Connections for which no descriptor was left")
COOKIES = counter("timeball_nts_ke_cookies_total", "Cookies given")
CERTIFICATE_LEFT = gauge("timeball_nts_certificate_remaining_seconds", "Time until the certificate shown ends")
CERTIFICATES = counter("timeball_nts_certificates_total", "New certificates, taken or refused as bad", "result")
KEY_AGE = gauge("timeball_nts_key_age_seconds", "For how long the key of new cookies has been in use")
KEY_LIFE = gauge("timeball_nts_key_life_seconds", "Time between two new keys (nts.rotate_s)")
KEYS = gauge("timeball_nts_keys", "Keys whose cookies are taken")
KEY_CHANGES = counter("timeball_nts_key_changes_total", "New keys that came into use")
KEY_FAILURES = counter("timeball_nts_key_failures_total", "Times that the keys could not be written")
CLUSTER = counter("timeball_nts_cluster_fetches_total", "Fetches of keys within the cluster, by result", "result")
CLUSTER_AGE = gauge("timeball_nts_cluster_age_seconds", "Time since keys were last fetched from the leader")
WORKERS = gauge("timeball_nts_ke_workers", "Processes that shake hands")
WORKER_DEATHS = counter("timeball_nts_ke_worker_deaths_total", "Of these, how many ended unasked")

METRICS = (
    CONNECTIONS, OPEN, ACCEPT_FAILURES, COOKIES, CERTIFICATE_LEFT, CERTIFICATES, KEY_AGE, KEY_LIFE, KEYS, KEY_CHANGES,
    KEY_FAILURES, CLUSTER, CLUSTER_AGE, WORKERS, WORKER_DEATHS,
)  # fmt: skip
OUTCOMES: Final = (
    "agreed",
    "no_protocol",
    "no_aead",
    "unknown_critical",
    "bad_request",
    "tls_failed",
    "no_alpn",
    "timed_out",
    "hung_up",
    "evicted",
    "crowded",
    "limited",
    "internal_errors",
)
"""How a connection ends: fields of the page."""


def collect(view: View) -> Iterator[Sample]:
    """Every figure of this part; none where no key exchange of this boot has run."""
    page = view.keyexchange
    if page is None:
        return
    yield from CONNECTIONS.each(page, {outcome.replace("_", " "): outcome for outcome in OUTCOMES})
    yield from OPEN.at(page.open)
    yield from ACCEPT_FAILURES.at(page.accept_failures)
    yield from COOKIES.at(page.cookies)
    if page.certificate_expires_unix_s:
        yield from CERTIFICATE_LEFT.at(page.certificate_left_s)
    yield from CERTIFICATES.each(page, {"taken": "certificates_taken", "refused": "certificates_refused"})
    yield from WORKERS.at(page.workers)
    yield from WORKER_DEATHS.at(page.worker_deaths)
    yield from KEY_AGE.at(page.key_age_s)
    yield from KEY_LIFE.at(view.config.nts.rotate_s)
    yield from KEYS.at(page.keys)
    yield from KEY_CHANGES.at(page.key_changes)
    yield from KEY_FAILURES.at(page.key_failures)
    for result in ("served", "refused", "fetched", "failures"):
        yield from CLUSTER.at(getattr(page, f"cluster_{result}"), result.replace("failures", "failed"))
    if page.cluster_age_s >= 0:
        yield from CLUSTER_AGE.at(page.cluster_age_s)
