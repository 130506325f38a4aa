"""Plain columns: phase or frequency of one clock against another, one sample a line, with or without time tags.

Sign: a phase is x_clock − x_reference; a frequency is that of the clock relative to the reference.

Lines that start with # % ; * ! / or a quote are comments; so is whatever stands before the first line of figures.
Fields are separated by blanks, commas or semicolons; what follows the last field that is needed is a remark. ``nan``
is a missing sample, not a defect. Frequencies are added up to phases, since readings are phases: a frequency
stands for the interval that starts at its tag, and an interval without one is bridged with the mean frequency.

What it does not do: guess units (only a hint in a comment, ``unit: ns``, is taken), resample, or remove offsets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from timeball.formats.columns_lines import LineReader, Sample, read_head, read_single_column, split_fields
from timeball.formats.columns_time import EPOCH_LIMIT_NS, TIME_KINDS, TagReader, tag_kind, untagged_epochs
from timeball.formats.compression import plain_bytes
from timeball.formats.defects import Defect, FormatError, Parsed, WriteError, shown, whole_file_error
from timeball.formats.numerals import LARGEST, read_integer, read_number
from timeball.instants import DAY_NS, MJD_OF_1970, NS_PER_SECOND, LeapTable
from timeball.readings import FloatArray, Readings

KIND = "columns"
KINDS = ("phase", "frequency")
UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "fs": 1e-15}
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ColumnOptions:
    """How to read a file of plain columns; None means: as its comments say, else the default named here.

    kind: phase (default) or frequency. tau0_s: sampling interval (1 s; with time tags the median step).
    unit_s: unit of the phases in seconds (1). nominal_hz: when given, frequencies are in Hz and
    y = f / nominal_hz − 1; else they are fractional. time: none, seconds, mjd or iso (told from the first line of
    figures). time_scale: that of the tags: TAI, UTC, GPS, GAL, BDS, ... start_ns: TAI epoch of the first untagged
    sample, or of the tag 0 s (1970). value_column, u_column: counted from 0 (the first after the tag; none).
    """

    kind: str | None = None
    tau0_s: float | None = None
    unit_s: float | None = None
    nominal_hz: float | None = None
    time: str | None = None
    time_scale: str = "TAI"
    start_ns: int | None = None
    value_column: int | None = None
    u_column: int | None = None
    clock: str | None = None
    reference: str | None = None


def parse_columns(
    data: bytes, name: str, options: ColumnOptions | None = None, leaps: LeapTable | None = None, *, arrays: bool = True
) -> Parsed:
    """Read plain columns, plain or gzip.

    leaps: needed for tags in UTC. arrays: False reads line by line throughout (same result, slower).
    Raises ``FormatError`` for options that make no sense, tags that need a leap table, or no line of figures.
    """
    plain, defects = plain_bytes(data, name)
    text = plain.removeprefix(b"\xef\xbb\xbf").decode("latin-1")  # one character a byte, whatever the encoding
    start, hints, first = read_head(text)
    settled = _settle(options or ColumnOptions(), hints, first)
    _check(settled, name)
    samples, faults = _read_body(text, start, settled, leaps, name, arrays)
    defects += faults
    readings, gaps = _readings(samples, settled)
    if not len(readings):
        raise FormatError(defects[0]) if defects else whole_file_error(name, first, "no line of figures")
    header: dict[str, object] = {"kind": settled.kind, "time": settled.time, "hints": hints, "bridged_gaps": gaps}
    header["missing"] = int(np.isnan(samples.value).sum())
    return Parsed(readings, defects, KIND, header)


def _settle(options: ColumnOptions, hints: dict[str, str], first: str) -> ColumnOptions:
    """Fill in what the options leave open; a hint that makes no sense is no hint."""
    kind = "frequency" if hints.get("kind", "").lower().startswith("freq") else "phase"
    unit = hints.get("unit_s", "s")
    stated_time = hints.get("time", "").lower()
    time = options.time or (stated_time if stated_time in TIME_KINDS else tag_kind(split_fields(first)))
    start_ns = read_integer(hints.get("start_ns", ""), 0, EPOCH_LIMIT_NS)
    clock, reference = hints.get("clock", "clock"), hints.get("reference", "reference")
    return ColumnOptions(
        kind=options.kind or kind,
        tau0_s=read_number(hints.get("tau0_s", "")) if options.tau0_s is None else options.tau0_s,
        unit_s=UNITS_S.get(unit.lower(), read_number(unit) or 1.0) if options.unit_s is None else options.unit_s,
        nominal_hz=options.nominal_hz,
        time=time,
        time_scale=options.time_scale,
        start_ns=(start_ns or 0) if options.start_ns is None else options.start_ns,
        value_column=(0 if time == "none" else 1) if options.value_column is None else options.value_column,
        u_column=read_integer(hints.get("u_column", ""), 0, 99) if options.u_column is None else options.u_column,
        clock=options.clock or (clock if clock != reference else "clock"),
        reference=options.reference or (reference if clock != reference else "reference"),
    )


def _check(options: ColumnOptions, name: str) -> None:
    sensible = {
        "kind": options.kind in KINDS,
        "tau0_s": options.tau0_s is None or 1e-9 <= options.tau0_s <= 1e9,
        "unit_s": options.unit_s is not None and 0 < abs(options.unit_s) < LARGEST,
        "nominal_hz": options.nominal_hz is None or 0 < options.nominal_hz < LARGEST,
        "time": options.time in TIME_KINDS,
        "start_ns": options.start_ns is not None and abs(options.start_ns) <= EPOCH_LIMIT_NS,
        "value_column": options.value_column is not None and options.value_column >= 0,
        "clock": options.clock != options.reference,
    }
    for field, fine in sensible.items():
        if not fine:
            text = shown(str(getattr(options, field)))
            raise FormatError(Defect(name, 0, field, text, "not an option that makes sense"))


@dataclass(frozen=True, slots=True)
class _Samples:
    epoch: IntArray
    value: FloatArray
    u: FloatArray


def _read_body(
    text: str, start: int, options: ColumnOptions, leaps: LeapTable | None, name: str, arrays: bool
) -> tuple[_Samples, list[Defect]]:
    untagged = options.time == "none"
    simple = arrays and untagged and options.value_column == 0 and options.u_column is None
    values = read_single_column(text[start:].encode("latin-1")) if simple else None
    if values is not None:
        epochs = untagged_epochs(np.arange(len(values)), options.tau0_s or 1.0, options.start_ns or 0, name)
        return _Samples(epochs, values, np.full(len(values), np.nan)), []
    tags = TagReader(options.time or "none", options.time_scale, options.start_ns or 0, leaps, name)
    reader = LineReader(tags, options.value_column or 0, options.u_column, name)
    found = list(reader.read(text[start:], text.count("\n", 0, start) + 1))
    samples = [each for each in found if isinstance(each, Sample)]
    defects = [each for each in found if isinstance(each, Defect)]
    if options.kind == "frequency" and not untagged:
        samples, late = _in_order(samples, name)
        defects = sorted(defects + late, key=lambda defect: defect.line)
    epochs = np.array([sample.epoch_ns for sample in samples], dtype=np.int64)
    if untagged:
        places = np.array([sample.place for sample in samples], dtype=np.int64)
        epochs = untagged_epochs(places, options.tau0_s or 1.0, options.start_ns or 0, name)
    values = np.array([sample.value for sample in samples], dtype=np.float64)
    return _Samples(epochs, values, np.array([sample.u for sample in samples], dtype=np.float64)), defects


def _in_order(samples: list[Sample], name: str) -> tuple[list[Sample], list[Defect]]:
    """Leave out the samples whose tag does not come after the one before: there is no interval to add up."""
    kept: list[Sample] = []
    late: list[Defect] = []
    for sample in samples:
        if kept and sample.epoch_ns <= kept[-1].epoch_ns:
            late.append(Defect(name, sample.line, "time", str(sample.epoch_ns), "not after the sample before it"))
        else:
            kept.append(sample)
    return kept, late


def _readings(samples: _Samples, options: ColumnOptions) -> tuple[Readings, int]:
    """Give the readings, and how many gaps between frequencies were bridged."""
    gaps = 0
    epochs, u = samples.epoch, samples.u
    with np.errstate(all="ignore"):  # what overflows is not finite, and left out
        if options.kind == "phase":
            x = samples.value * (options.unit_s or 1.0)
        else:
            y = (
                samples.value
                if options.nominal_hz is None
                else (samples.value - options.nominal_hz) / options.nominal_hz
            )
            finite = np.isfinite(y)
            tau0_s = 1.0 if options.tau0_s is None and options.time == "none" else options.tau0_s
            epochs, x, gaps = _add_up(epochs[finite], y[finite], tau0_s)
            u = np.full(len(x), np.nan)
    good = np.isfinite(x)
    count = int(good.sum())
    names = (options.clock or "clock", options.reference or "reference")
    readings = Readings.from_columns(names, epochs[good], np.zeros(count), np.ones(count), x[good], u[good])
    return readings, gaps


def _add_up(epochs: IntArray, y: FloatArray, tau0_s: float | None) -> tuple[IntArray, FloatArray, int]:
    """Add frequencies up to phases, 0 at the first tag: (epochs, x in s, gaps bridged).

    y_k holds from t_k for tau0, or to t_k+1 when that is less than 1.5 tau0 away. A wider gap is crossed with the
    mean of all y, and the phase at its near edge is kept too.
    """
    if not y.size:
        return epochs, y, 0
    steps_ns = np.diff(epochs)
    if tau0_s is None:
        tau0_ns = float(np.median(steps_ns)) if steps_ns.size else float(NS_PER_SECOND)
    else:
        tau0_ns = tau0_s * NS_PER_SECOND
    lasting_ns = np.append(np.where(steps_ns < 1.5 * tau0_ns, steps_ns, tau0_ns), tau0_ns)
    edges = epochs + np.rint(lasting_ns).astype(np.int64)
    advance = y * (lasting_ns / NS_PER_SECOND)
    crossing = np.append(0.0, (epochs[1:] - edges[:-1]) / NS_PER_SECOND * np.mean(y))
    x_starts = np.cumsum(np.append(0.0, advance[:-1]) + crossing)
    gap_ends = np.append(edges[:-1] != epochs[1:], True)  # the last edge is an end, too
    all_epochs = np.concatenate([epochs, edges[gap_ends]])
    all_x = np.concatenate([x_starts, (x_starts + advance)[gap_ends]])
    order = np.argsort(all_epochs, kind="stable")
    return all_epochs[order], all_x[order], int(gap_ends.sum()) - 1


def write_columns(readings: Readings, time: str = "mjd") -> bytes:
    """Write phases of one clock against one other, tagged with MJD or seconds of TAI; what is written parses back
    to the same readings, to the last bit (tags to the ns).

    Raises ``WriteError`` when the readings are not all of one pair, or ``time`` is neither mjd nor seconds.
    """
    pairs = set(zip(readings.a.tolist(), readings.b.tolist(), strict=True))
    if len(pairs) != 1 or time not in {"mjd", "seconds"}:
        raise WriteError(f"plain columns hold one pair of clocks tagged in mjd or seconds, not {len(pairs)} in {time}")
    (a, b) = pairs.pop()
    clock, reference = readings.clocks[a], readings.clocks[b]
    if any(len(text.split()) != 1 or set(text) & set(",;") for text in (clock, reference)):
        raise WriteError(f"a name with blanks, commas or semicolons cannot be written: {clock!r}, {reference!r}")
    known_u = bool(np.isfinite(readings.u).any())
    start_ns = int(readings.epoch.min()) if time == "seconds" else 0
    head = ["kind = phase", "unit = s", f"time = {time}", f"clock = {clock}", f"reference = {reference}"]
    head += [f"start_ns = {max(start_ns, 0)}"] * (time == "seconds") + ["u_column = 2"] * known_u
    tags = _mjd_tags(readings.epoch) if time == "mjd" else _second_tags(readings.epoch - max(start_ns, 0))
    lines = [f"# {line}" for line in head]
    for tag, x, u in zip(tags, readings.x.tolist(), readings.u.tolist(), strict=True):
        lines.append(f"{tag} {x!r} {u!r}" if known_u else f"{tag} {x!r}")
    return ("\n".join(lines) + "\n").encode()


def _mjd_tags(epochs: IntArray) -> list[str]:
    # 15 decimals of a day are 0.1 ns: enough that the nearest nanosecond is the one that was meant.
    unit = 10**15
    counts = ((ns * unit + DAY_NS // 2) // DAY_NS + MJD_OF_1970 * unit for ns in epochs.tolist())
    return [f"{'-' * (count < 0)}{abs(count) // unit}.{abs(count) % unit:015d}" for count in counts]


def _second_tags(offsets_ns: IntArray) -> list[str]:
    return [f"{'-' * (ns < 0)}{abs(ns) // NS_PER_SECOND}.{abs(ns) % NS_PER_SECOND:09d}" for ns in offsets_ns.tolist()]
