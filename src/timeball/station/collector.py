"""The collector: reads the instruments, signs what they say, has it recorded. `python -m timeball.station.collector`.

One thread an instrument waits for readings; the main thread forms batches, signs them with the collector's key and
appends them. While the recorder is down batches wait, the oldest is given up when there are too many, and how many is
said in the log. What was acknowledged is never given up. It judges no reading.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections import deque
from typing import Any

from timeball.ledger import canonical
from timeball.ledger.batch import sign_batch
from timeball.station.fold.rules import RulesUnknown
from timeball.station.fold.timekeeping import CONFIG
from timeball.station.fold.upgrades import config_records
from timeball.station.hosttime import hostclocks
from timeball.station.instruments.base import Instrument, InstrumentUnavailableError, Sample
from timeball.station.instruments.bulletinfolder import (
    BULLETIN,
    BulletinFolder,
    laboratory_of,
    recorded_bulletins,
    recorded_refusals,
)
from timeball.station.instruments.collecting import Gridder, Pair, batch_of, held
from timeball.station.instruments.host import HostClock
from timeball.station.instruments.line import LineCounter
from timeball.station.instruments.ntpsource import NTPSource
from timeball.station.instruments.registry import Instruments, make_instruments
from timeball.station.instruments.replay import Replay
from timeball.station.recording.errors import SequenceRefusedError
from timeball.station.recording.keys import load_or_create_key
from timeball.station.recording.ledger_reader import Entry, LedgerReader
from timeball.station.recording.newest import newest_entry
from timeball.station.recording.recorder_client import LedgerFull, RecorderClient, RecorderUnavailable
from timeball.station.supervision.process import CannotStartError, Process, run_process

STREAM = "collector"
VERSION = 1
PATIENCE_NS = 200_000_000
RECORDER_PATIENCE_S = 2.0
HOST_BATCH_NS = 5 * 10**9
MOST_WAITING = 10_000
TELL_FAULTS_S = 10.0
LOOK_BACK = 200
CATCH_UP_S = 0.1

Taken = tuple[Instrument, list[Sample], int]
"""An instrument, what it read, and BOOTTIME − RAW (ns) when it had."""
Payload = dict[str, Any]


class Outbox:
    """Batches on their way to the ledger, numbered as the recorder counts; sends nothing twice."""

    def __init__(self, process: Process, client: RecorderClient) -> None:
        self._process = process
        self._client = client
        self._waiting: deque[tuple[str, Payload]] = deque()
        self._seq: int | None = None
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, kind: str, payload: Payload) -> None:
        """Let a payload wait; when too many wait, the oldest readings are given up and counted."""
        self._waiting.append((kind, payload))
        while len(self._waiting) > MOST_WAITING:
            del self._waiting[1 if self._waiting[0][0] == "key" else 0]
            self.dropped += 1

    def send(self) -> None:
        """Append what waits, in order; stops at the first trouble, to go on at the next call."""
        try:
            if self._seq is None and self._waiting:
                self._seq = self._client.next_seq()
            while self._waiting and self._seq is not None:
                kind, payload = self._waiting[0]
                self._client.append(kind, VERSION, payload, self._seq)
                self._waiting.popleft()
                self._seq += 1
        except SequenceRefusedError as error:
            self._process.log.warning("numbered anew: %s", error)
            self._seq = error.expected
        except (RecorderUnavailable, LedgerFull) as error:
            # the number stays: if the entry was recorded after all, the recorder knows it by its number
            self._process.log.warning("%d batches wait, %d given up: %s", len(self), self.dropped, error)


class Collector:
    """One run of the collector process."""

    def __init__(
        self,
        process: Process,
        instruments: Instruments,
        client: RecorderClient,
        bulletins: BulletinFolder | None = None,
    ) -> None:
        self._process = process
        self._instruments = instruments
        self._bulletins = bulletins
        self._key = load_or_create_key(process.state, STREAM)
        self._outbox = Outbox(process, client)
        self._queue: queue.Queue[Taken] = queue.Queue(maxsize=1000)
        self._gridder: Gridder | None = None
        if len(instruments.comparisons) > 1 or not all(item.whole_epochs for item in instruments.comparisons):
            self._gridder = Gridder(int(process.config.ensemble.interval_s * 1e9))
        self._hung: set[Pair] = {item.pair for item in instruments.comparisons if isinstance(item, NTPSource)}
        self._host_samples: list[Sample] = []
        self._host_ahead_ns = 0
        self._host_due_ns = 0
        self._counters = (hostclocks.raw_ns(), hostclocks.boottime_ns())
        self._failed: BaseException | None = None
        self._told_at = 0.0

    def run(self, key_known: bool) -> None:
        """Read, batch, record, until told to stop; raises what an instrument raised."""
        if not key_known:
            vkey = self._key.verifier.vkey
            self._outbox.put("key", {"name": STREAM, "purpose": "readings", "vkey": vkey})
        threads = [threading.Thread(target=self._read, args=(item,), daemon=True) for item in self._all()]
        for thread in threads:
            thread.start()
        while not self._process.stop.is_set() and not self._slept():
            self._gather()
            for kind, batch in self._bulletins.take() if self._bulletins is not None else ():
                if kind == BULLETIN:
                    self._process.log.info("bulletin %s %s is recorded", batch["kind"], batch["label"])
                self._outbox.put(kind, sign_batch(batch, self._key))
            self._outbox.send()
            self._tell_faults()
        self._put_host(force=True)
        self._outbox.send()
        if self._failed is not None:
            raise self._failed

    def _slept(self) -> bool:
        """Whether the host was suspended since the last look: then no instrument knows any more which second it is.

        The supervisor starts the collector again, with the time of day as it is agreed on then.
        """
        before, self._counters = self._counters, (hostclocks.raw_ns(), hostclocks.boottime_ns())
        elapsed_ns, elapsed_boottime_ns = (now - then for now, then in zip(self._counters, before, strict=True))
        if not hostclocks.slept(elapsed_boottime_ns - elapsed_ns, elapsed_ns):
            return False
        self._process.log.warning("the host was suspended: the collector begins anew")
        return True

    def _all(self) -> list[Instrument]:
        host = self._instruments.host
        return [*self._instruments.comparisons, *([host] if host is not None else [])]

    def _read(self, instrument: Instrument) -> None:
        """The thread of one instrument."""
        try:
            while not self._process.stop.is_set():
                samples = instrument.read(hostclocks.raw_ns() + PATIENCE_NS)
                if samples:
                    self._hand_over((instrument, samples, hostclocks.boottime_minus_raw_ns()))
        except BaseException as error:
            self._failed = error
            self._process.stop.set()

    def _hand_over(self, taken: Taken) -> None:
        while not self._process.stop.is_set():
            try:
                self._queue.put(taken, timeout=0.2)
            except queue.Full:
                continue
            return

    def _gather(self) -> None:
        """Wait a moment for samples, and put what is complete into batches."""
        if self._recording and len(self._outbox) > MOST_WAITING // 2:
            # recorded files can wait for the recorder; live readings cannot
            self._process.sleep(0.1)
            return
        try:
            instrument, samples, ahead_ns = self._queue.get(timeout=0.1)
        except queue.Empty:
            pass
        else:
            if instrument is self._instruments.host:
                self._take_host(samples, ahead_ns)
            else:
                self._compare(instrument, samples)
        if self._gridder is not None and (gridded := held(self._gridder.take(), self._hung)):
            self._put(batch_of(gridded, "comparison"))
        self._put_host()

    def _compare(self, instrument: Instrument, samples: list[Sample]) -> None:
        if self._gridder is None:
            self._put(batch_of(samples, "comparison"))
            return
        for refused in self._gridder.add(samples, self._now_ns()):
            instrument.faults.add(f"{instrument.name}: epoch {refused.epoch} is out of order or not yet here")

    @property
    def _recording(self) -> bool:
        return any(isinstance(item, Replay) for item in self._instruments.comparisons)

    def _now_ns(self) -> int:
        """TAI (ns), to a second; without a counter of lines there is nobody whose calendar could be wrong."""
        return next((i.tai_now() for i in self._instruments.comparisons if isinstance(i, LineCounter)), 2**63)

    def _take_host(self, samples: list[Sample], ahead_ns: int) -> None:
        """Let readings of the host's counter wait; those from before a suspension belong to another line."""
        kept = self._host_samples
        if kept and hostclocks.slept(ahead_ns - self._host_ahead_ns, samples[-1].epoch - kept[-1].epoch):
            kept.clear()
        kept += samples
        if self._hung and self._instruments.host is not None:
            # other servers are compared with this counter: it is their way to the output
            self._hung |= {(one.a, one.b) for one in samples}
            self._compare(self._instruments.host, samples)
        self._host_ahead_ns = ahead_ns

    def _put_host(self, *, force: bool = False) -> None:
        host: HostClock | None = self._instruments.host
        now = hostclocks.raw_ns()
        if host is None or not self._host_samples or not (force or now >= self._host_due_ns):
            return
        more = {"anchor_ns": str(host.anchor_ns), "boottime_minus_raw_ns": str(self._host_ahead_ns)}
        self._put(batch_of(self._host_samples, "host", boot_id=host.boot_id, **more))
        self._host_samples = []
        self._host_due_ns = now + HOST_BATCH_NS

    def _put(self, batch: Payload) -> None:
        self._outbox.put("readings", sign_batch(batch, self._key))

    def _tell_faults(self) -> None:
        if time.monotonic() - self._told_at < TELL_FAULTS_S:
            return
        self._told_at = time.monotonic()
        sources: list[Instrument | BulletinFolder] = [*self._all()]
        for source in [*sources, *([self._bulletins] if self._bulletins is not None else [])]:
            for sentence in source.faults.take():
                self._process.log.warning("%s (%d so far)", sentence, source.faults.count)
        for instrument in self._all():
            if isinstance(instrument, Replay) and instrument.take_ended():
                self._process.log.info("%s: the last epoch has been given", instrument.name)


