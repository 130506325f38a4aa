"""Metrics of the Roughtime server: packets by what became of them, answers by version, connections, the online key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from timeball.station.metrics.metric import Sample, counter, gauge
from timeball.station.reporting.view import View

PACKETS = counter("timeball_roughtime_packets_total", "Packets by what became of them, each in one outcome", "outcome")
ANSWERS = counter("timeball_roughtime_answers_total", "Answers made, by version", "version")
GREASED = counter("timeball_roughtime_greased_total", "Of these, made wrong on purpose")
SIGNATURES = counter("timeball_roughtime_signatures_total", "Signatures made, one a batch and version")
CONNECTIONS = counter("timeball_roughtime_connections_total", "Connections over TCP, and why some ended", "event")
KEY_LEFT = gauge("timeball_roughtime_key_remaining_seconds", "Time that the online key may still sign, by served time")
COUNTS_AGE = gauge("timeball_roughtime_counters_age_seconds", "Age of these counters: large when it stands still")

METRICS = (PACKETS, ANSWERS, GREASED, SIGNATURES, CONNECTIONS, KEY_LEFT, COUNTS_AGE)
OUTCOMES: Final = {
    "answered": "replies",
    "not sent": "send_failures",
    "too short": "dropped_too_short",
    "too long": "dropped_too_long",
    "malformed": "dropped_malformed",
    "other key": "dropped_other_key",
    "no version": "dropped_no_version",
    "unsynchronised": "dropped_unsynchronised",
    "no key": "dropped_no_key",
}
VERSIONS: Final = {"1": "answers_version_1", "0x8000000c": "answers_draft"}
EVENTS: Final = {
    "taken": "connections",
    "refused": "connections_refused",
    "idle": "connections_idle",
    "broken": "connections_broken",
}
"""Fields of the page by outcome, version and event."""


def collect(view: View) -> Iterator[Sample]:
    """Every figure of this part; none where no Roughtime server of this boot has run."""
    page = view.roughtime
    if page is None:
        return
    yield from PACKETS.each(page, OUTCOMES)
    yield from ANSWERS.each(page, VERSIONS)
    yield from GREASED.at(page.greased)
    yield from SIGNATURES.at(page.signatures)
    yield from CONNECTIONS.each(page, EVENTS)
    if page.key_maxt_s and view.timekeeper is not None:
        yield from KEY_LEFT.at(page.key_maxt_s - (view.now.tai_ns / 1e9 - view.now.tai_minus_utc_s))
    yield from COUNTS_AGE.at(view.age_s(page))
