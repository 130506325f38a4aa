"""Data lines of CGGTTS files decoded all at once: those that stand exactly in their columns, with a good checksum.

What is taken here is what :func:`timeball.formats.cggtts.lines.decode_line` takes, to the same figures; everything
else is left to it. The characters stand transposed, one row a column of the file, so that a step is over all lines.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from timeball.formats.cggtts.layout import MINUS_ZERO, MISSING, TEXT, Column, Layout
from timeball.formats.cggtts.lines import Figures, LineError, read_text
from timeball.formats.cggtts.records import IntArray
from timeball.formats.text_rows import ByteArray, TextRows

MaskArray = npt.NDArray[np.bool_]
_SPACE, _PLUS, _MINUS, _ZERO = b" +-0"
_NOT_HEX = 255
_HEX_OF = np.full(256, _NOT_HEX, dtype=np.uint8)
_HEX_OF[np.frombuffer(b"0123456789abcdef", dtype=np.uint8)] = np.arange(16)
_HEX_OF[np.frombuffer(b"ABCDEF", dtype=np.uint8)] = np.arange(10, 16)


def decode_arrays(rows: TextRows, layout: Layout, number: int) -> tuple[Figures, IntArray]:
    """Decode the lines that are in place: their figures, and which of the lines they are.

    rows: the lines, behind which ``layout.checksum_at`` + 3 blanks stand; number: of the first line in the file.
    """
    places = np.flatnonzero(rows.lengths >= layout.checksum_at + 2)
    characters = rows.rows(places, layout.checksum_at + 3).T.copy()
    good = _in_place(characters, layout)
    if not good.all():
        places, characters = places[good], characters[:, good]
    good = np.ones(len(places), dtype=np.bool_)
    figures: dict[str, IntArray] = {}
    texts: dict[str, list[str]] = {"FRC": [""] * len(places)}
    for column, start in zip(layout.columns, layout.starts, strict=True):
        field = characters[start : start + column.width]
        if column.per_unit == TEXT:
            texts[column.name], fits = _texts(column.name, field)
        else:
            figures[column.name], fits = _figures(column, field)
        good &= fits
    found = Figures(places + number, figures, texts["SAT"], texts["CL"], texts["FRC"])
    kept = np.flatnonzero(good)
    return found.take(kept), places[kept]


def _in_place(characters: ByteArray, layout: Layout) -> MaskArray:
    """Mark lines with blanks between their columns and behind the checksum, and a checksum that is right."""
    at = layout.checksum_at
    blanks = [start - 1 for start in layout.starts[1:]] + [at - 1, at + 2]
    high, low = _HEX_OF[characters[at]], _HEX_OF[characters[at + 1]]
    summed = np.add.reduce(characters[:at], axis=0, dtype=np.uint8)
    good = (characters[blanks] == _SPACE).all(axis=0) & (high != _NOT_HEX) & (low != _NOT_HEX)
    return np.asarray(good & (summed == (high << 4) + (low & 15)), dtype=np.bool_)


def _figures(column: Column, field: ByteArray) -> tuple[IntArray, MaskArray]:
    """Read a field of digits at the right, a sign before them and blanks before that; mark those that are one."""
    count = field.shape[1]
    value = np.zeros(count, dtype=np.int64)
    begun, negative = np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
    good = np.ones(count, dtype=np.bool_)
    digit = np.zeros(count, dtype=np.bool_)
    for characters in field:
        numeral = characters - np.uint8(_ZERO)  # wraps round below the numeral 0
        digit = numeral < 10
        blank = characters == _SPACE
        before = blank
        if column.may_have_sign:
            minus = characters == _MINUS
            before = blank | minus | (characters == _PLUS)
            negative |= minus
        good &= digit | (before & ~begun)
        begun |= ~blank
        value = np.where(digit, value * 10 + numeral, value)
    good &= digit | (~begun & column.optional)
    missing = ~begun
    for filler in column.fillers:
        missing |= (value == filler) & ~negative
    value = np.where(negative, np.where(value == 0, MINUS_ZERO, -value), value)
    value[missing] = MISSING
    return value, good


def _texts(name: str, field: ByteArray) -> tuple[list[str], MaskArray]:
    """Read a field of text: each that occurs is read once."""
    keys = np.zeros(field.shape[1], dtype=np.int64)
    for characters in field:
        keys = keys * 256 + characters
    distinct, place = np.unique(keys, return_inverse=True)
    read, fits = [], []
    for key in distinct.tolist():
        text = key.to_bytes(len(field), "big").decode("latin-1")
        try:
            read.append(read_text(name, text.strip(" ")))
            fits.append(True)
        except LineError:
            read.append("")
            fits.append(False)
    return [read[each] for each in place.tolist()], np.array(fits, dtype=np.bool_)[place]
