"""Bulletins made up for tests, laid out as the BIPM prints them: Circular T, weekly UTCr, reports of standards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
Row = tuple[str, Sequence[str], str]  # place, values as printed, uncertainties and notes as printed
ROWS: dict[str, Row] = {
    "OP": ("Paris", ["0.2", "-0.1", "0.4"], "0.2   1.1   1.1"),
    "APL": ("Laurel", ["1.5", "2.3", "-"], "0.2    NC     -"),
    "CAO": ("Cagliari", ["-", "-", "-"], ""),
    "INPL": ("Jerusalem", ["-261.5", "-271.7", "17.3"], "0.2   7.7   7.7 (1)"),
}
NOTE = "(1) INPL : Time step of UTC(INPL) of -300 ns\n    on MJD 61018.48."
SECTION_3 = """3 - Duration of the TAI scale interval d.

    All values are expressed in 10**-15 and are valid only for the stated period of estimation.

Standard      Period of       d      uA    uB  ul/Lab ul/Tai   u   uSrep Ref(uS) Ref(uB) uB(Ref) Steer Note
              Estimation
PTB-CS1      61009 61019   -6.41   6.00  8.00   0.00   0.13 10.00  PFS/NA      T148    8.      Y   (1)
PTB-CSF2     61009 61019   -0.10   0.10  0.17   0.01   0.10  0.22  PFS/NA      T370    0.17    Y
SYRTE-FORb   61009 61019   -0.29   0.25  0.26   0.12   0.15  0.41  0.34  [1]   T328    0.34    N   (2)

Notes:
(1) Continuously operating as a clock participating to TAI

Period of estimation         d               u
   61009-61019      -0.38x10**-15   0.10x10**-15   (2025 NOV 30 - 2025 DEC 10)
"""
SECTION_4 = """4 - Relations of UTC and TAI with predictions of UTC(k) disseminated by GNSS and their System Times.

    [UTC-GPS time]=-18 s + C0, [TAI-GPS time]=19 s + C0, global uncertainty is of order 10 ns.
    [UTC-UTC(USNO)_GPS]= C0', [UTC-GLONASS time]= C1, [UTC-UTC(SU)_GLONASS]= C1'.

2025    0h UTC    MJD    C0/ns   N0   C0'/ns   N0'   C1/ns   N1   C1'/ns   N1'

       NOV  30   61009     3.3   89     -0.7   88    -12.5   81     -7.0   81
       DEC   1   61010     3.9   90     -0.4   89        -    -        -    -
       DEC   2   61011    -4.1   88      0.6   88    -13.0   79     -6.1   79
"""
SECTION_5 = """5 - Time links used for the computation of TAI, calibrations information and corresponding uncertainties.

    Link        Type     uStb/ns  uCal/ns  Al/ns    Calibration

AOS /PTB        TWSTFT      0.3      1.1    0.0     0268-2014  1012-2016  (1)
APL /PTB        GPSPPP      0.2       NC
OP  /PTB        TWGPPP      0.2      1.0            1001-2020
UA  /PTB        GPS MC      3.0      7.0            GPS EC/GPS EC
"""


def day_of(mjd: int) -> date:
    return date(1858, 11, 17) + timedelta(days=mjd)


def heading(mjd: Sequence[int]) -> str:
    days = [day_of(each) for each in mjd]
    dates = "".join(f"   {MONTHS[day.month - 1]} {day.day:2d}" for day in days)
    return f"Date {days[0].year}    0h UTC      {dates}    Uncertainty/ns Notes\n" + (
        f"       MJD                {''.join(f'{each:9d}' for each in mjd)}     uA    uB    u\n"
    )


def rows_text(rows: Mapping[str, Row]) -> str:
    return "".join(
        f"{lab:<5}({place}){'':<12}{''.join(f'{value:>9}' for value in values)}    {rest}".rstrip() + "\n"
        for lab, (place, values, rest) in rows.items()
    )


def circular_t(
    rows: Mapping[str, Row] = ROWS,
    mjd: Sequence[int] = (61009, 61014, 61019),
    number: int = 456,
    published: str = "2026 JANUARY 08, 22h UTC",
    offset: str = "    From 2017 January 1, 0h UTC, TAI-UTC = 37 s.",
    note: str = NOTE,
    rest: str = "",
) -> str:
    """A Circular T with sections 1 and 2, and whatever `rest` is."""
    return (
        f"CIRCULAR T {number}                                        ISSN 1143-1393\n{published}\n"
        "                 BUREAU INTERNATIONAL DES POIDS ET MESURES\n\n"
        "1 - Difference between UTC and its local realizations UTC(k) and corresponding uncertainties.\n"
        f"{offset}\n\n{heading(mjd)}Laboratory k                          [UTC-UTC(k)]/ns\n\n{rows_text(rows)}\n"
        f"- Notes on section 1:\n{note}\n\n"
        "2 - Difference between the normalized frequencies of EAL and TAI.\n\n"
        "                               Interval of validity       f(EAL)-f(TAI)\n\n"
        f"     Steering correction          {mjd[0]} - {mjd[-1]}           6.498x10**-13     (dates)\n"
        f"     New correction               {mjd[-1]} - {mjd[-1] + 30}           6.400x10**-13     (dates)\n{rest}"
    )


def utcr(rows: Mapping[str, Row] | None = None, mjd: Sequence[int] = (61010, 61011, 61012)) -> str:
    """A week of UTCr."""
    shown = {lab: (place, values, "") for lab, (place, values, _) in (ROWS if rows is None else rows).items()}
    return (
        "UTCr_2549\n2025 DECEMBER 10, 12h UTC\n                 BUREAU INTERNATIONAL DES POIDS ET MESURES\n\n"
        f"Computed values of [UTCr-UTC(k)]\n\n{heading(mjd)}Laboratory k            [UTCr-UTC(k)]/ns\n\n"
        f"{rows_text(shown)}"
        "\nUTC remains the only reference.\n"
    )
