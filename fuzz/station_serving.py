"""Fuzz target: any bytes as the control messages of a datagram, and as a table of sources."""

from __future__ import annotations

import contextlib

import numpy as np

from timeball.station.serving.buffers import CONTROL_WORDS, SENT_CONTROL_WORDS
from timeball.station.serving.kernels_interleaved import stamp_in
from timeball.station.serving.kernels_pktinfo import V4_BYTES, V4_KIND, answer_from_asked, find_control
from timeball.station.serving.kernels_stamps import stamp_of
from timeball.station.serving.sources import MAGIC, VERSION, SourcesError, table_in

MESSAGES = [(28, V4_KIND, 1 | 0x0100007F << 32, 0x0100007F), (32, 1 | 35 << 32, 1_790_000_000, 7)]


def seeds() -> list[bytes]:
    """An asked address, a stamp, and an empty table."""
    table = np.zeros(512, np.int64)
    table[:3] = MAGIC, VERSION, 0
    return [*(np.array(message, np.int64).tobytes() for message in MESSAGES), table.tobytes()]


def target(data: bytes) -> None:
    """What is found lies inside what was received, and what is written inside its room."""
    length = min(len(data), 8 * CONTROL_WORDS)
    controls = np.frombuffer(data[:length].ljust(8 * CONTROL_WORDS, b"\0"), np.int64).reshape(1, CONTROL_WORDS).copy()
    assert -1 <= find_control(controls, 0, length, V4_KIND, V4_BYTES) <= CONTROL_WORDS - 2
    assert stamp_of(controls, 0, length) >= -1 or controls[0, 2] < 0 or controls[0, 2] > 2**33 or controls[0, 3] < 0
    number, _ = stamp_in(controls, 0, length)
    assert -1 <= number < 2**32
    sent = np.zeros((1, SENT_CONTROL_WORDS), np.int64)
    for family in (4, 6):
        assert answer_from_asked(controls, 0, length, sent, 0, 3, family) in (0, 32, 40)
    with contextlib.suppress(SourcesError):
        table_in(data)
