"""Fuzz target: any bytes as a two-way file of ITU-R TF.1153. Only FormatError may escape; what is written stays."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from timeball.formats import FormatError, WriteError
from timeball.formats.itu_tw import is_itu_tw, read_itu_tw
from timeball.formats.itu_tw.writer import write_itu_tw
from timeball.instants import LeapTable, day_number

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 36), (day_number(2017, 1, 1), 37)], None, "fuzz")
HEADER = b"""* TWTBL61.140
* FORMAT    01
* LAB       TBL
* ES TBL01  LA: N 36 27 51.530       LO: W 006 12 22.333   HT: +0074.67 m
* LINK   23 SAT: TELSTAR 11N         NLO: E 322 27 00.000  XPNDR: 999999999 ns
*           SAT-NTX: 10953.9500 MHz  SAT-NRX: 14253.9500 MHz  BW:   4.1 MHz
* CAL   618 TYPE: PORT ES REL        MJD: 60583 EST. UNCERT.:    0.800 ns
* COMMENTS  none
"""
LINES = b""" TBL01  PTB05 23 61140 001600 119 +0.262383672844 0.512 119 118 +0.000000964858 0.05 618 1 16.9 0 1 2 45 9
 TBL01  TBL01 23 61140 235900 119 0.26 0.333 999 999 999999999999999 99999 999 9 999999999 999999999 99999 +99 999 9999
"""


def seeds() -> Iterable[bytes]:
    """Give small files to start from."""
    return (HEADER + LINES, LINES)


def target(data: bytes) -> None:
    """Read the bytes as they are, and behind a header."""
    for text in (data, HEADER + data):
        is_itu_tw(text)
        try:
            two_way = read_itu_tw(text, "fuzz", LEAPS)
        except FormatError:
            continue
        assert len(two_way) > 0
        assert np.all(np.isfinite(two_way.tw_s))
        try:
            written = write_itu_tw(two_way)
        except WriteError:
            continue
        again = read_itu_tw(written, "again", LEAPS)
        assert again.remote == two_way.remote
        assert write_itu_tw(again) == written
