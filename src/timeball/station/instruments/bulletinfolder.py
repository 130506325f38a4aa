"""A folder in which UTCr and Circular T arrive, however they get there: each file is read once, by its content.

It gives the laboratory's own row as a batch for the collector to sign; a value stands in it as it was printed,
UTC − UTC(k). A file counts when it has not changed from one look to the next, so that none is taken half-written. What
is no bulletin is refused once, which is recorded too; what cannot be read is told once and tried again at every look.
It fetches nothing from anywhere, and judges no value.
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import timeball
from timeball.formats.bulletin import LabPoints, lab_points
from timeball.formats.circular_t import is_circular_t, read_circular_t
from timeball.formats.defects import FormatError
from timeball.formats.utcr import is_utcr, read_lab_series, read_utcr
from timeball.instants import LeapTable
from timeball.ledger import canonical
from timeball.ledger.errors import BatchError
from timeball.station.configuration.settings import Config
from timeball.station.fold.published import parse_bulletin
from timeball.station.fold.timekeeping import COLLECTOR
from timeball.station.hosttime.realtime import station_leaps
from timeball.station.instruments.base import FEMTOSECONDS_PER_S, Faults
from timeball.station.recording.ledger_reader import LedgerReader

BULLETIN, REFUSAL = "bulletin", "refusal"
"""Types of entries that come of a file."""
MOST_BYTES = 4 * 2**20
MOST_A_LOOK = 20
"""Files read at one look; others wait for the next."""
HEAD = 4096
SOFTWARE = f"timeball {timeball.__version__}"
Payload = dict[str, Any]


class Arrival(NamedTuple):
    """What came of a file: the type of the entry, and its part to be signed."""

    type: str
    batch: Payload


class Sighting(NamedTuple):
    """What a look saw of a file: as long as it is the same, nobody writes."""

    inode: int
    size: int
    mtime_ns: int


class BulletinFolder:
    """Looks into `bulletins.folder` every `bulletins.every_s`; `recorded` are hashes of files that the ledger has."""

    name = "bulletins"

    def __init__(self, config: Config, recorded: set[str]) -> None:
        self.faults = Faults()
        self._folder = Path(config.bulletins.folder)
        self._every_s = config.bulletins.every_s
        self._laboratory = laboratory_of(config)
        self._leaps = station_leaps(config)
        self._known = set(recorded)
        self._seen: dict[Path, Sighting] = {}
        self._done: dict[Path, Sighting] = {}
        self._told: dict[Path, str] = {}
        self._due_s = -math.inf

    def take(self) -> list[Arrival]:
        """What came of files that are new and whole since the last look; empty when no look is due."""
        if time.monotonic() < self._due_s:
            return []
        self._due_s = time.monotonic() + self._every_s
        arrivals = []
        for path in islice(self._whole(), MOST_A_LOOK):
            data = self._read(path)
            if data is None:
                continue
            digest = hashlib.sha256(data).hexdigest()
            if digest not in self._known:
                self._known.add(digest)
                arrivals.append(self._arrival(data, path, digest))
        return arrivals

    def _arrival(self, data: bytes, path: Path, digest: str) -> Arrival:
        name = _text(path.name)
        try:
            batch = bulletin_batch(data, name, self._laboratory, self._leaps, digest)
            parse_bulletin(batch)
        except FormatError as error:
            told, why = str(error), "it is no Circular T, no UTCr and no series of it"
        except NotInIt as error:
            told, why = f"{name}: {error}", str(error)
        except BatchError as error:
            told, why = f"{name}: {error}", "what it says has no place in an entry"
        else:
            return Arrival(BULLETIN, batch)
        self.faults.add(_text(told))
        return Arrival(REFUSAL, refusal_batch(why, len(data), self._laboratory, digest))

    def _whole(self) -> Iterator[Path]:
        """Files not read yet that are as they were at the look before, by name; all others are remembered for next."""
        try:
            paths = sorted(path for path in self._folder.iterdir() if not path.name.startswith("."))
        except OSError as error:
            self._tell(self._folder, f"cannot look into {self._folder}: {error.strerror}")
            return
        self._told.pop(self._folder, None)
        before, self._seen = self._seen, {}
        for path in paths:
            try:
                found = path.stat()
            except OSError as error:
                self._tell(path, f"cannot read {_text(str(path))}: {error.strerror}")
                continue
            if stat.S_ISREG(found.st_mode):
                self._seen[path] = _sighting(found)
        for kept in (self._done, self._told):
            for path in kept.keys() - {self._folder, *paths}:
                del kept[path]
        yield from [path for path, seen in self._seen.items() if before.get(path) == seen != self._done.get(path)]

    def _read(self, path: Path) -> bytes | None:
        """All of a file, or None: too large, not to be read now, or changed since it was looked at."""
        seen = self._seen[path]
        if seen.size > MOST_BYTES:
            self._done[path] = seen
            self._tell(path, f"{_text(path.name)}: {seen.size} bytes are no bulletin")
            return None
        try:
            # whatever has taken the file's place meanwhile, nobody waits for it
            with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                data = file.read(seen.size + 1)
                same = _sighting(os.fstat(file.fileno())) == seen and len(data) == seen.size
        except OSError as error:
            self._tell(path, f"cannot read {_text(str(path))}, which is tried again: {error.strerror}")
            return None
        self._told.pop(path, None)
        if not same:
            return None
        self._done[path] = seen
        return data

    def _tell(self, path: Path, sentence: str) -> None:
        """Tell a trouble once, until it is another one."""
        if self._told.get(path) != sentence:
            self._told[path] = sentence
            self.faults.add(sentence)


class NotInIt(ValueError):
    """A bulletin without a value of this laboratory."""


def laboratory_of(config: Config) -> str:
    """The acronym of the laboratory whose row is taken."""
    return config.steering.laboratory or config.station.name


def recorded_bulletins(reader: LedgerReader) -> set[str]:
    """Hashes of the files whose bulletins the ledger has."""
    # one that is malformed moved nothing, and stops nobody from starting
    return {str(batch.get("sha256")) for batch in _batches(reader, BULLETIN)}


def recorded_refusals(reader: LedgerReader, laboratory: str) -> set[str]:
    """Hashes of the files that this software has refused for this laboratory; another may read them."""
    mine = (laboratory, SOFTWARE)
    found = _batches(reader, REFUSAL)
    return {str(one.get("sha256")) for one in found if (one.get("laboratory"), one.get("software")) == mine}


def _batches(reader: LedgerReader, kind: str) -> Iterator[Payload]:
    entry = reader.last(kind, by=COLLECTOR)
    while entry is not None:
        payload = canonical.decode(entry.payload) if entry.payload is not None else None
        batch = payload.get("batch") if isinstance(payload, dict) else None
        if isinstance(batch, dict):
            yield batch
        entry = reader.last(kind, before=entry.index, by=COLLECTOR)


def refusal_batch(why: str, size: int, laboratory: str, digest: str) -> Payload:
    """The signed part of a `refusal` entry; it is public, so it names neither the file nor anything in it."""
    return {
        "kind": "refused",
        "why": why,
        "bytes": size,
        "laboratory": laboratory,
        "sha256": digest,
        "software": SOFTWARE,
    }


def bulletin_batch(data: bytes, name: str, laboratory: str, leaps: LeapTable, digest: str) -> Payload:
    """The signed part of a `bulletin` entry; raises `FormatError`, and `NotInIt` when the laboratory has no value."""
    kind, label, published, points = _read(data, name, laboratory, leaps)
    if not len(points.epochs):
        raise NotInIt(f"no value of {laboratory}")
    # one uncertainty a bulletin: the last value's
    u_s = float(points.u_a_s[-1])
    return {
        "kind": kind,
        "label": label,
        "laboratory": laboratory,
        "published": published,
        "epochs": [str(epoch) for epoch in points.epochs.tolist()],
        "utc_minus_utck_fs": [str(round(x_s * FEMTOSECONDS_PER_S)) for x_s in points.values_s.tolist()],
        "u_fs": str(round(u_s * FEMTOSECONDS_PER_S)) if math.isfinite(u_s) else None,
        "sha256": digest,
    }


def _read(data: bytes, name: str, laboratory: str, leaps: LeapTable) -> tuple[str, str, str, LabPoints]:
    """Kind, label, date of publication and the laboratory's points of a file of either bulletin."""
    if is_circular_t(data[:HEAD]):
        circular = read_circular_t(data, name, leaps)
        return "circular-t", str(circular.number), circular.published, lab_points([circular], laboratory)
    if is_utcr(data[:HEAD]):
        rapid = read_utcr(data, name, leaps)
        return "utcr", rapid.label, rapid.published, lab_points([rapid], laboratory)
    points, _ = read_lab_series(data, name, leaps, laboratory)
    return "utcr", "", "", points


def _sighting(found: os.stat_result) -> Sighting:
    return Sighting(found.st_ino, found.st_size, found.st_mtime_ns)


def _text(name: str) -> str:
    """A name as an entry can carry it: file systems know names that are no text."""
    return name.encode(errors="replace").decode()
