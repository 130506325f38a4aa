"""The recorder: the one process that writes the ledger. `python -m timeball.station.recorder --state DIR`.

It gathers what its clients have sent, makes it durable with one sync, and only then acknowledges; a signed head
follows within the checkpoint interval. When the disk is full it refuses and goes on serving; when space returns it
records again.
It judges the form of an entry, its sequence number and the clock's order, never its content.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import msgspec

from timeball.ledger.errors import LedgerError, PolicyError
from timeball.ledger.note import parse_skey
from timeball.station.hosttime.realtime import station_leaps
from timeball.station.keeping.erasing import erase_entries, finish_erasures
from timeball.station.keeping.errors import WitnessesSilentError, WouldForkError
from timeball.station.keeping.guard import RestoreGuard, load_policy
from timeball.station.paths import cosigned_checkpoint, recorder_socket
from timeball.station.recording.entryclock import entry_clock
from timeball.station.recording.errors import (
    LedgerFull,
    SequenceRefusedError,
    StoreDamagedError,
    StoreError,
    StoreLockedError,
)
from timeball.station.recording.keys import key_path
from timeball.station.recording.payloadcheck import find_refused
from timeball.station.recording.recorder_wire import (
    Answer,
    Append,
    Erase,
    Next,
    Recorded,
    Refused,
    WireError,
    listen,
    question_decoder,
    take_message,
    write_message,
)
from timeball.station.recording.store import NewEntry, Store
from timeball.station.supervision.process import CannotStartError, EvidenceAgainstError, Process, run_process

_IDLE_S = 0.2
_RECEIVE = 1 << 20
_UNREAD = 16 << 20
_PENDING_BYTES = 4 << 20
_LOCK_PATIENCE_S = 3.0


class _Client:
    """One connection: what it has sent and not yet been answered, what it has not yet read."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.received = bytearray()
        self.unsent = bytearray()


