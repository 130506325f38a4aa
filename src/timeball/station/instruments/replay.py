"""Recorded files read again as if they were being measured now, at any speed. Sign: x_a − x_b as in the files.

Laboratory time is the first epoch + speed × the RAW time since opening; speed 0 gives all as fast as it is taken.
Lines that cannot be read are told as faults, and the good ones are used.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from timeball.formats.defects import FormatError
from timeball.instants import LeapTable
from timeball.readings import Readings, ReadingsError
from timeball.station.configuration.settings import ReplayInstrument
from timeball.station.hosttime import hostclocks
from timeball.station.hosttime.waiting import wait_until_raw
from timeball.station.instruments.base import Faults, InstrumentUnavailableError, Sample
from timeball.station.instruments.simulated import samples_of

PORTION = 500
"""Epochs given at once when there is no hurry to keep to a speed."""


class Replay:
    """The files of one replay; `ended` when the last epoch has been given."""

    whole_epochs = True

    def __init__(self, settings: ReplayInstrument, leaps: LeapTable, after_ns: int | None = None) -> None:
        self.name = f"replay of {len(settings.files)} files"
        self.faults = Faults()
        self.ended = False
        self._told_end = False
        self._settings = settings
        self._leaps = leaps
        self._after_ns = after_ns
        self._readings = Readings.empty()
        self._starts = np.empty(0, np.intp)
        self._epochs = np.empty(0, np.int64)
        self._given = 0
        self._opened_raw_ns = 0

    def open(self) -> None:
        """Read all files; raises `InstrumentUnavailableError` for one that holds nothing usable."""
        readings = Readings.concat([self._read_file(Path(name)) for name in self._settings.files])
        if self._settings.clocks:
            try:
                readings = readings.select(self._settings.clocks)
            except ReadingsError as error:
                known = ", ".join(sorted(readings.clocks))
                raise InstrumentUnavailableError(f"{self.name}: {error}; the files name {known}") from error
        if self._after_ns is not None:
            readings = readings.take(readings.epoch > self._after_ns)
        self._readings = readings.sorted()
        self._epochs, self._starts = np.unique(self._readings.epoch, return_index=True)
        self._given = 0
        self._opened_raw_ns = hostclocks.raw_ns()
        self.ended = not self._epochs.size

    def close(self) -> None:
        """Nothing is held."""

    def read(self, until_raw_ns: int) -> list[Sample]:
        """The epochs that are due, after waiting for one, but not beyond `until_raw_ns`; a portion at a time."""
        if self.ended:
            wait_until_raw(until_raw_ns)
            return []
        if self._settings.speed > 0:
            wait_until_raw(min(self._due_raw_ns(self._given), until_raw_ns))
        stop = min(self._given + PORTION, int(np.searchsorted(self._epochs, self._laboratory_ns(), side="right")))
        if stop <= self._given:
            return []
        first, self._given = self._starts[self._given], stop
        self.ended = stop == self._epochs.size
        last = len(self._readings) if self.ended else self._starts[stop]
        return samples_of(self._readings.take(np.arange(first, last)))

    def take_ended(self) -> bool:
        """True once, when the last epoch has been given."""
        told, self._told_end = self._told_end, self._told_end or self.ended
        return self.ended and not told

    def _due_raw_ns(self, place: int) -> int:
        return self._opened_raw_ns + int((int(self._epochs[place]) - int(self._epochs[0])) / self._settings.speed)

    def _laboratory_ns(self) -> int:
        if self._settings.speed == 0:
            return int(self._epochs[-1])
        return int(self._epochs[0]) + int((hostclocks.raw_ns() - self._opened_raw_ns) * self._settings.speed)

    def _read_file(self, path: Path) -> Readings:
        # every format is imported: only by who has a file to read
        from timeball.formats import parse

        try:
            parsed = parse(path.read_bytes(), str(path), leaps=self._leaps, clocks=self._settings.clocks or None)
        except (OSError, FormatError, ReadingsError) as error:
            raise InstrumentUnavailableError(f"{self.name}: {error}") from error
        for defect in parsed.defects:
            self.faults.add(str(defect))
        return parsed.readings
