"""The NTP server without sockets or clocks: one datagram and what is known of time, one answer with its reason.

This is what the loops of the server are held against, and what answers by hand what they leave over: MACs, version 5,
and everything where no compiler is. Basic mode and versions 1 to 4 as RFC 5905, interleaved mode as RFC 9769 section 2,
kisses as RFC 5905 section 7.4. NTS is another room's (protocols/nts). No reply is longer than its request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from timeball.protocols.ntp import version5
from timeball.protocols.ntp.extensions import CRYPTO_NAK, classify_request, parse_fields
from timeball.protocols.ntp.kiss import build_kiss
from timeball.protocols.ntp.mac import SymmetricKey, UnknownKey, WrongMAC, seal_mac, tag_of, verify_mac
from timeball.protocols.ntp.packet import (
    Packet,
    build_packet,
    build_reply,
    parse_packet,
)
from timeball.protocols.ntp.reasons import Reason
from timeball.protocols.ntp.version5 import Flags, Scale, Stamps, Telling
from timeball.protocols.ntp.view import View, era_of, leap_of, stamp, state_of, tai_stamp

MAC_FIELD_BYTES = 24
NO_REFERENCE_IDS = bytes(version5.FILTER_BYTES)


class Interleaved(Protocol):
    """The transmit stamps of earlier replies, by the receive stamps of the requests they answered."""

    def transmit_of(self, receive: int) -> int | None:
        """The true transmit stamp of the reply that carried this receive stamp, once; None when it is not kept."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What one address answers besides the plain packet. `reference_filter` see version5.reference_filter."""

    keys: Mapping[int, SymmetricKey]
    version5: bool = False
    reference_filter: bytes = NO_REFERENCE_IDS


PLAIN = Settings({})


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes to send back, or None, and what the datagram counts as."""

    reply: bytes | None
    reason: Reason


def respond(datagram: bytes, view: View, settings: Settings = PLAIN, interleaved: Interleaved | None = None) -> Answer:
    """The answer to any datagram that may be answered (access and limits were asked before; see `refuse`)."""
    kind = classify_request(datagram)
    if kind is Reason.BASIC:
        return _header_reply(datagram, view, settings, interleaved)
    if kind is Reason.MAC:
        return _signed(datagram, view, settings, interleaved)
    if kind is Reason.VERSION5:
        if not settings.version5:
            return Answer(None, Reason.WRONG_VERSION)
        return _version5(datagram, view, settings, interleaved)
    return Answer(None, Reason.ELSEWHERE if kind is Reason.NTS else kind)


def refuse(datagram: bytes, reason: Reason, code: int, least_poll: int = 0) -> Answer:
    """The kiss of death for a request that is refused for `reason`; no answer to what is no request of a client."""
    kind = classify_request(datagram)
    if kind in (Reason.BASIC, Reason.MAC, Reason.NTS):
        return Answer(build_kiss(datagram, code, least_poll), reason)
    return Answer(None, kind)


def _header_reply(datagram: bytes, view: View, settings: Settings, interleaved: Interleaved | None) -> Answer:
    """The 48 bytes: interleaved where the request names a receive stamp given earlier, else basic."""
    state = state_of(view)
    asked = parse_packet(datagram)
    if settings.version5 and asked.version == 4 and asked.reference == version5.UPGRADE:
        state = replace(state, reference=version5.UPGRADE)
    reply = build_reply(datagram, state, stamp(view, view.receive), stamp(view, view.transmit))
    earlier = earlier_transmit(asked, interleaved) if view.known else None
    if earlier is None:
        return Answer(reply, Reason.BASIC)
    packet = replace(parse_packet(reply), origin=asked.receive, transmit=earlier)
    return Answer(build_packet(packet), Reason.INTERLEAVED)


def earlier_transmit(asked: Packet, interleaved: Interleaved | None) -> int | None:
    """The transmit stamp for an interleaved reply, None for a basic one (RFC 9769 section 2).

    The origin must be a receive stamp of an earlier reply whose transmit stamp is kept, and the request's own receive
    and transmit stamps must differ, or its client could not tell the two modes apart.
    """
    if interleaved is None or asked.origin == 0 or asked.receive == asked.transmit:
        return None
    return interleaved.transmit_of(asked.origin)


def _signed(datagram: bytes, view: View, settings: Settings, interleaved: Interleaved | None) -> Answer:
    mac = parse_fields(datagram).mac
    try:
        key = verify_mac(settings.keys, datagram[: -len(mac)], mac)
    except (UnknownKey, WrongMAC):
        # what was not authenticated takes nothing out of the store of interleaved stamps
        plain = _header_reply(datagram, view, settings, None).reply
        return Answer((plain or b"") + CRYPTO_NAK, Reason.CRYPTO_NAK)
    answer = _header_reply(datagram, view, settings, interleaved)
    return Answer(seal_mac(key, answer.reply or b""), Reason.MAC)


def _version5(datagram: bytes, view: View, settings: Settings, interleaved: Interleaved | None) -> Answer:
    try:
        request = version5.parse_request(datagram)
        key = verify_mac(settings.keys, datagram[: request.signed_bytes], request.mac) if request.mac else None
    except version5.MalformedVersion5:
        return Answer(None, Reason.MALFORMED_FIELDS)
    except version5.OtherDraft:
        return Answer(None, Reason.OTHER_DRAFT)
    except (UnknownKey, WrongMAC):
        refusal = version5.build_refusal(request, view.least_poll, Flags.AUTHENTICATION_NAK)
        return Answer(version5.fill(refusal, len(datagram)), Reason.CRYPTO_NAK)
    telling = _telling(view, settings)
    earlier = _earlier_version5(request.header, telling.scale, interleaved) if view.known else None
    cookie = telling.stamps[telling.scale].receive if interleaved is not None else 0
    reply = version5.build_reply(request, telling, earlier, cookie)
    if key is None:
        return Answer(version5.fill(reply, len(datagram)), Reason.VERSION5)
    covered = version5.fill(reply, len(datagram) - MAC_FIELD_BYTES)
    mac = key.id.to_bytes(4) + tag_of(key, covered)
    return Answer(covered + version5.build_field(version5.Field.MAC, mac), Reason.VERSION5)


def _earlier_version5(asked: version5.Header, own: Scale, interleaved: Interleaved | None) -> int | None:
    """As `earlier_transmit`, by flag and server cookie; the stamps that are kept count what the address counts."""
    if interleaved is None or not asked.flags & Flags.INTERLEAVED or asked.server_cookie == 0 or asked.scale != own:
        return None
    return interleaved.transmit_of(asked.server_cookie)


def _telling(view: View, settings: Settings) -> Telling:
    state = state_of(view)
    own = Scale.UTC if view.smear is None else Scale.SMEARED_UTC
    reference = stamp(view, view.reference) if view.in_sync else 0
    tai_reference = tai_stamp(view, view.reference) if view.in_sync else 0
    return Telling(
        stamps={
            own: Stamps(era_of(view, view.receive), stamp(view, view.receive), stamp(view, view.transmit), reference),
            Scale.TAI: Stamps(
                era_of(view, view.receive, tai=True),
                tai_stamp(view, view.receive),
                tai_stamp(view, view.transmit),
                tai_reference,
            ),
        },
        scale=own,
        leap=leap_of(view, version5.LEAP_DAYS) if view.in_sync else state.leap,
        stratum=state.stratum,
        poll=view.least_poll,
        precision=state.precision,
        root_delay_s=state.root_delay_s,
        root_dispersion_s=state.root_dispersion_s,
        in_sync=view.in_sync,
        reference_filter=settings.reference_filter,
    )
