"""Fuzz target: any bytes as a Circular T. Only FormatError may escape; what is read must hang together."""

from __future__ import annotations

from collections.abc import Iterable

from timeball.formats import FormatError, lab_points, parse, read_circular_t, recognise
from timeball.instants import LeapTable, day_number

LEAPS = LeapTable.from_offsets([(day_number(1972, 1, 1), 10), (day_number(1972, 7, 1), 11)], None, "fuzz")
SEED = b"""CIRCULAR T 456
2026 JANUARY 08, 22h UTC
1 - Difference between UTC and its local realizations UTC(k).
    From 2017 January 1, 0h UTC, TAI-UTC = 37 s.
Date 2025    0h UTC         NOV 30   DEC  5    Uncertainty/ns Notes
       MJD                   61009    61014     uA    uB    u
Laboratory k                   [UTC-UTC(k)]/ns
OP   (Paris)                   0.2     -0.1    0.2   1.1   1.1
INPL (Jerusalem)            -261.5       -     0.2    NC     -  (1)
- Notes on section 1:
(1) INPL : Time step of UTC(INPL) of -300 ns on MJD 61018.48.
2 - Difference between the normalized frequencies of EAL and TAI.
     New correction               61039 - 61069           6.498x10**-13     (2025 DEC 30 - 2026 JAN 29)
3 - Duration of the TAI scale interval d.
PTB-CSF2     61009 61039   -0.10   0.10  0.17   0.01   0.10  0.22  PFS/NA   T370  0.17    Y
4 - Relations of UTC and TAI with predictions of UTC(k) disseminated by GNSS and their System Times.
2025    0h UTC    MJD    C0/ns   N0   C0'/ns   N0'
       NOV  30   61009     3.3   89     -0.7   88
       DEC   1   61010       -    -     -0.4   89
5 - Time links used for the computation of TAI, calibrations information and corresponding uncertainties.
AOS /PTB        TWSTFT      0.3      1.1    0.0     0268-2014 (1)
"""


def seeds() -> Iterable[bytes]:
    """Give a small circular to start from."""
    return (SEED,)


def target(data: bytes) -> None:
    """Recognise and read the bytes, with a leap second table and without."""
    for read in (recognise, lambda each: parse(each, "fuzz", leaps=LEAPS)):
        try:
            read(data)
        except FormatError:
            continue
    for leaps in (None, LEAPS):
        try:
            circular = read_circular_t(data, "fuzz", leaps)
        except FormatError:
            continue
        assert len(circular.epochs) == len(circular.mjd)
        assert all(row.values_s.shape == circular.epochs.shape for row in circular.labs.values())
        assert len(circular.readings()) == sum(lab_points([circular], lab).epochs.size for lab in circular.labs)
        if circular.gnss is not None:
            assert all(values.shape == circular.gnss.epochs.shape for values in circular.gnss.columns.values())
        assert not any(link.u_stb_s < 0 or link.u_cal_s < 0 for link in circular.links)
        assert all(interval.start_mjd < interval.end_mjd for interval in circular.steering)
