"""Fuzz target: any bytes as logs of chronyd and ntpd. Only FormatError may escape; readings are finite."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from timeball.formats import FormatError, parse, recognise
from timeball.formats.chrony import CHRONY_LOGS, read_chrony
from timeball.formats.ntpd import NTPD_FILES, read_ntpd
from timeball.instants import LeapTable, day_number

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 10), (day_number(1972, 7, 1), 11)], None, "fuzz")
READERS = {**dict.fromkeys(CHRONY_LOGS, read_chrony), **dict.fromkeys(NTPD_FILES, read_ntpd)}


def seeds() -> Iterable[bytes]:
    """Give a line of each log."""
    return (
        b"2016-11-09 05:40:50 203.0.113.15    N  2 111 111 1111  10 10 1.0 -4.966e-03  2.296e-01  1.577e-05  "
        b"1.615e-01  7.446e-03 CB00717B 4B D K\n",
        b"2016-08-10 05:40:50 203.0.113.15  6.261e-03 -3.247e-03  2.220e-03  1.874e-06  1.080e-06 7.8e-02 "
        b" 16 0 8 0.00\n",
        b"2017-08-22 13:22:36 203.0.113.15  2  -3.541  0.075 -8.621e-06 N 2  2.940e-03 -2.084e-04  1.534e-02  "
        b"3.472e-04  8.304e-03\n",
        b"2009-11-30 14:33:27.000000 PPS2    7 N 1  4.900000e-07 -6.741777e-07  1.000e-06\n",
        b"50935 75440.031 0.000006019 13.778190 0.000351733 0.013380 6\n",
        b"48773 10847.650 127.127.4.1 9714 -0.001605376 0.000000000 0.001424877 0.000958674\n",
        b"56285 54575.160 128.4.1.1 192.168.1.5 3565350574.400229473 3565350574.442385200 3565350574.442436000 "
        b"3565350574.454505763 0 4 4 1 8 -21 0.000000 0.000320 .PPS.\n",
    )


def target(data: bytes) -> None:
    """Recognise the bytes, and read them as each of the logs."""
    try:
        recognise(data)
        parse(data, "fuzz", leaps=LEAPS)
    except FormatError:
        pass
    for kind, read in READERS.items():
        try:
            table = read(data, "fuzz", LEAPS, kind)
        except FormatError:
            continue
        readings = table.readings()
        assert len(table.epoch) == len(table.sources) > 0
        assert len(readings) <= int(table.used.sum())
        assert np.all(np.isfinite(readings.x))
