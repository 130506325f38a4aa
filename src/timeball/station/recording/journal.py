"""The write-ahead journal: entries are durable here before they are acknowledged, and integrated into tiles afterwards.

A group is one header with one checksum, the runs, and the payload frames of all its entries. The header also says how
long the durable journal was when the group was begun: that tells a torn tail (never acknowledged: dropped) from damage
(acknowledged: an error). Envelopes are not kept: runs and payloads say all that stands in them. The frames of single
entries that earlier versions wrote are read too, by `oldjournal`.
"""

from __future__ import annotations

import struct
import zlib

from timeball.station.recording import oldjournal
from timeball.station.recording.errors import StoreDamagedError
from timeball.station.recording.filesystem import FileSystem
from timeball.station.recording.group import Group, Run, parse_group

JOURNAL = "journal"
_MAGIC = b"TBj2"
# magic, crc32 of all that follows, index of the first entry, durable length before the group, runs and frames in bytes
_HEADER = struct.Struct(">4sIQQIQ")
_SUMMED = 8
# lengths of the names, first sequence number, count, version, index that is superseded plus one, time; then the names
_RUN = struct.Struct(">BBQIQQQ")
Found = tuple[Group, int, int]


def write_group_head(group: Group, durable: int) -> bytes:
    """What stands before the frames of a group that begins when `durable` bytes of the journal are durable."""
    runs = b"".join(map(_write_run, group.runs))
    header = _HEADER.pack(_MAGIC, 0, group.first, durable, len(runs), group.frames.size)
    checksum = zlib.crc32(group.frames.data, zlib.crc32(header[_SUMMED:] + runs))
    return _MAGIC + checksum.to_bytes(4, "big") + header[_SUMMED:] + runs


def scan_journal(data: bytes) -> tuple[list[Group], int]:
    """Give the whole groups from the front and the offset where they end.

    Raises StoreDamagedError when what follows is not a torn tail: a later group says that more had been durable.
    """
    groups: list[Group] = []
    offset = 0
    while found := _group_at(data, offset):
        group, _, end = found
        if groups and group.first != groups[-1].end:
            raise StoreDamagedError(f"{JOURNAL}, byte {offset}: entry {group.first} after entry {groups[-1].end - 1}")
        groups.append(group)
        offset = end
    _expect_torn_tail(data, offset)
    return groups, offset


class Journal:
    """The journal file. After a failure it is mended (cut back to what is known) before anything new is written."""

    def __init__(self, fs: FileSystem) -> None:
        self._fs = fs
        self._length = 0
        self._suspect = False
        self._found = b""

    @property
    def length(self) -> int:
        """Bytes of whole, durable groups."""
        return self._length

    def open(self) -> list[Group]:
        """Read the groups that survived. Seen is not durable: until `mend` nothing may rest on them."""
        data = self._fs.read(JOURNAL) or b""
        groups, self._length = scan_journal(data)
        self._found = data[: self._length]
        self._suspect = True
        return groups

    def append(self, group: Group) -> None:
        """Write a group and make it durable; on OSError nothing of it counts as written."""
        self.mend()
        head = write_group_head(group, self._length)
        self._suspect = True
        self._fs.write_at(JOURNAL, self._length, head)
        self._fs.write_at(JOURNAL, self._length + len(head), group.frames.data)
        self._fs.sync(JOURNAL)
        self._suspect = False
        self._length += len(head) + group.frames.size

    def cut(self) -> None:
        """Forget all groups: they are integrated and covered by a durable checkpoint."""
        self._length = 0
        self._found = b""
        self._suspect = True
        self.mend()

    def mend(self) -> None:
        """Cut away what a failed write may have left, and make durable what was found; raises OSError."""
        if self._suspect:
            self._fs.truncate(JOURNAL, self._length)
            if self._found:
                # written again: a sync that failed in an earlier life may have left it in memory, and called it clean
                self._fs.write_at(JOURNAL, 0, self._found)
            self._fs.sync(JOURNAL)
            # the file may be new, and its name is as worth keeping as its content
            self._fs.sync_dir("")
            self._found, self._suspect = b"", False


def _write_run(run: Run) -> bytes:
    stream, kind = run.stream.encode(), run.type.encode()
    superseded = 0 if run.supersedes is None else run.supersedes + 1
    fixed = _RUN.pack(len(stream), len(kind), run.first_seq, run.count, run.version, superseded, run.time_ns)
    return fixed + stream + kind


def _parse_runs(data: bytes) -> list[Run] | None:
    runs: list[Run] = []
    offset = 0
    while offset < len(data):
        names = offset + _RUN.size
        if names > len(data):
            return None
        stream, kind, first_seq, count, version, superseded, time_ns = _RUN.unpack_from(data, offset)
        middle, offset = names + stream, names + stream + kind
        # bytes that are no names fail the checksum
        texts = data[names:middle].decode("latin-1"), data[middle:offset].decode("latin-1")
        runs.append(Run(texts[0], first_seq, count, texts[1], version, superseded - 1 if superseded else None, time_ns))
    return runs


def _group_at(data: bytes, offset: int) -> Found | None:
    magic = data[offset : offset + len(_MAGIC)]
    if magic == oldjournal.MAGIC:
        return oldjournal.frame_at(data, offset)
    if magic != _MAGIC or len(data) - offset < _HEADER.size:
        return None
    _, checksum, first, durable, runs_length, frames_length = _HEADER.unpack_from(data, offset)
    body = offset + _HEADER.size + runs_length
    end = body + frames_length
    runs = _parse_runs(data[offset + _HEADER.size : body]) if end <= len(data) else None
    # a frame has at least a header: more entries than that are not there
    if not runs or sum(run.count for run in runs) > frames_length:
        return None
    group = parse_group(first, runs, memoryview(data)[body:end])
    if group is None or zlib.crc32(memoryview(data)[offset + _SUMMED : end]) != checksum:
        return None
    return group, durable, end


def _expect_torn_tail(data: bytes, offset: int) -> None:
    for magic in (_MAGIC, oldjournal.MAGIC):
        position = data.find(magic, offset + 1)
        while position >= 0:
            found = _group_at(data, position)
            if found and found[1] > offset:
                raise StoreDamagedError(
                    f"{JOURNAL}, byte {offset}: an acknowledged entry is unreadable; entry {found[0].first} follows it"
                )
            position = data.find(magic, position + 1)
