"""The status of what answers the public and of what is fed: NTP, NTS, Roughtime, the outputs beside the signal.

Counts are since each process started, by the pages that they write; zeros while none of this boot has run. Keys as
`timeball status --json` prints them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from timeball.protocols.ntp.smear import Shape, smeared_offset_fs
from timeball.station.configuration.config import Config
from timeball.station.configuration.outputs import AnyOutput, ChronySock
from timeball.station.page.clockpage import PageReader, ServedTime, TimekeeperPage
from timeball.station.page.feedpage import NOT_YET, OUTCOME_WORDS, FeedPage, Outcome, feed_page
from timeball.station.page.keyexchangepage import KeyExchangePage, keyexchange_page
from timeball.station.page.roughtimepage import RoughtimePage, roughtime_page
from timeball.station.page.serverpage import ServerPage, server_page
from timeball.station.reporting.outcomes import DENIED, IGNORED, LIMITED, NAK, of_kind, received

Payload = dict[str, Any]
NTP_COUNTS = (
    "received",
    "requests",
    "replies",
    "in_sync",
    "unsynchronised",
    "refused",
    "limited",
    "naks",
    "malformed",
    "internal_errors",
    "nts",
    "raw_stamps",
)


class ServerPages:
    """The pages of a station's servers, read again and again."""

    def __init__(self, state: Path, config: Config) -> None:
        self._config = config
        self._server = PageReader(server_page(state), ServerPage, plain=True)
        self._exchange = PageReader(keyexchange_page(state), KeyExchangePage, plain=True)
        self._roughtime = PageReader(roughtime_page(state), RoughtimePage, plain=True)
        self._feeds = [
            PageReader(feed_page(state, index), FeedPage, plain=True) for index in range(len(config.outputs))
        ]

    def ntp(self) -> Payload:
        """Datagrams by what became of them."""
        page, counts = self._server.read(), dict.fromkeys(NTP_COUNTS, 0)
        if page is not None:
            counts = {
                "received": received(page),
                "requests": page.requests,
                "replies": page.replies,
                "in_sync": page.replies_in_sync,
                "unsynchronised": page.replies_unsynchronised,
                "refused": of_kind(page, DENIED),
                "limited": of_kind(page, LIMITED),
                "naks": of_kind(page, NAK),
                "malformed": of_kind(page, IGNORED) - page.dropped_internal_error,
                "internal_errors": page.dropped_internal_error,
                "nts": page.nts_accepted,
                "raw_stamps": page.raw_stamps,
            }
        return {"listen": list(self._config.ntp.listen + self._config.ntp.smeared), **counts}

    def nts(self) -> Payload:
        """The key exchange, its certificate and the key of new cookies."""
        page, listen = self._exchange.read(), list(self._config.nts.listen)
        if page is None:
            nothing = {"certificate_left_s": None, "key_age_s": None}
            return {"listen": listen, "handshakes": 0, "failures": 0, "open": 0, **nothing}
        return {
            "listen": listen,
            "handshakes": page.agreed,
            "failures": page.accepted - page.agreed - page.open,
            "open": page.open,
            "certificate_left_s": page.certificate_left_s if page.certificate_expires_unix_s else None,
            "key_age_s": page.key_age_s,
        }

    def roughtime(self) -> Payload:
        """Roughtime's packets."""
        page, listen = self._roughtime.read(), list(self._config.roughtime.listen)
        packets, replies = (page.packets, page.replies) if page is not None else (0, 0)
        return {"listen": listen, "packets": packets, "replies": replies}

    def outputs(self) -> list[str]:
        """A sentence for each output beside the signal."""
        pages = zip(self._config.outputs, self._feeds, strict=True)
        return [f"{output_name(output)}: {output_words(reader.read())}" for output, reader in pages]


def smear_part(config: Config, page: TimekeeperPage | None, now: ServedTime) -> Payload:
    """Where and how leap seconds are smeared; `offset_s` is smeared time minus UTC as served elsewhere, now."""
    ntp = config.ntp
    known = page is not None and now.tai_ns > 0
    offset_s = smear_offset_s(config, page, now) if page is not None and known and ntp.smeared else None
    return {"listen": list(ntp.smeared), "shape": ntp.smear, "length_s": ntp.smear_s, "offset_s": offset_s}


def smear_offset_s(config: Config, page: TimekeeperPage, now: ServedTime) -> float:
    """Smeared UTC minus UTC (s): 0 outside the smear, within ±0.5 inside it."""
    shape, length_ns = Shape[config.ntp.smear.upper()], round(config.ntp.smear_s * 1e9)
    ahead_fs = smeared_offset_fs(now.tai_ns, page.leap_tai_ns, page.leap_sign, shape, length_ns)
    # that is against the count before the leap second; UTC itself may have changed its count already
    return ahead_fs / 1e15 + (now.tai_minus_utc_s - page.tai_minus_utc_s)


def output_name(output: AnyOutput) -> str:
    """An output's name for people and labels: its kind and where it goes."""
    return f"chrony-sock {output.path}" if isinstance(output, ChronySock) else f"phc {output.device}"


def output_words(page: FeedPage | None) -> str:
    """What became of the newest turn of an output."""
    if page is None or page.outcome == NOT_YET:
        return "the feeder has not begun"
    outcome = Outcome(page.outcome)
    if outcome != Outcome.GIVEN:
        return OUTCOME_WORDS[outcome]
    return f"given, served minus fed {page.offset_s * 1e6:+.3f} µs"
