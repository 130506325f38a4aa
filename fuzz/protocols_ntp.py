"""Fuzz target: any bytes as an NTP request and as a reply. Only typed errors may escape."""

from __future__ import annotations

import numpy as np

from timeball.protocols.ntp import kernels
from timeball.protocols.ntp import packet as ntp
from timeball.protocols.ntp.extensions import classify_request
from timeball.protocols.ntp.reasons import ANSWERABLE, Reason


def target(data: bytes) -> None:
    """Classify twice, answer what is a request, and take the bytes for a reply to the nonce they carry."""
    reason = classify_request(data)
    padded = np.frombuffer(data[:1300].ljust(1300, b"\0"), np.uint8)
    assert kernels.classify(padded, len(data)) == reason
    if reason in ANSWERABLE and reason is not Reason.VERSION5:
        reply = ntp.build_reply(data, ntp.unsynchronised(-24), 1, 2)
        assert len(reply) == ntp.PACKET_BYTES <= len(data)
        assert classify_request(reply) is Reason.WRONG_MODE
    nonce = int.from_bytes(data[24:32])
    try:
        answer = ntp.parse_reply(data, nonce)
    except ntp.NTPError:
        return
    assert ntp.build_packet(answer.packet) == data[: ntp.PACKET_BYTES]
