"""Plain columns, read piece by piece: a file of any length in memory that its samples bound, not its text.

Bytes are fed as they come, cut anywhere; the outcome is that of the whole file at once, to the bit. What it holds is a
piece and the columns read so far (16 bytes a sample, 24 with uncertainties). What it does not do: open files.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from timeball.formats.columns.lines import LineReader, Sample, read_head, read_single_column
from timeball.formats.columns.options import ColumnOptions, check, settle
from timeball.formats.columns.sums import Samples, readings_of_samples
from timeball.formats.columns.tagged import read_tagged
from timeball.formats.columns.time import TagReader, untagged_epochs
from timeball.formats.defects import Defect, FormatError, Parsed, whole_file_error
from timeball.instants import LeapTable
from timeball.readings import FloatArray

KIND = "columns"
LONGEST_LINE = 1 << 24  # bytes, and of a heading before the first line of figures
MOST_SAMPLES = 50_000_000  # 2 GB of readings
MOST_DEFECTS = 10_000  # more are counted, and told as one
_BOM = "\xef\xbb\xbf"  # of UTF-8, read as latin-1
IntArray = npt.NDArray[np.int64]


class ColumnsReader:
    """Reads a file of plain columns that is fed to it.

    name: for messages. options, leaps: as of `parse_columns`. arrays: False reads line by line throughout. kind: what
    the outcome says that the file is.
    """

    def __init__(
        self,
        name: str,
        options: ColumnOptions | None = None,
        leaps: LeapTable | None = None,
        *,
        arrays: bool = True,
        kind: str = KIND,
    ) -> None:
        self._name, self._asked, self._leaps = name, options or ColumnOptions(), leaps
        self._arrays, self._kind = arrays, kind
        self._rest = b""
        self._options: ColumnOptions | None = None  # settled at the first line of figures
        self._hints: dict[str, str] = {}
        self._first = ""
        self._line = 1  # number of the next line
        self._place = 0  # of the next sample on the grid of lines
        self._last_ns: int | None = None  # tag of the last sample of frequency
        self._count = 0
        self._parts: list[tuple[IntArray, FloatArray, FloatArray | None]] = []
        self._defects: list[Defect] = []
        self._untold = 0

    def feed(self, piece: bytes) -> None:
        """Read what follows; a line that is not complete waits for the rest. Raises ``FormatError``."""
        cut = piece.rfind(b"\n") + 1
        if not cut and len(self._rest) + len(piece) <= LONGEST_LINE:
            self._rest += piece
            return
        if not cut:
            raise whole_file_error(self._name, self._rest[:40], f"a line of more than {LONGEST_LINE} bytes")
        whole = self._rest + piece[:cut]
        self._rest = piece[cut:]
        self._body(whole)

    def finish(self) -> Parsed:
        """Read the last line and give what the file holds. Raises ``FormatError`` when it holds no reading."""
        rest, self._rest = self._rest, b""
        self._body(rest, last=True)
        assert self._options is not None  # the last body settles them
        samples = self._joined()
        missing = int(np.count_nonzero(np.isnan(samples.value)))
        readings, gaps = readings_of_samples(samples, self._options)
        if not len(readings):
            if self._defects:
                raise FormatError(self._defects[0])
            raise whole_file_error(self._name, self._first, "no line of figures")
        header: dict[str, object] = {"kind": self._options.kind, "time": self._options.time, "hints": self._hints}
        header |= {"bridged_gaps": gaps, "missing": missing}
        return Parsed(readings, self._told(), self._kind, header)

    def _body(self, whole: bytes, *, last: bool = False) -> None:
        """Read whole lines; before the first line of figures they are the heading, and wait for it."""
        text = whole.decode("latin-1")  # one character a byte, whatever the encoding
        start = 0
        if self._options is None:
            text = text.removeprefix(_BOM)
            start, hints, first = read_head(text)
            if not first and not last:
                if len(whole) > LONGEST_LINE:
                    raise whole_file_error(self._name, whole[:40], f"no line of figures in {LONGEST_LINE} bytes")
                self._rest = whole + self._rest
                return
            self._hints, self._first = hints, first
            self._options = settle(self._asked, hints, first)
            check(self._options, self._name)
            self._line += text.count("\n", 0, start)
        self._figures(text[start:] if start else text, self._options)
        self._line += text.count("\n", start)

    def _figures(self, text: str, options: ColumnOptions) -> None:
        untagged = options.time == "none"
        values = None
        if self._arrays and untagged and options.value_column == 0 and options.u_column is None:
            values = read_single_column(text.encode("latin-1"))
        if values is not None:
            places = np.arange(self._place, self._place + len(values))
            self._place += len(values)
            epochs = untagged_epochs(places, options.tau0_s or 1.0, options.start_ns or 0, self._name)
            self._keep(epochs, values, None)
            return
        if self._arrays and not untagged and self._tagged(text, options):
            return
        tags = TagReader(options.time or "none", options.time_scale, options.start_ns or 0, self._leaps, self._name)
        reader = LineReader(tags, options.value_column or 0, options.u_column, self._name)
        found = list(reader.read(text, self._line))
        samples = [each for each in found if isinstance(each, Sample)]
        defects = [each for each in found if isinstance(each, Defect)]
        if options.kind == "frequency" and not untagged:
            samples, late = self._in_order(samples)
            defects = sorted(defects + late, key=lambda defect: defect.line)
        self._tell(defects)
        epochs = np.array([sample.epoch_ns for sample in samples], dtype=np.int64)
        if untagged:
            places = np.array([sample.place for sample in samples], dtype=np.int64) + self._place
            epochs = untagged_epochs(places, options.tau0_s or 1.0, options.start_ns or 0, self._name)
        self._place += len(found)
        u = None if options.u_column is None else np.array([sample.u for sample in samples], dtype=np.float64)
        self._keep(epochs, np.array([sample.value for sample in samples], dtype=np.float64), u)

    def _tagged(self, text: str, options: ColumnOptions) -> bool:
        """Read lines with tags all at once; False when that cannot be done, or would pass over a tag that goes back."""
        columns = read_tagged(text.encode("latin-1"), options, self._leaps, self._name)
        if columns is None:
            return False
        if options.kind == "frequency":
            epochs = columns[0] if self._last_ns is None else np.append(self._last_ns, columns[0])
            if np.any(np.diff(epochs) <= 0):
                return False
            self._last_ns = int(epochs[-1])
        self._keep(*columns)
        return True

    def _keep(self, epoch: IntArray, value: FloatArray, u: FloatArray | None) -> None:
        self._count += len(value)
        if self._count > MOST_SAMPLES:
            reason = f"more than {MOST_SAMPLES} samples: cut the file, or thin it out"
            raise whole_file_error(self._name, self._first, reason)
        self._parts.append((epoch, value, u))

    def _in_order(self, samples: list[Sample]) -> tuple[list[Sample], list[Defect]]:
        """Leave out the samples whose tag does not come after the one before: there is no interval to add up."""
        kept: list[Sample] = []
        late: list[Defect] = []
        for sample in samples:
            if self._last_ns is not None and sample.epoch_ns <= self._last_ns:
                told = str(sample.epoch_ns)
                late.append(Defect(self._name, sample.line, "time", told, "not after the sample before it"))
            else:
                kept.append(sample)
                self._last_ns = sample.epoch_ns
        return kept, late

    def _tell(self, defects: list[Defect]) -> None:
        room = MOST_DEFECTS - len(self._defects)
        self._defects += defects[:room]
        self._untold += max(0, len(defects) - room)

    def _told(self) -> list[Defect]:
        if not self._untold:
            return self._defects
        more = Defect(self._name, 0, "line", "", f"{self._untold} more bad lines", self._untold)
        return [*self._defects, more]

    def _joined(self) -> Samples:
        """Join the parts column by column, so that no more than one of them stands there twice."""
        epochs, values, u = ([part[column] for part in self._parts] for column in range(3))
        self._parts = []
        epoch = np.concatenate([np.empty(0, dtype=np.int64), *epochs])
        del epochs
        value = np.concatenate([np.empty(0), *values])
        del values
        known = [each for each in u if each is not None]
        return Samples(epoch, value, np.concatenate(known) if known else None)
