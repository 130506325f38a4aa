"""TimeLab's .tim files: the phase record in them. Read only: what brings a record into TimeLab is plain columns.

Sign: the figures are the time deviation of the instrument's input against its reference, in s, as TimeLab keeps them.

The format is not published. What is relied on: lines of text; a property is a quoted name and its value; a line
``TIC rows columns`` is followed by that many rows of figures, one column a channel. The sampling interval is taken from
a property that names one, else from the caller; a file that gives none is read at 1 s, and a defect says so.
What it does not do: read traces other than phase (noise, spectra), or write.
"""

from __future__ import annotations

import re

import numpy as np

from timeball.formats.columns.time import EPOCH_LIMIT_NS, untagged_epochs
from timeball.formats.compression import plain_bytes
from timeball.formats.defects import Defect, Parsed, shown, whole_file_error
from timeball.formats.numerals import LARGEST, LONGEST, read_number
from timeball.readings import FloatArray, Readings

KIND = "timelab"
_BLOCK = re.compile(rb"^TIC[ \t]+(\d{1,9})[ \t]+(\d{1,3})[ \t\r]*$", re.M)
_PROPERTY = re.compile(rb'^[ \t]*"([^"\n]{1,80})"[ \t]+([^\r\n]{0,200})', re.M)
_INTERVAL = re.compile(r"(?:sampl\w*|data|trace)\s+(?:interval|period)|tau\s*0?", re.I)
_RATE = re.compile(r"(?:sampl\w*|data)\s+rate", re.I)
_LONGEST_HEAD = 1 << 20


def is_timelab(head: bytes) -> bool:
    """Tell from its beginning whether a file is one: it has the line that begins a phase record."""
    return _BLOCK.search(head) is not None


def parse_timelab(
    data: bytes, name: str, *, tau0_s: float | None = None, start_ns: int = 0, channel: int = 0
) -> Parsed:
    """Read one channel's phases as readings clock − reference; `header` holds the properties as text.

    tau0_s: the sampling interval, when the file does not say or says it wrong. start_ns: TAI epoch of the first.
    A record cut short gives what is there. Raises ``FormatError`` without a block, a figure or such a channel.
    """
    plain, defects = plain_bytes(data, name)
    block = _BLOCK.search(plain[:_LONGEST_HEAD])
    if block is None:
        raise whole_file_error(name, plain[:40], "no phase record ('TIC rows columns') of TimeLab in it")
    rows, columns = int(block[1]), int(block[2])
    if not 0 <= channel < columns or abs(start_ns) > EPOCH_LIMIT_NS:
        raise whole_file_error(name, str(channel), f"no such channel: the record has {columns}")
    line = plain.count(b"\n", 0, block.start()) + 1
    properties = {
        key.decode("latin-1"): value.decode("latin-1").strip()
        for key, value in _PROPERTY.findall(plain[: block.start()])
    }
    values, faults = _figures(plain[block.end() :], rows * columns, name, line)
    if len(values) < rows * columns:
        faults.append(Defect(name, 0, "TIC", f"{rows} {columns}", f"only {len(values)} figures are there"))
    interval_s = tau0_s or _interval(properties)
    if interval_s is None:
        faults.append(Defect(name, 0, "interval", "", "the file does not say the sampling interval; 1 s is taken"))
    x = values[: len(values) // columns * columns].reshape(-1, columns)[:, channel]
    epochs = untagged_epochs(np.arange(len(x)), interval_s or 1.0, start_ns, name)
    good = np.isfinite(x)
    if not good.any():
        raise whole_file_error(name, "", "no figure in the phase record")
    readings = Readings.from_columns(
        ("clock", "reference"), epochs[good], np.zeros(int(good.sum())), np.ones(int(good.sum())), x[good]
    )
    header: dict[str, object] = {"kind": "phase", "channels": columns, "tau0_s": interval_s, "properties": properties}
    return Parsed(readings, defects + faults, KIND, header)


def _figures(body: bytes, count: int, name: str, line: int) -> tuple[FloatArray, list[Defect]]:
    """Give up to ``count`` figures; a word that is none is a missing value, and the first few are told."""
    words = body.split(None, count)[:count]
    if not words or max(map(len, words)) <= LONGEST:
        try:
            values = np.array(words, dtype=np.bytes_).astype(np.float64) if words else np.empty(0)
        except ValueError:
            pass
        else:
            return np.where(np.abs(values) < LARGEST, values, np.nan), []
    faults = []
    found = np.full(len(words), np.nan)
    for place, word in enumerate(words):
        number = read_number(word.decode("latin-1"))
        if number is None:
            faults.append(Defect(name, 0, "value", shown(word), f"no number (figure {place + 1} after line {line})"))
        else:
            found[place] = number
    return found, faults


def _interval(properties: dict[str, str]) -> float | None:
    """Give the sampling interval in s that a property names, or whose inverse it names; None when none does."""
    for key, text in properties.items():
        words = text.split()
        value = read_number(words[0]) if words else None
        if value is None or not 1e-9 <= abs(value) <= 1e9 or value < 0:
            continue
        if _INTERVAL.fullmatch(key):
            return value
        if _RATE.fullmatch(key):
            return 1 / value
    return None
