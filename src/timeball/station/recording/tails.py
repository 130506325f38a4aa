"""Where each stream stands: its last sequence number and entry, so that a gap is refused and a repetition recognised.

The log itself is the truth; the cache file only spares reading it whole at start, and is checked against it.
"""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Iterable

import msgspec

from timeball.ledger.entry import Envelope, parse_envelope
from timeball.ledger.log import TiledLog
from timeball.ledger.merkle import hash_leaf
from timeball.ledger.tiles import WIDTH
from timeball.station.recording.errors import StoreDamagedError

# runs of entries that are remembered for each stream: enough for what a client may repeat
_REMEMBERED = 128


class CachedTails(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the cache file holds: valid for a log whose entry `size` − 1 hashes to `leaf` (base64)."""

    size: int
    leaf: str
    streams: dict[str, tuple[int, int]]


class StreamTails:
    """For each stream the last sequence number and its entry's index, and where its recent entries stand.

    Recent entries are remembered as runs (first sequence number, count, index of the first), in order; a run grows
    while numbers and indices go on together.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}
        self._recent: dict[str, list[tuple[int, int, int]]] = {}

    def next_seq(self, stream: str) -> int:
        """The sequence number the stream must use next."""
        return self._last.get(stream, (0, -1))[0] + 1

    def last_index(self, stream: str) -> int:
        """Index of the stream's last entry, −1 when it has none."""
        return self._last.get(stream, (0, -1))[1]

    def recent(self, stream: str, seq: int) -> int | None:
        """Index of a recent entry, None when it is not remembered."""
        runs = self._recent.get(stream, [])
        position = bisect_right(runs, seq, key=lambda run: run[0]) - 1
        if position < 0 or seq >= runs[position][0] + runs[position][1]:
            return None
        return runs[position][2] + seq - runs[position][0]

    def record(self, stream: str, first_seq: int, count: int, index: int) -> None:
        """Note entries that follow each other, `index` being that of the first."""
        runs = self._recent.setdefault(stream, [])
        if runs and (runs[-1][0] + runs[-1][1], runs[-1][2] + runs[-1][1]) == (first_seq, index):
            runs[-1] = (runs[-1][0], runs[-1][1] + count, runs[-1][2])
        else:
            runs.append((first_seq, count, index))
        self._last[stream] = (first_seq + count - 1, index + count - 1)
        if len(runs) > 2 * _REMEMBERED:
            del runs[:-_REMEMBERED]

    def to_json(self, size: int, leaf_hash: bytes) -> bytes:
        """The cache file of a log of `size` entries."""
        return msgspec.json.encode(CachedTails(size, base64.b64encode(leaf_hash).decode("ascii"), self._last))

    def restore(self, streams: Iterable[tuple[str, tuple[int, int]]]) -> None:
        """Take the last entries of streams from a cache."""
        self._last.update(streams)


def load_tails(cached: bytes | None, log: TiledLog) -> tuple[StreamTails, int]:
    """Where each stream of the log stands, and how many entries a valid cache spared reading; raises LedgerError."""
    tails, start = StreamTails(), 0
    cache = _parse_cache(cached)
    if cache and 0 < cache.size <= log.size:
        tails.restore(cache.streams.items())
        if tails.to_json(cache.size, hash_leaf(_leaf(log, cache.size - 1))) == cached:
            start = cache.size
        else:
            tails = StreamTails()
    for bundle in range(start // WIDTH, (log.size + WIDTH - 1) // WIDTH):
        for index, leaf in enumerate(log.bundle(bundle), bundle * WIDTH):
            if index >= start:
                envelope = parse_envelope(leaf)
                tails.record(envelope.by, envelope.seq, 1, index)
    return tails, start


def last_envelope(log: TiledLog) -> Envelope:
    """The envelope of the last entry of a log that is not empty; raises LedgerError."""
    return parse_envelope(_leaf(log, log.size - 1))


def find_entry(log: TiledLog, stream: str, seq: int, last: int) -> int:
    """Search an old entry backwards from index `last`; raises LedgerError."""
    for bundle in range(last // WIDTH, -1, -1):
        for index, leaf in enumerate(log.bundle(bundle), bundle * WIDTH):
            envelope = parse_envelope(leaf)
            if (envelope.by, envelope.seq) == (stream, seq):
                return index
    raise StoreDamagedError(f"stream {stream} has no entry with sequence number {seq}")


def _leaf(log: TiledLog, index: int) -> bytes:
    return log.bundle(index // WIDTH)[index % WIDTH]


def _parse_cache(data: bytes | None) -> CachedTails | None:
    """Read a cache file; None when there is none or it is torn: it is worth nothing then."""
    try:
        return msgspec.json.decode(data or b"", type=CachedTails)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
