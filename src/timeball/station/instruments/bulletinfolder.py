"""A folder in which UTCr and Circular T arrive, however they get there: each file is read once, by its content.

It gives the laboratory's own row as a batch for the collector to sign; a value stands in it as it was printed,
UTC − UTC(k). What cannot be read is told once and gone on from. It fetches nothing from anywhere, and judges no value.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timeball.formats.bulletin import LabPoints, lab_points
from timeball.formats.circular_t import is_circular_t, read_circular_t
from timeball.formats.defects import FormatError
from timeball.formats.utcr import is_utcr, read_lab_series, read_utcr
from timeball.instants import LeapTable
from timeball.ledger import canonical
from timeball.station.configuration.settings import Config
from timeball.station.fold.timekeeping import COLLECTOR
from timeball.station.hosttime.realtime import station_leaps
from timeball.station.instruments.base import FEMTOSECONDS_PER_S, Faults
from timeball.station.recording.ledger_reader import LedgerReader

MOST_BYTES = 4 * 2**20
HEAD = 4096
Payload = dict[str, Any]


class BulletinFolder:
    """Looks into `bulletins.folder` every `bulletins.every_s`; `recorded` are hashes of files that the ledger has."""

    name = "bulletins"

    def __init__(self, config: Config, recorded: set[str]) -> None:
        self.faults = Faults()
        self._folder = Path(config.bulletins.folder)
        self._every_s = config.bulletins.every_s
        self._laboratory = config.steering.laboratory or config.station.name
        self._leaps = station_leaps(config)
        self._seen = set(recorded)
        self._sizes: dict[Path, tuple[int, int]] = {}
        self._due_s = -math.inf

    def take(self) -> list[Payload]:
        """The batches of files that are new since the last look; empty when no look is due."""
        if time.monotonic() < self._due_s:
            return []
        self._due_s = time.monotonic() + self._every_s
        batches = []
        for path, data in self._new_files():
            digest = hashlib.sha256(data).hexdigest()
            if digest in self._seen:
                continue
            self._seen.add(digest)
            try:
                batches.append(bulletin_batch(data, path.name, self._laboratory, self._leaps, digest))
            except FormatError as error:
                self.faults.add(str(error))
            except NotInIt as error:
                self.faults.add(f"{path.name}: {error}")
        return batches

    def _new_files(self) -> Iterator[tuple[Path, bytes]]:
        """Files that have come or changed, by name; one that is still being written is read when it has its size."""
        try:
            paths = sorted(path for path in self._folder.iterdir() if path.is_file() and not path.name.startswith("."))
        except OSError as error:
            self.faults.add(f"cannot look into {self._folder}: {error.strerror}")
            return
        for path in paths:
            try:
                found = path.stat()
                known, self._sizes[path] = self._sizes.get(path), (found.st_size, found.st_mtime_ns)
                if known == self._sizes[path] or found.st_size > MOST_BYTES:
                    continue
                yield path, path.read_bytes()
            except OSError as error:
                self.faults.add(f"cannot read {path}: {error.strerror}")


class NotInIt(ValueError):
    """A bulletin without a value of this laboratory."""


def recorded_bulletins(reader: LedgerReader) -> set[str]:
    """Hashes of the files whose bulletins the ledger has."""
    found = set()
    entry = reader.last("bulletin", by=COLLECTOR)
    while entry is not None:
        if entry.payload is not None:
            payload = canonical.decode(entry.payload)
            batch = payload.get("batch") if isinstance(payload, dict) else None
            # one that is malformed moved nothing, and stops nobody from starting
            found.add(str(batch.get("sha256")) if isinstance(batch, dict) else "")
        entry = reader.last("bulletin", before=entry.index, by=COLLECTOR)
    return found


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
