"""Fuzz target: any bytes as an NTP request of any kind and as a reply. Only typed errors may escape."""

from __future__ import annotations

import contextlib

import numpy as np

from timeball.protocols.ntp import kernels, version5
from timeball.protocols.ntp import packet as ntp
from timeball.protocols.ntp.extensions import build_field, classify_request
from timeball.protocols.ntp.mac import KeyFileError, SymmetricKey, parse_keys, seal_mac
from timeball.protocols.ntp.reasons import Reason
from timeball.protocols.ntp.server import Settings, respond
from timeball.protocols.ntp.smear import DEFAULT_LENGTH_NS, Shape
from timeball.protocols.ntp.view import TAI, Smear, View

LONGEST = 1500
SETTINGS = Settings({1: SymmetricKey(1, "AES128", bytes(16))}, version5=True)
NOW = TAI(1_483_228_837 * 10**9)
SMEAR = Smear(Shape.COSINE, DEFAULT_LENGTH_NS)
VIEW = View(True, False, NOW, NOW, NOW, 36, NOW.ns, 1, 1, 0, -24, 0.0, 1e-6, SMEAR)


class Kept:
    """Every stamp has a transmit stamp."""

    def transmit_of(self, receive: int) -> int | None:
        """One that differs."""
        return receive ^ 1


def seeds() -> list[bytes]:
    """A request of each kind."""
    header = b"\x23" + bytes(23) + bytes(range(1, 25))
    five = b"\x2b" + bytes(23) + bytes(8) + bytes(16) + version5.build_field(version5.Field.DRAFT, version5.DRAFT)
    fields = build_field(0x0104, bytes(range(32))) + build_field(0x0204, bytes(100)) + build_field(0x0404, bytes(36))
    return [header, header + fields, seal_mac(SETTINGS.keys[1], header), five, b"1 AES128 HEX:" + b"00" * 16]


def target(data: bytes) -> None:
    """Classify twice, answer, and take the bytes for a reply to the nonce they carry, and for a file of keys."""
    reason = classify_request(data)
    padded = np.frombuffer(data[:LONGEST].ljust(LONGEST, b"\0"), np.uint8)
    assert kernels.classify(padded, len(data)) == reason
    answer = respond(data, VIEW, SETTINGS, Kept())
    if answer.reply is not None:
        assert ntp.PACKET_BYTES <= len(answer.reply) <= len(data)
        assert classify_request(answer.reply) is Reason.WRONG_MODE
        assert answer.reply[0] >> 6 == ntp.LEAP_UNSYNCHRONISED
        assert answer.reply[1] == 0
        if answer.reason is Reason.VERSION5:
            version5.parse_message(answer.reply)
    take_for_reply(data)
    with contextlib.suppress(KeyFileError):
        parse_keys(data.decode("utf-8", "replace"))


def take_for_reply(data: bytes) -> None:
    """As a client would."""
    nonce = int.from_bytes(data[24:32])
    try:
        answer = ntp.parse_reply(data, nonce)
    except ntp.NTPError:
        return
    assert ntp.build_packet(answer.packet) == data[: ntp.PACKET_BYTES]
