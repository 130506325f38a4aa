"""The write-ahead journal: entries are durable here before they are acknowledged, and integrated into tiles afterwards.

A frame is magic, checksum, lengths, the entry's index, and the journal's durable length when its group was begun; then
leaf, salt, payload. That last number tells a torn tail (never acknowledged: dropped) from damage (acknowledged: an
error).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from timeball.station.recording.errors import StoreDamagedError
from timeball.station.recording.filesystem import FileSystem

JOURNAL = "journal"
_MAGIC = b"TBj1"
# magic, crc32 of all that follows, leaf length, salt length, payload length, index, durable length before the group
_HEADER = struct.Struct(">4sIHBIQQ")
_CHECKED = 8


@dataclass(frozen=True, slots=True)
class JournalFrame:
    """One entry as it stands in the journal."""

    index: int
    leaf: bytes
    salt: bytes
    payload: bytes


def write_frame(frame: JournalFrame, durable: int) -> bytes:
    """Write a frame of a group that begins when `durable` bytes of the journal are durable."""
    lengths = len(frame.leaf), len(frame.salt), len(frame.payload)
    body = _HEADER.pack(_MAGIC, 0, *lengths, frame.index, durable)[_CHECKED:] + frame.leaf + frame.salt + frame.payload
    return _MAGIC + zlib.crc32(body).to_bytes(4, "big") + body


def scan_journal(data: bytes) -> tuple[list[JournalFrame], int]:
    """Give the whole frames from the front and the offset where they end.

    Raises StoreDamagedError when what follows is not a torn tail: a later group says that more had been durable.
    """
    frames: list[JournalFrame] = []
    offset = 0
    while found := _frame_at(data, offset):
        frame, _, end = found
        if frames and frame.index != frames[-1].index + 1:
            raise StoreDamagedError(f"{JOURNAL}, byte {offset}: entry {frame.index} after entry {frames[-1].index}")
        frames.append(frame)
        offset = end
    _expect_torn_tail(data, offset)
    return frames, offset


class Journal:
    """The journal file. After a failure it is mended (cut back to what is known) before anything new is written."""

    def __init__(self, fs: FileSystem) -> None:
        self._fs = fs
        self._length = 0
        self._suspect = False

    @property
    def length(self) -> int:
        """Bytes of whole, durable frames."""
        return self._length

    def open(self) -> list[JournalFrame]:
        """Read the frames that survived. Their integration is durable by itself; the journal is to be cut after it."""
        frames, self._length = scan_journal(self._fs.read(JOURNAL) or b"")
        self._suspect = True
        return frames

    def append(self, frames: Sequence[JournalFrame]) -> None:
        """Write a group and make it durable; on OSError nothing of it counts as written."""
        self.mend()
        data = b"".join(write_frame(frame, self._length) for frame in frames)
        self._suspect = True
        self._fs.write_at(JOURNAL, self._length, data)
        self._fs.sync(JOURNAL)
        self._suspect = False
        self._length += len(data)

    def cut(self) -> None:
        """Forget all frames: they are integrated and covered by a durable checkpoint."""
        self._length = 0
        self._suspect = True
        self.mend()

    def mend(self) -> None:
        """Cut away what a failed write may have left; raises OSError when that fails too."""
        if self._suspect:
            self._fs.truncate(JOURNAL, self._length)
            self._fs.sync(JOURNAL)
            # the file may be new, and its name is as worth keeping as its content
            self._fs.sync_dir("")
            self._suspect = False


def _frame_at(data: bytes, offset: int) -> tuple[JournalFrame, int, int] | None:
    if len(data) - offset < _HEADER.size:
        return None
    magic, crc, leaf, salt, payload, index, durable = _HEADER.unpack_from(data, offset)
    body = offset + _HEADER.size
    end = body + leaf + salt + payload
    if magic != _MAGIC or end > len(data) or zlib.crc32(memoryview(data)[offset + _CHECKED : end]) != crc:
        return None
    middle = body + leaf + salt
    return JournalFrame(index, data[body : body + leaf], data[body + leaf : middle], data[middle:end]), durable, end


def _expect_torn_tail(data: bytes, offset: int) -> None:
    position = data.find(_MAGIC, offset + 1)
    while position >= 0:
        found = _frame_at(data, position)
        if found and found[1] > offset:
            raise StoreDamagedError(
                f"{JOURNAL}, byte {offset}: an acknowledged entry is unreadable; entry {found[0].index} follows it"
            )
        position = data.find(_MAGIC, position + 1)
