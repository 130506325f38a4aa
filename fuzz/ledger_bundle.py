"""Fuzz target: any bytes as an entry bundle, a payload frame, a journal, and a recorder message."""

from __future__ import annotations

import contextlib

import msgspec

from timeball.ledger.errors import TileError
from timeball.ledger.payload import parse_frame, write_frame
from timeball.ledger.tiles import parse_bundle, write_bundle
from timeball.station.recording.errors import StoreDamagedError
from timeball.station.recording.journal import scan_journal
from timeball.station.recording.recorder_wire import WireError, question_decoder, take_message


def target(data: bytes) -> None:
    """What is accepted is written back the same."""
    width, rest = (data[0] if data else 0), data[1:]
    with contextlib.suppress(TileError):
        assert write_bundle(parse_bundle(rest, width)) == rest
    try:
        frame = parse_frame(rest)
        if frame.payload is not None:
            assert write_frame(frame.salt, frame.payload) == rest[: frame.end]
    except TileError:
        pass
    try:
        frames, end = scan_journal(data)
        assert end <= len(data)
        assert bool(frames) == bool(end)
    except StoreDamagedError:
        pass
    try:
        message = take_message(bytearray(data))
        question_decoder.decode(message or b"")
    except (WireError, msgspec.DecodeError, UnicodeDecodeError):
        pass