def key_is_recorded(reader: LedgerReader, vkey: str) -> bool:
    """Whether the newest key entry of the collector's stream names this key."""
    entry = reader.last("key")
    while entry is not None and entry.envelope.by != STREAM:
        entry = reader.last("key", before=entry.index)
    return entry is not None and entry.payload is not None and canonical.decode(entry.payload)["vkey"] == vkey


def newest_epoch(reader: LedgerReader) -> int | None:
    """The newest epoch among the latest recorded comparisons; None when there is none near the head."""
    entry: Entry | None = reader.last("readings")
    for _ in range(LOOK_BACK):
        if entry is None or entry.payload is None:
            return None
        batch = canonical.decode(entry.payload)["batch"]
        if entry.envelope.by == STREAM and batch["kind"] == "comparison":
            return int(batch["epochs"][-1])
        entry = reader.last("readings", before=entry.index)
    return None


def catch_up(process: Process, reader: LedgerReader, client: RecorderClient) -> None:
    """Wait until a file can be read as if it were measured now: nothing of it may be lost or recorded twice.

    A signed head must cover all that an earlier run had recorded, and the rules that decide must stand before readings.
    """
    while not process.stop.is_set():
        try:
            entry, config = reader.find_stream_tail(STREAM), newest_entry(reader, "config", CONFIG)
            recorded = entry.envelope.seq if entry is not None else 0
            if client.next_seq() - 1 == recorded and config is not None and not _due(process, config):
                return
        except RecorderUnavailable as error:
            process.log.warning("waiting for the recorder: %s", error)
        process.sleep(CATCH_UP_S)