class Recorder:
    """Serves clients of a listening socket from one store below `state`; `clock` gives ns of TAI."""

    def __init__(
        self,
        store: Store,
        listener: socket.socket,
        clock: Callable[[], int],
        interval_s: float,
        state: Path | None = None,
    ) -> None:
        self._store = store
        self._state = state
        self._clock = clock
        self._interval_s = interval_s
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._head_due = time.monotonic()

    def serve(self, stop: Event) -> None:
        """Serve until told to stop; the store stays open."""
        while not stop.is_set():
            self.turn(min(_IDLE_S, self._patience_s()))
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, _Client):
                self._hang_up(key.data)
        self._selector.close()

    def turn(self, patience_s: float) -> None:
        """Wait for clients at most so long, record all that has arrived, answer, and sign a head when it is due."""
        groups: list[tuple[_Client, Append]] = []
        for key, events in self._selector.select(patience_s):
            if not isinstance(key.data, _Client):
                self._welcome()
                continue
            if events & selectors.EVENT_WRITE:
                self._send(key.data, b"")
            if events & selectors.EVENT_READ:
                groups += self._hear(key.data)
        if groups:
            self._record(groups)
        if self._patience_s() <= 0:
            self._sign_head()

    def _patience_s(self) -> float:
        if not self._store.pending and self._store.stalled is None:
            return _IDLE_S
        return max(0.0, self._head_due - time.monotonic())

    def _sign_head(self) -> None:
        # a full disk is tried again every interval; refusals say so meanwhile
        with contextlib.suppress(LedgerFull):
            self._store.integrate()
        self._head_due = time.monotonic() + self._interval_s

    def _record(self, groups: list[tuple[_Client, Append]]) -> None:
        if not self._store.pending and self._store.stalled is None:
            self._head_due = time.monotonic() + self._interval_s
        asked = [
            [
                NewEntry(append.stream, item.seq, item.type, item.version, bytes(item.payload), item.supersedes)
                for item in append.entries
            ]
            for _, append in groups
        ]
        answers = self._store.append_groups(asked, self._clock())
        if self._store.pending_bytes > _PENDING_BYTES:
            # a full disk must not be found only after the journal has taken all space
            self._head_due = time.monotonic()
        for (client, _), answer in zip(groups, answers, strict=True):
            self._send(client, write_message(_refuse(answer) if isinstance(answer, StoreError) else Recorded(answer)))

    def _hear(self, client: _Client) -> list[tuple[_Client, Append]]:
        """Read what a client sent: answer questions at once, give back what is to be recorded."""
        try:
            received = client.socket.recv(_RECEIVE)
        except BlockingIOError:
            return []
        except OSError:
            received = b""
        if not received:
            self._hang_up(client)
            return []
        client.received += received
        appends: list[tuple[_Client, Append]] = []
        try:
            while (message := take_message(client.received)) is not None:
                question = question_decoder.decode(message)
                if isinstance(question, Erase):
                    self._send(client, write_message(self._erase(question)))
                elif not isinstance(question, Append):
                    self._send(client, write_message(Next(self._store.next_seq(question.stream))))
                elif refusal := _check_payloads(question):
                    self._send(client, write_message(refusal))
                else:
                    appends.append((client, question))
        except (WireError, msgspec.DecodeError, UnicodeDecodeError):
            self._hang_up(client)
        return appends

    def _erase(self, asked: Erase) -> Answer:
        try:
            entry = erase_entries(
                self._store, asked.indices, asked.reason, self._clock(), force=asked.force, state=self._state
            )
            return Recorded([entry])
        except StoreError as error:
            return _refuse(error)
        except (LedgerError, OSError) as error:
            return Refused("full", f"the erasure is not done: {error}")

    def _welcome(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            self._selector.register(connection, selectors.EVENT_READ, _Client(connection))

    def _send(self, client: _Client, message: bytes) -> None:
        if client.socket.fileno() < 0:
            return
        client.unsent += message
        try:
            sent = client.socket.send(client.unsent)
            del client.unsent[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._hang_up(client)
            return
        if len(client.unsent) > _UNREAD:
            self._hang_up(client)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.unsent else 0)
        self._selector.modify(client.socket, events, client)

    def _hang_up(self, client: _Client) -> None:
        if client.socket.fileno() >= 0:
            self._selector.unregister(client.socket)
            client.socket.close()


def _check_payloads(append: Append) -> Refused | None:
    found = find_refused([bytes(item.payload) for item in append.entries])
    if found is None:
        return None
    position, error = found
    return Refused("entry", f"payload of sequence number {append.entries[position].seq}: {error}")


def _refuse(error: StoreError) -> Answer:
    if isinstance(error, SequenceRefusedError):
        return Refused("sequence", str(error), error.seq, error.expected)
    return Refused("full" if isinstance(error, LedgerFull) else "entry", str(error))


def work(process: Process) -> None:
    """Open the store and serve until told to stop."""
    config = process.config
    guard = _guard(process)
    store = _open_store(process.state, config.station.origin, guard)
    with store, contextlib.closing(listen(recorder_socket(process.state))) as listener:
        process.log.info("recording %s from entry %d", store.origin, store.size)
        if not config.ledger.policy:
            # nobody renews it any more, and it would be served as the newest for ever
            cosigned_checkpoint(process.state).unlink(missing_ok=True)
        clock = entry_clock(process.state, station_leaps(config))
        guard.settle(store, clock())
        try:
            finish_erasures(store, process.state)
        except (StoreError, LedgerError, OSError) as error:
            process.log.warning("an erasure is not finished, and will be at the next start or erasure: %s", error)
        Recorder(store, listener, clock, config.ledger.checkpoint_interval_s, process.state).serve(process.stop)
        recorder_socket(process.state).unlink(missing_ok=True)


def _guard(process: Process) -> RestoreGuard:
    """The restore rule for this folder; raises CannotStartError for a log of another origin than the configured one."""
    key, origin = key_path(process.state, "log"), process.config.station.origin
    if key.exists() and (ours := parse_skey(key.read_text("ascii")).name) != origin:
        raise CannotStartError(
            f"the log here is {ours}, and station.origin is {origin}: two stations have two origins, and an origin "
            "cannot be changed; begin the other station in an empty state folder"
        )
    try:
        return RestoreGuard(process.state, load_policy(process.config.ledger.policy))
    except (PolicyError, OSError) as error:
        raise CannotStartError(f"ledger.policy: {error}") from error


def _open_store(state: Path, origin: str, guard: RestoreGuard) -> Store:
    deadline = time.monotonic() + _LOCK_PATIENCE_S
    while True:
        try:
            return Store(state, origin=origin, guard=guard)
        except StoreLockedError:
            # the lock of a recorder that was just killed goes with its last thread
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        except WouldForkError as error:
            raise EvidenceAgainstError(str(error)) from error
        except (StoreDamagedError, WitnessesSilentError) as error:
            raise CannotStartError(str(error)) from error


if __name__ == "__main__":
    sys.exit(run_process("recorder", work))
