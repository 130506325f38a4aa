"""Reports of chronyd whose form changes between its versions: serverstats, ntpdata, authdata.

A reply is read where its layout is one known here and is long enough; LayoutError otherwise, and then `chronyc -c` of
the installed version knows (printed.py reads what it prints). All three are answered on chronyd's Unix socket alone,
unless its `opencommands` says otherwise. Signs: offsets here are as NTP has them, server − system.

Source: chrony's candm.h of 4.0 to 4.8 and client.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from timeball.protocols.chrony.candm import Fields, Reply, address_words, refid_words
from timeball.protocols.chrony.errors import LayoutError

SERVER_STATS_OF = {
    22: ("ntp_hits", "nke_hits", "command_hits", "ntp_drops", "nke_drops", "command_drops", "log_drops", "nts_hits"),
    24: (
        *("ntp_hits", "nke_hits", "command_hits", "ntp_drops", "nke_drops", "command_drops", "log_drops", "nts_hits"),
        *("interleaved_hits", "timestamps_held", "timestamps_span_s"),
    ),
    25: (
        *("ntp_hits", "nke_hits", "command_hits", "ntp_drops", "nke_drops", "command_drops", "log_drops", "nts_hits"),
        *("interleaved_hits", "timestamps_held", "timestamps_span_s"),
        *("daemon_rx_stamps", "daemon_tx_stamps", "kernel_rx_stamps", "kernel_tx_stamps", "hardware_rx_stamps"),
        "hardware_tx_stamps",
    ),
}
"""Names of the counts of each layout, in their order; 22 and 24 have 32 bits each, 25 has 64."""
STAMPED_BY = {"D": "daemon", "K": "kernel", "H": "hardware"}
AUTH_MODES = {0: "none", 1: "symmetric", 2: "NTS"}
NONE = 0xFFFFFFFF
"""An age that there is none of; a count that an older chronyd does not keep."""


@dataclass(frozen=True, slots=True)
class NTPData:
    """The last exchange with one NTP source, and how many there were; `good` is None where it is not counted.

    `offset_s` server − system, `interleaved` and `authenticated` of the last exchange, stamps by daemon, kernel or
    hardware.
    """

    address: str
    port: int
    leap: int
    version: int
    stratum: int
    poll: int
    root_delay_s: float
    root_dispersion_s: float
    refid: str
    offset_s: float
    delay_s: float
    dispersion_s: float
    response_s: float
    interleaved: bool
    authenticated: bool
    tx_stamped_by: str
    rx_stamped_by: str
    sent: int
    received: int
    valid: int
    good: int | None


@dataclass(frozen=True, slots=True)
class AuthData:
    """How one source is authenticated: for NTS the AEAD's number as `key_type`, cookies held, NAKs received."""

    mode: str
    key_id: int
    key_type: int
    key_bits: int
    last_exchange_s: int | None
    attempts: int
    naks: int
    cookies: int
    cookie_bytes: int


def parse_server_stats(reply: Reply) -> dict[str, int]:
    """The counts of the report `serverstats` by name."""
    names = SERVER_STATS_OF.get(reply.layout)
    if names is None:
        raise LayoutError(f"serverstats of layout {reply.layout}, which is not known here")
    fields = Fields(reply.body)
    return dict(zip(names, fields.take(f"{len(names)}{'Q' if reply.layout == 25 else 'I'}"), strict=True))


def parse_ntp_data(reply: Reply) -> NTPData:
    """The report `ntpdata` of one source, of layout 16 or 26."""
    if reply.layout not in (16, 26):
        raise LayoutError(f"ntpdata of layout {reply.layout}, which is not known here")
    fields = Fields(reply.body)
    address = address_words(*fields.address())
    fields.address()
    port, leap, version, _mode, stratum, poll, _precision = fields.take("HBBBBbb")
    root_delay, root_dispersion = fields.number(), fields.number()
    (refid,) = fields.take("I")
    fields.instant_ns()
    offset, delay, dispersion, response, _asymmetry = (fields.number() for _ in range(5))
    flags, tx, rx, sent, received, valid, good = fields.take("HBBIIII")
    return NTPData(
        *(address, port, leap, version, stratum, poll, root_delay, root_dispersion, refid_words(refid)),
        *(offset, delay, dispersion, response, bool(flags & 0x4000), bool(flags & 0x8000)),
        *(_stamped_by(tx), _stamped_by(rx), sent, received, valid, None if good == NONE else good),
    )


def parse_auth_data(reply: Reply) -> AuthData:
    """The report `authdata` of one source."""
    if reply.layout != 20:
        raise LayoutError(f"authdata of layout {reply.layout}, which is not known here")
    mode, kind, key_id, bits, attempts, ago_s, cookies, length, naks = Fields(reply.body).take("HHIHHIHHH")
    words = AUTH_MODES.get(mode, f"mode {mode}")
    return AuthData(words, key_id, kind, bits, None if ago_s == NONE else ago_s, attempts, naks, cookies, length)


def _stamped_by(letter: int) -> str:
    return STAMPED_BY.get(chr(letter), "unknown")


def as_document(report: Any) -> dict[str, Any]:
    """A report's fields by name, without the address in a request's form."""
    return {name: getattr(report, name) for name in report.__slots__ if name != "key"}
