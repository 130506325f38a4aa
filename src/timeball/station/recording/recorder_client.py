"""Appending to the ledger from another process: blocking, durable when it returns, safe to repeat.

A lost connection is made again and the question repeated until the time is over: the recorder knows an entry by its
stream and sequence number, so nothing is recorded twice. One client is for one thread.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from timeball.ledger import canonical
from timeball.station.paths import recorder_socket
from timeball.station.recording.errors import (
    EntryRefusedError,
    LedgerFull,
    RecorderUnavailable,
    SequenceRefusedError,
    StoreError,
)
from timeball.station.recording.recorder_wire import (
    Answer,
    Append,
    Erase,
    NextSeq,
    Question,
    Recorded,
    Refused,
    WireEntry,
    WireError,
    answer_decoder,
    socket_address,
    take_message,
    write_message,
)

DEFAULT_TIMEOUT_S = 10.0
_RETRY_S = 0.02
_GROUP_BYTES = 4 * 1024 * 1024
_GROUP_ENTRIES = 4096


@dataclass(frozen=True, slots=True)
class Record:
    """An entry to append: `payload` is what canonical JSON can carry."""

    type: str
    version: int
    payload: object
    seq: int
    supersedes: int | None = None


class RecorderClient:
    """Speaks for one stream to the recorder of `state_dir`; `timeout_s` bounds each call."""

    def __init__(self, state_dir: Path, stream: str, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self._path = recorder_socket(state_dir)
        self._stream = stream
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None
        self._buffer = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, type: str, version: int, payload: object, seq: int, supersedes: int | None = None) -> int:  # noqa: A002
        """Record an entry and give its index; returns when it is durable.

        Raises RecorderUnavailable (ask again), LedgerFull (nothing recorded), SequenceRefusedError (its `expected` is
        the next number), EntryRefusedError, CanonicalError.
        """
        return self.append_many([Record(type, version, payload, seq, supersedes)])[0]

    def append_many(self, records: Iterable[Record]) -> list[int]:
        """Record entries in order and give their indices; errors as `append`, then a front part may be recorded."""
        indices: list[int] = []
        for group in _groups(records):
            answer = self._ask(Append(self._stream, group))
            if not isinstance(answer, Recorded):
                raise RecorderUnavailable(f"unexpected answer of the recorder: {answer}")
            indices += answer.indices
        return indices

    def next_seq(self) -> int:
        """The sequence number this stream must use next."""
        answer = self._ask(NextSeq(self._stream))
        if isinstance(answer, Recorded):
            raise RecorderUnavailable(f"unexpected answer of the recorder: {answer}")
        return answer.seq

    def erase(self, indices: Iterable[int], reason: str, *, force: bool = False) -> int:
        """Erase payloads: give the index of the erasure entry when it is durable and they are gone; safe to repeat.

        Raises RecorderUnavailable (ask again), LedgerFull (ask again), EntryRefusedError.
        """
        answer = self._ask(Erase(list(indices), reason, force))
        if not isinstance(answer, Recorded):
            raise RecorderUnavailable(f"unexpected answer of the recorder: {answer}")
        return answer.indices[0]

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._buffer.clear()

    def _ask(self, question: Question) -> Answer:
        deadline = time.monotonic() + self._timeout_s
        message = write_message(question)
        while True:
            try:
                answer = self._exchange(message, deadline)
            except (OSError, WireError, msgspec.DecodeError) as error:
                self.close()
                if time.monotonic() + _RETRY_S >= deadline:
                    raise RecorderUnavailable(f"the recorder does not answer on {self._path}: {error}") from error
                time.sleep(_RETRY_S)
            else:
                if isinstance(answer, Refused):
                    raise self._refusal(answer)
                return answer

    def _exchange(self, message: bytes, deadline: float) -> Answer:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            with socket_address(self._path) as address:
                self._socket.connect(address)
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))
        self._socket.sendall(message)
        while (answer := take_message(self._buffer)) is None:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            received = self._socket.recv(65536)
            if not received:
                raise ConnectionResetError("the recorder hung up")
            self._buffer += received
        return answer_decoder.decode(answer)

    def _refusal(self, answer: Refused) -> StoreError:
        if answer.kind == "full":
            return LedgerFull(answer.reason)
        if answer.kind == "sequence":
            error = SequenceRefusedError(self._stream, answer.seq, answer.expected, "")
            error.args = (answer.reason,)
            return error
        return EntryRefusedError(answer.reason)


def _groups(records: Iterable[Record]) -> Iterator[list[WireEntry]]:
    group: list[WireEntry] = []
    size = 0
    for record in records:
        payload = canonical.encode(record.payload)
        if group and (size + len(payload) > _GROUP_BYTES or len(group) == _GROUP_ENTRIES):
            yield group
            group, size = [], 0
        group.append(WireEntry(record.type, record.version, record.seq, msgspec.Raw(payload), record.supersedes))
        size += len(payload)
    if group:
        yield group


__all__ = ["LedgerFull", "Record", "RecorderClient", "RecorderUnavailable", "SequenceRefusedError"]
