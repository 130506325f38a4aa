"""Complete bundles judged by compiled loops: their framing, leaves, tile, envelopes, payload digests and payloads.

A bundle that holds in itself comes out as a `JudgedBundle`; of one that does not, or that is not to be had, nothing is
said but None, and the caller asks the plain code for the reason. What depends on the entries before (the numbers of a
stream, time, keys) is the caller's to judge. Several threads may judge spans of one log at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from timeball.ledger import kernels
from timeball.ledger.kernels import BUNDLE
from timeball.ledger.log import Read
from timeball.ledger.tiles import ENTRIES, index_path

SPAN = 16


@dataclass(frozen=True, slots=True)
class Waiting:
    """A payload still to be judged: a key, an erasure, or a signed batch; `offset` is where its frame begins."""

    index: int
    offset: int
    leaf: bytes


@dataclass(frozen=True, slots=True)
class JudgedBundle:
    """What a sound bundle says: root of its tile; first and last sequence number by stream; entries by type; times.

    `payloads` is empty when nothing waits to be judged.
    """

    root: bytes
    files: int
    bytes_read: int
    first_time_ns: int = 0
    last_time_ns: int = 0
    streams: tuple[tuple[str, int, int], ...] = ()
    types: tuple[tuple[str, int], ...] = ()
    erased: tuple[int, ...] = ()
    withheld: int = 0
    waiting: tuple[Waiting, ...] = ()
    payloads: bytes = b""
    payload_bytes: int = 0


class _Tables:
    """The arrays that a bundle is judged into; one thread's, used for one bundle after the other."""

    def __init__(self) -> None:
        self.hashes = np.empty((BUNDLE, kernels.HASH_BYTES), np.uint8)
        self.summary = np.empty(kernels.SUMMARY, np.int64)
        self.streams = np.empty((BUNDLE, kernels.NAME_COLUMNS), np.int64)
        self.types = np.empty((BUNDLE, kernels.NAME_COLUMNS), np.int64)
        self.judged = np.empty((BUNDLE, kernels.JUDGED_COLUMNS), np.int64)


class BundleJudge:
    """Judges the complete bundles of one log; `payloads` is None when payloads are not at hand."""

    def __init__(self, read: Read, payloads: Read | None, has_envelopes: bool) -> None:
        self._read = read
        self._payloads = payloads if has_envelopes else None
        self._has_envelopes = has_envelopes

    def judge_span(self, numbers: range) -> list[JudgedBundle | None]:
        """Judge some bundles, in order."""
        tables = _Tables()
        return [self._judge(number, tables) for number in numbers]

    def _judge(self, number: int, tables: _Tables) -> JudgedBundle | None:
        path = index_path(number)
        entries, tile = self._read(f"tile/{ENTRIES}/{path}"), self._read(f"tile/0/{path}")
        payloads = b"" if self._payloads is None else self._payloads(path)
        if entries is None or tile is None or payloads is None:
            return None
        sound = kernels.judge_bundle(
            number * BUNDLE,
            np.frombuffer(entries, np.uint8),
            np.frombuffer(tile, np.uint8),
            np.frombuffer(payloads, np.uint8),
            self._has_envelopes,
            self._payloads is not None,
            tables.hashes,
            tables.summary,
            tables.streams,
            tables.types,
            tables.judged,
        )
        if not sound:
            return None
        root, read = tables.hashes[0].tobytes(), len(entries) + len(tile)
        if not self._has_envelopes:
            return JudgedBundle(root, 2, read)
        first, last, streams, types, waiting, erased, withheld = tables.summary.tolist()
        judged = tables.judged[:waiting].tolist()
        gone = tables.judged[BUNDLE - erased :, kernels.POSITION].tolist() if erased else []
        return JudgedBundle(
            root,
            2,
            read,
            first,
            last,
            tuple((entries[at : at + n].decode(), a, b) for at, n, a, b in tables.streams[:streams].tolist()),
            tuple((entries[at : at + n].decode(), count) for at, n, count, _ in tables.types[:types].tolist()),
            tuple(number * BUNDLE + position for position in gone),
            withheld,
            tuple(Waiting(number * BUNDLE + at, offset, entries[a:b]) for at, offset, a, b in judged),
            payloads if waiting else b"",
            len(payloads),
        )
