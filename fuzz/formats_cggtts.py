"""Fuzz target: any bytes as a CGGTTS file. Only FormatError may escape; arrays and lines agree; what is written reads.

Data lines get a good checksum as well, since hardly any mutation keeps one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

import numpy as np

from timeball.formats.cggtts import Cggtts, Tracks, read_cggtts
from timeball.formats.cggtts.writer import write_cggtts
from timeball.formats.defects import FormatError, WriteError
from timeball.instants import LeapTable, day_number

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 10), (day_number(1980, 1, 1), 11)], None, "fuzz")
HEAD = (
    b"RCVR = X 1\nCH = 12\nLAB = TB\nX = +1.000 m\nCOMMENTS = none\n"
    b"INT DLY = 1.5 ns (GPS P1), 2.0 ns GPS P2     CAL_ID = 1-2\nREF = UTC(TB)\n"
)
NAMES = b"PRN CL  MJD  STTIME TRKL ELV AZTH   REFSV      SRSV     REFGPS    SRGPS  DSG IOE MDTR SMDT MDIO SMDI "
START = b" FF 57490 001000  780 442  100    -3762163     -8       -2517     -0   15 043  116 +999  177  +36 "
FILES = (
    b"GGTTS GPS DATA FORMAT VERSION = 01\n" + HEAD + b"CKSUM = 00\n\n" + NAMES + b"CK\n hhmmss\n 12" + START + b"00\n",
    b"CGGTTS     GENERIC DATA FORMAT VERSION = 2E\n"
    + HEAD
    + NAMES
    + b"MSIO SMSI ISG FR HC FRC CK\n hhmmss\nE03"
    + START
    + b"9999 +999 999 +1  0 L3E 00\nR03"
    + START
    + b"  12  -13  14 -7  0 L1C 00 remark\n",
)


def seeds() -> Iterable[bytes]:
    """Give a file of each kind to start from."""
    return FILES


def target(data: bytes) -> None:
    """Read the bytes, and the same with checksums made good, both ways."""
    for whole in (data, signed(data)):
        fast, slow = (_outcome(whole, arrays) for arrays in (True, False))
        if isinstance(fast, str) or isinstance(slow, str):
            assert fast == slow
            continue
        assert same_tracks(fast.tracks, slow.tracks)
        assert (fast.defects, repr(fast.header)) == (slow.defects, repr(slow.header))
        _write(fast)


def signed(data: bytes) -> bytes:
    """Put the right checksum where data lines have one: before the 103rd, 117th, 113th or 127th character."""
    lines = data.split(b"\n")
    for place, line in enumerate(lines):
        for at in (101, 111, 115, 125):
            if line[at : at + 2] == b"00" and line[at - 1 : at] == b" ":
                lines[place] = line[:at] + b"%02X" % (sum(line[:at]) % 256) + line[at + 2 :]
    return b"\n".join(lines)


def same_tracks(one: Tracks, other: Tracks) -> bool:
    """Compare all columns but the numbers of the lines, the sign of zeros too."""
    for each in fields(Tracks):
        mine, theirs = getattr(one, each.name), getattr(other, each.name)
        if isinstance(mine, tuple):
            equal = mine == theirs
        else:
            equal = np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f")
            equal &= bool((np.signbit(mine) == np.signbit(theirs)).all())
        if not equal and each.name != "line":
            return False
    return True


def _outcome(data: bytes, arrays: bool) -> Cggtts | str:
    try:
        return read_cggtts(data, "fuzz", LEAPS, arrays=arrays)
    except FormatError as error:
        return str(error)


def _write(read: Cggtts) -> None:
    try:
        written = write_cggtts(read)
    except WriteError:
        return  # a header or a figure that the version has no room for
    again = read_cggtts(written, "written", LEAPS)
    assert same_tracks(again.tracks, read.tracks)
    assert again.header.checksum_ok
    assert write_cggtts(again) == written
