"""Where each stream stands: its last sequence number and entry, so that a gap is refused and a repetition recognised.

The log itself is the truth; the cache file only spares reading it whole at start, and is checked against it.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Iterable

import msgspec

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


def parse_cache(data: bytes | None) -> CachedTails | None:
    """Read a cache file; None when there is none or it is torn: it is worth nothing then."""
    try:
        return msgspec.json.decode(data or b"", type=CachedTails)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
