"""Fuzz target: any bytes as ptp4l's answer to a management request."""

from __future__ import annotations

from timeball.protocols.ptp import management as ptp


def target(data: bytes) -> None:
    """Only ManagementError may escape; what is taken is written again with the same settings."""
    try:
        settings = ptp.parse_settings(data)
    except ptp.ManagementError:
        return
    written = bytearray(ptp.build_settings(settings, 1, 0))
    written[46] = ptp.Action.RESPONSE  # the action of a management message: header 34, target 10, hops 2
    assert ptp.parse_settings(bytes(written), 1) == settings
