"""What the entries of a Timeball log must say, beyond being in the tree: envelopes strict, streams without gaps, time
never going back, payloads as their digests, signed batches signed by keys the log names, erasures recorded.

It sees the entries once, in order, and remembers per stream and per key only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from timeball.ledger import canonical
from timeball.ledger.batch import batch_key, is_batch, verify_batch
from timeball.ledger.bundles import JudgedBundle
from timeball.ledger.entry import Envelope, parse_envelope, verify_payload
from timeball.ledger.errors import EntryError, EvidenceError, LedgerError, TileError
from timeball.ledger.log import Read
from timeball.ledger.note import Verifier, parse_vkey
from timeball.ledger.payload import parse_frame
from timeball.ledger.tiles import ENTRIES, WIDTH, index_path

KEY = "key"
ERASURE = "erasure"


def is_envelope(leaf: bytes) -> bool:
    """Whether a log's first leaf is an envelope: then all must be."""
    try:
        parse_envelope(leaf)
    except EntryError:
        return False
    return True


def erased_by(payload: Any) -> list[int]:
    """The entries that the payload of an erasure names; none where it is not what it should be."""
    named = payload.get("indices") if isinstance(payload, dict) else None
    return [index for index in named if type(index) is int and index >= 0] if isinstance(named, list) else []


@dataclass
class Contents:
    """Checks entries in order and counts what they are. `payloads` gives payload bundles, None when not at hand."""

    payloads: Read | None
    types: Counter[str] = field(default_factory=Counter)
    streams: dict[str, int] = field(default_factory=dict)
    keys: dict[str, Verifier] = field(default_factory=dict)
    time_ns: int = 0
    batches: int = 0
    unattested_batches: int = 0
    erased: set[int] = field(default_factory=set)
    erasures: set[int] = field(default_factory=set)
    withheld: int = 0
    payload_bytes: int = 0

    def take_bundle(self, number: int, leaves: list[bytes]) -> None:
        """Check the entries of one bundle; raises EvidenceError."""
        path, data = index_path(number), b""
        if self.payloads is not None:
            found = self.payloads(path)
            if found is None:
                raise EvidenceError(f"payloads/{path}", "the file is missing", number * WIDTH)
            data = found
        offset = 0
        for position, leaf in enumerate(leaves):
            index = number * WIDTH + position
            envelope = self._envelope(index, leaf)
            if self.payloads is not None:
                offset = self._payload(index, envelope, data, offset)
        if len(leaves) == WIDTH and offset != len(data):
            raise EvidenceError(f"payloads/{path}", "bytes after the last payload of the bundle", None, offset)
        self.payload_bytes += offset

    def follows(self, bundle: JudgedBundle) -> bool:
        """Whether a judged bundle goes on where the entries before it end: time, and each stream's numbers."""
        for name, first, _ in bundle.streams:
            if first != self.streams.get(name, 0) + 1:
                return False
        return bundle.first_time_ns >= self.time_ns

    def take_judged(self, bundle: JudgedBundle) -> None:
        """As `take_bundle`, of a judged bundle that `follows`: what is left are payloads that mean something here."""
        for waiting in bundle.waiting:
            try:
                payload = canonical.decode(parse_frame(waiting.frame).payload or b"")
                self._judge(parse_envelope(waiting.leaf), payload)
            except (LedgerError, TileError) as error:
                path = f"payloads/{index_path(waiting.index // WIDTH)}"
                raise EvidenceError(path, str(error), waiting.index, waiting.offset) from error
        self.time_ns = bundle.last_time_ns
        for name, _, last in bundle.streams:
            self.streams[name] = last
        for name, count in bundle.types:
            self.types[name] += count
        self.erased.update(bundle.erased)
        self.withheld += bundle.withheld
        self.payload_bytes += bundle.payload_bytes

    def finish(self) -> None:
        """After the last entry: every erased payload was erased by an entry that says so; raises EvidenceError."""
        for index in sorted(self.erased - self.erasures):
            raise EvidenceError(
                f"payloads/{index_path(index // WIDTH)}", "the payload is erased, and no erasure entry says so", index
            )

    def _envelope(self, index: int, leaf: bytes) -> Envelope:
        file = f"tile/{ENTRIES}/{index_path(index // WIDTH)}"
        try:
            envelope = parse_envelope(leaf)
        except EntryError as error:
            raise EvidenceError(file, str(error), index) from error
        expected = self.streams.get(envelope.by, 0) + 1
        if envelope.seq != expected:
            reason = f"stream {envelope.by} goes from sequence number {expected - 1} to {envelope.seq}"
            raise EvidenceError(file, reason, index)
        if envelope.time_ns < self.time_ns:
            raise EvidenceError(file, f"time goes back from {self.time_ns} to {envelope.time_ns} ns of TAI", index)
        if envelope.supersedes is not None and envelope.supersedes >= index:
            raise EvidenceError(file, f"it supersedes entry {envelope.supersedes}, which is not before it", index)
        self.streams[envelope.by] = envelope.seq
        self.time_ns = envelope.time_ns
        self.types[envelope.type] += 1
        return envelope

    def _payload(self, index: int, envelope: Envelope, data: bytes, offset: int) -> int:
        try:
            frame = parse_frame(data, offset)
            if frame.withheld:
                self.withheld += 1
            elif frame.payload is None:
                self.erased.add(index)
            else:
                verify_payload(envelope, frame.salt, frame.payload)
                self._judge(envelope, canonical.decode(frame.payload))
        except (LedgerError, TileError) as error:
            raise EvidenceError(f"payloads/{index_path(index // WIDTH)}", str(error), index, offset) from error
        return frame.end

    def _judge(self, envelope: Envelope, payload: Any) -> None:
        if envelope.type == KEY:
            key = parse_vkey(str(payload["vkey"]) if isinstance(payload, dict) and "vkey" in payload else "")
            self.keys[key.vkey] = key
        elif envelope.type == ERASURE:
            self.erasures.update(erased_by(payload))
        elif is_batch(payload):
            self._judge_batch(payload)

    def _judge_batch(self, payload: dict[str, object]) -> None:
        claimed = batch_key(payload)
        if self.keys and claimed.vkey not in self.keys:
            raise EntryError(f"the batch is signed by {claimed.vkey}, which no key entry before it names")
        verify_batch(payload, claimed)
        self.batches += 1
        self.unattested_batches += not self.keys
