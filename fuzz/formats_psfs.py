"""Fuzz target: any bytes as reports of frequency standards. Only FormatError may escape; what is read is sane."""

from __future__ import annotations

import math
from collections.abc import Iterable

from timeball.formats import FormatError, read_psfs

SECTION = b"""3 - Duration of the TAI scale interval d.
    All values are expressed in 10**-15 and are valid only for the stated period of estimation.
Standard      Period of       d      uA    uB  ul/Lab ul/Tai   u   uSrep Ref(uS) Ref(uB) uB(Ref) Steer Note
PTB-CS1      61009 61019   -6.41   6.00  8.00   0.00   0.13 10.00  PFS/NA      T148    8.      Y   (1)
SYRTE-FORb   61009 61019   -0.29   0.25  0.26   0.12   0.15  0.41  0.34  [1]   T328    0.34    N   (2)
   61009-61019      -0.38x10**-15   0.10x10**-15
"""
COLUMNS = b"# unit = 1e-16\nstandard start end y u_a u_b u_srep steer\nA-CsF1 61000 61030 -1.5 1 2 0 Y\n"


def seeds() -> Iterable[bytes]:
    """Give one file of each kind to start from."""
    return SECTION, COLUMNS


def target(data: bytes) -> None:
    """Read the bytes."""
    try:
        table = read_psfs(data, "fuzz")
    except FormatError:
        return
    for report in table.reports:
        figures = (report.d, report.u_a, report.u_b, report.u_lab, report.u_tai, report.u, report.u_srep)
        assert all(map(math.isfinite, figures))
        assert report.start_mjd < report.end_mjd
        assert report.u > 0
        assert min(figures[1:]) >= 0
