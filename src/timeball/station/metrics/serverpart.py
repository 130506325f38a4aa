"""Metrics of the NTP server: the counters of ntpd-rs by their names, and what each datagram came to in our own words.

Every datagram that is received ends in exactly one of accepted, denied, ignored, rate limited and NTS nak, as in
ntpd-rs; errors in sending are counted beside that. `timeball_server_packets_total` tells the same apart by outcome.
"""

from __future__ import annotations

from collections.abc import Iterator

from timeball.station.metrics.metric import Sample, counter, gauge
from timeball.station.reporting.hostfacts import SocketFacts
from timeball.station.reporting.outcomes import ACCEPTED, DENIED, IGNORED, LIMITED, NAK, of_kind, outcomes, received
from timeball.station.reporting.view import View

LISTEN = "listen_address"
ALL = counter("ntp_server_received_packets_total", "Datagrams received", LISTEN)
BY_CLASS = {
    ACCEPTED: counter("ntp_server_accepted_packets_total", "Datagrams answered, with time or its withdrawal", LISTEN),
    DENIED: counter("ntp_server_denied_packets_total", "Requests that no network of the access list allows", LISTEN),
    IGNORED: counter("ntp_server_ignored_packets_total", "Datagrams dropped because they were no request", LISTEN),
    LIMITED: counter("ntp_server_rate_limited_packets_total", "Requests over a limit of their source", LISTEN),
    NAK: counter("ntp_server_nts_nak_packets_total", "Requests over NTS answered with a NAK", LISTEN),
}
OVER_NTS = {
    "nts_received": counter("ntp_server_nts_received_packets_total", "Datagrams that carried NTS", LISTEN),
    "nts_accepted": counter("ntp_server_nts_accepted_packets_total", "Requests over NTS that were authentic", LISTEN),
}
SEND_ERRORS = counter("ntp_server_response_send_errors_total", "Answers that could not be sent", LISTEN)
PACKETS = counter("timeball_server_packets_total", "Datagrams by what became of them, each in one outcome", "outcome")
RAW_STAMPS = counter("timeball_server_raw_stamps_total", "Requests whose kernel receive stamp was not believed")
FORGED = counter("timeball_server_nts_forged_total", "NTS NAKs that no old key explains")
ANSWERED = counter("timeball_server_answered_total", "Answers by way: MAC, version 5, interleaved, by hand", "way")
SENT_STAMPS = counter("timeball_server_sent_stamps_total", "True transmit stamps that came from the kernel")
PAIR_MOVES = counter("timeball_server_pair_moves_total", "Times that REALTIME moved against RAW")
TORN = counter("timeball_server_torn_pages_total", "Requests that met a page whose writer stood in the middle")
COUNTS_AGE = gauge("timeball_server_counters_age_seconds", "Age of these counters: large when the server stands still")
SOCKET_DROPS = counter("timeball_socket_drops_total", "Datagrams lost because a socket's buffer was full", "socket")
SOCKET_WAITING = gauge("timeball_socket_waiting_bytes", "Bytes that wait in a socket's buffer", "socket")

METRICS = (
    ALL, *BY_CLASS.values(), *OVER_NTS.values(), SEND_ERRORS, PACKETS, RAW_STAMPS, FORGED, ANSWERED, SENT_STAMPS,
    PAIR_MOVES, TORN, COUNTS_AGE, SOCKET_DROPS, SOCKET_WAITING,
)  # fmt: skip
WAYS = {"MAC": "by_mac", "version 5": "by_version5", "interleaved": "interleaved", "by hand": "by_hand"}
"""Ways that an answer may come by beside the plain one; an answer may count in several."""


def collect(view: View) -> Iterator[Sample]:
    """Every figure of this part; of one server process, whose addresses stand together in `listen_address`."""
    addresses = view.config.ntp.listen + view.config.ntp.smeared
    yield from _sockets(view.sockets)
    page = view.server
    if page is None:
        return
    listen = ",".join(addresses)
    yield from ALL.at(received(page), listen)
    for kind, metric in BY_CLASS.items():
        yield from metric.at(of_kind(page, kind), listen)
    for name, metric in OVER_NTS.items():
        yield from metric.at(getattr(page, name), listen)
    yield from SEND_ERRORS.at(page.send_failures, listen)
    for word, count in outcomes(page).items():
        yield from PACKETS.at(count, word)
    yield from FORGED.at(page.nts_forged)
    yield from ANSWERED.each(page, WAYS)
    yield from SENT_STAMPS.at(page.sent_stamps)
    yield from RAW_STAMPS.at(page.raw_stamps)
    yield from PAIR_MOVES.at(page.pair_moves)
    yield from TORN.at(page.torn_pages)
    yield from COUNTS_AGE.at(view.age_s(page))


def _sockets(sockets: list[SocketFacts]) -> Iterator[Sample]:
    """What the kernel says of the sockets on the served ports, several sockets of a port together."""
    drops: dict[str, int] = {}
    waiting: dict[str, int] = {}
    for one in sockets:
        name = f"udp{one.family if one.family == 6 else ''}:{one.port}"
        drops[name] = drops.get(name, 0) + one.drops
        waiting[name] = waiting.get(name, 0) + one.waiting_bytes
    for name, count in drops.items():
        yield from SOCKET_DROPS.at(count, name)
        yield from SOCKET_WAITING.at(waiting[name], name)
