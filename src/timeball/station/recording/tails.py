"""Where each stream stands: its last sequence number and entry, so that a gap is refused and a repetition recognised.

The log itself is the truth; the cache file only spares reading it whole at start, and is checked against it.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from timeball.ledger.entry import Envelope, parse_envelope
from timeball.ledger.log import TiledLog
from timeball.ledger.merkle import hash_leaf
from timeball.ledger.tiles import WIDTH
from timeball.station.recording.errors import StoreDamagedError

_REMEMBERED = 65536


class CachedTails(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the cache file holds: valid for a log whose entry `size` − 1 hashes to `leaf` (base64)."""

    size: int
    leaf: str
    streams: dict[str, tuple[int, int]]


class StreamTails:
    """For each stream the last sequence number and its entry's index; recent entries by (stream, seq)."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}
        self._recent: OrderedDict[tuple[str, int], int] = OrderedDict()

    def next_seq(self, stream: str) -> int:
        """The sequence number the stream must use next."""
        return self._last.get(stream, (0, -1))[0] + 1

    def last_index(self, stream: str) -> int:
        """Index of the stream's last entry, −1 when it has none."""
        return self._last.get(stream, (0, -1))[1]

    def recent(self, stream: str, seq: int) -> int | None:
        """Index of a recent entry, None when it is not remembered."""
        return self._recent.get((stream, seq))

    def record(self, stream: str, seq: int, index: int) -> None:
        """Note an entry."""
        self._last[stream] = (seq, index)
        self._recent[stream, seq] = index
        if len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)

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
                tails.record(envelope.by, envelope.seq, index)
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
