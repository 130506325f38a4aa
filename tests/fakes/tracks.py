"""CGGTTS files made up for tests: data lines with a good checksum under a header."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from timeball.formats.cggtts import Tracks
from timeball.instants import LeapTable, day_number

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 10), (day_number(1972, 7, 1), 11)], None, "made up")
NAMES = "CL  MJD  STTIME TRKL ELV AZTH   REFSV      SRSV     REF{0}    SR{0}  DSG IOE MDTR SMDT MDIO SMDI"
UNITS = "             hhmmss  s  .1dg .1dg    .1ns     .1ps/s     .1ns    .1ps/s .1ns     .1ns.1ps/s.1ns.1ps/s"
COMMON = "FF 60000 001000  780 442  100    -3762163     -8       -2517     +6   15 043  116  +18  177   -0"
HEADER = """REV DATE = 2026-11-02
RCVR = MAKER TYPE 17
CH = 12
IMS = 99999
LAB = TB
X = +4000000.125 m
Y = -1000.500 m
Z = +4800000.000 m
FRAME = ITRF
COMMENTS = NO COMMENTS
INT DLY = {delays}
CAB DLY = 155.2 ns
REF DLY = 5.0 ns
REF = UTC(TB)
"""
FIRST = {
    "01": "GGTTS GPS DATA FORMAT VERSION = 01",
    "02": "CGGTTS GPS/GLONASS DATA FORMAT VERSION = 02",
    "2E": "CGGTTS     GENERIC DATA FORMAT VERSION = 2E",
}
DELAYS = {"01": "46.5 ns", "02": "30.1 ns (GPS P1), 31.25 ns (GPS P2)"}
DELAYS["2E"] = "34.6 ns (GAL E1), -25.6 ns (GAL E5a)     CAL_ID = 1015-2021"


def signed(text: str) -> str:
    """Add to a data line, which ends in a blank, its checksum."""
    return f"{text}{sum(text.encode('latin-1')) % 256:02X}"


def track(satellite: str, rest: str = "", common: str = COMMON) -> str:
    """Make a data line; rest: what stands between SMDI and CK."""
    return signed(" ".join(part for part in (satellite, common, rest) if part) + " ")


def header(version: str, ionosphere: bool = False, first: str = "") -> str:
    """Make a header down to the line of units, with a good checksum."""
    head = (first or FIRST[version]) + "\n" + HEADER.format(delays=DELAYS[version])
    value = sum((head.replace("\n", "") + "CKSUM = ").encode()) % 256
    names = ("SAT " if version == "2E" else "PRN ") + NAMES.format("SYS" if version == "2E" else "GPS")
    names += " MSIO SMSI ISG" * ionosphere + " FR HC FRC" * (version != "01") + " CK"
    return f"{head}CKSUM = {value:02X}\n\n{names}\n{UNITS}{'.1ns.1ps/s.1ns  ' * ionosphere}\n"


def a_file(version: str, *lines: str, ionosphere: bool = False) -> bytes:
    """Make a file of these data lines."""
    return (header(version, ionosphere) + "".join(line + "\n" for line in lines)).encode("latin-1")


def assert_same(one: Tracks, other: Tracks) -> None:
    """Fail unless every column is the same, the signs of zeros too."""
    for each in fields(Tracks):
        mine, theirs = getattr(one, each.name), getattr(other, each.name)
        if isinstance(mine, tuple):
            assert mine == theirs, each.name
        else:
            np.testing.assert_array_equal(mine, theirs, each.name)
            np.testing.assert_array_equal(np.signbit(mine), np.signbit(theirs), each.name)