def _due(process: Process, config: Entry) -> bool:
    try:
        return bool(config_records(process.config, config.payload))
    except RulesUnknown as unknown:
        raise CannotStartError(str(unknown)) from unknown


def _bulletins(process: Process, reader: LedgerReader) -> BulletinFolder:
    refused = recorded_refusals(reader, laboratory_of(process.config))
    return BulletinFolder(process.config, recorded_bulletins(reader) | refused)


def work(process: Process) -> None:
    """Make the instruments, open them, and collect until told to stop."""
    reader = LedgerReader(process.state)
    client = RecorderClient(process.state, STREAM, timeout_s=RECORDER_PATIENCE_S)
    if process.config.replayed:
        catch_up(process, reader, client)
    size = reader.size()
    head_ns = next(iter(reader.envelopes(size - 1, size)))[1].time_ns if size else 0
    instruments = make_instruments(process.config, process.state, head_ns, newest_epoch(reader))
    bulletins = _bulletins(process, reader) if process.config.bulletins.folder else None
    collector = Collector(process, instruments, client, bulletins)
    opened = [*instruments.comparisons, *([instruments.host] if instruments.host is not None else [])]
    try:
        for instrument in opened:
            instrument.open()
        vkey = load_or_create_key(process.state, STREAM).verifier.vkey
        collector.run(key_known=key_is_recorded(reader, vkey))
    except InstrumentUnavailableError as error:
        raise CannotStartError(str(error)) from error
    finally:
        for instrument in opened:
            instrument.close()


if __name__ == "__main__":
    sys.exit(run_process(STREAM, work))
