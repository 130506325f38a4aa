"""The columns of a CGGTTS data line: names, widths, units and limits; and the checksum at its end.

Every column is one blank apart from the next. Versions differ in which columns stand: the measured ionosphere (MSIO,
SMSI, ISG) is there in any version or not, FR, HC and FRC from version 02 on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import accumulate

MISSING = -(1 << 62)  # in place of a figure that is blank or all nines
MINUS_ZERO = MISSING + 1  # in place of -0, which receivers write for a slope that rounds to it
NS, PS, DEGREES = 10**10, 10**13, 10  # units of 0.1 ns, 0.1 ps/s and 0.1 degrees, as how many make one


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in the heading, the column of `Tracks`, and what may stand there.

    per_unit: how many units of the file make one of ours; 0 for whole numbers, -1 for text. signed: one character is
    kept for a sign. low, high: limits in units of the file. optional: blank or all nines is "not known".
    """

    name: str
    attribute: str
    width: int
    per_unit: int
    signed: bool = False
    optional: bool = False
    low: int = -(10**11)
    high: int = 10**11

    @property
    def may_have_sign(self) -> bool:
        """Tell whether a sign may stand before the digits: some receivers write one where none is foreseen."""
        return self.per_unit > 0 or self.name == "FR"

    @property
    def fillers(self) -> tuple[int, ...]:
        """The figures that stand for "not known": nines over the width, with and without the place of a sign."""
        return _fillers(self)


TEXT = -1
_SAT = Column("SAT", "satellite", 3, TEXT)
_CL = Column("CL", "cl", 2, TEXT)
_START = (
    Column("MJD", "mjd", 5, 0, low=41_317, high=88_069),  # from the first day of UTC as it is, to 2100
    Column("STTIME", "start_s", 6, 0, low=0, high=235_959),
    Column("TRKL", "track_s", 4, 0, low=0, high=9_999),
    Column("ELV", "elevation_deg", 3, DEGREES, optional=True, low=0, high=900),
    Column("AZTH", "azimuth_deg", 4, DEGREES, optional=True, low=0, high=3_600),
    Column("REFSV", "refsv_s", 11, NS, signed=True, optional=True),
    Column("SRSV", "srsv", 6, PS, signed=True, optional=True),
    Column("REFSYS", "refsys_s", 11, NS, signed=True, optional=True),
    Column("SRSYS", "srsys", 6, PS, signed=True, optional=True),
    Column("DSG", "dsg_s", 4, NS, optional=True, low=0),
    Column("IOE", "ioe", 3, 0, optional=True, low=0),
    Column("MDTR", "mdtr_s", 4, NS, optional=True),
    Column("SMDT", "smdt", 4, PS, signed=True, optional=True),
    Column("MDIO", "mdio_s", 4, NS, optional=True),
    Column("SMDI", "smdi", 4, PS, signed=True, optional=True),
)
_MEASURED = (
    Column("MSIO", "msio_s", 4, NS, optional=True),
    Column("SMSI", "smsi", 4, PS, signed=True, optional=True),
    Column("ISG", "isg_s", 3, NS, optional=True, low=0),
)
_CHANNELS = (Column("FR", "fr", 2, 0, optional=True), Column("HC", "hc", 2, 0, optional=True, low=0))
_FRC = Column("FRC", "frc", 3, TEXT)
FIGURES = (*_START, *_MEASURED, *_CHANNELS)
_ALIASES = {"PRN": "SAT", "REFGPS": "REFSYS", "SRGPS": "SRSYS", "REFGLO": "REFSYS", "SRGLO": "SRSYS"}

_NAMES = "SAT CL  MJD  STTIME TRKL ELV AZTH   REFSV      SRSV     REFSYS    SRSYS  DSG IOE MDTR SMDT MDIO SMDI"
_NAMES_GPS = _NAMES.replace("SAT", "PRN").replace("REFSYS", "REFGPS").replace("SRSYS", "SRGPS")
_UNITS = "             hhmmss  s  .1dg .1dg    .1ns     .1ps/s     .1ns    .1ps/s .1ns     .1ns.1ps/s.1ns.1ps/s"


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one file with their first characters, and where the checksum stands."""

    ionosphere: bool
    codes: bool  # FR, HC and FRC

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns but the checksum, in order."""
        return _columns(self)

    @property
    def starts(self) -> tuple[int, ...]:
        """The first character of each column, from 0."""
        return _starts(self)

    @property
    def checksum_at(self) -> int:
        """The first of the two characters of the checksum."""
        return self.starts[-1] + self.columns[-1].width + 1


@cache
def _columns(layout: Layout) -> tuple[Column, ...]:
    measured = _MEASURED if layout.ionosphere else ()
    return (_SAT, _CL, *_START, *measured, *((*_CHANNELS, _FRC) if layout.codes else ()))


@cache
def _starts(layout: Layout) -> tuple[int, ...]:
    places = accumulate((column.width + 1 for column in _columns(layout)), initial=0)
    return tuple(places)[:-1]


@cache
def _fillers(column: Column) -> tuple[int, ...]:
    if not column.optional:
        return ()
    whole = 10**column.width - 1
    return (whole // 10, whole) if column.signed else (whole,)


def layout_of(heading: str) -> Layout | None:
    """Give the layout that a heading names, None when it is none; what stands behind CK is the receiver's own."""
    words = [_ALIASES.get(word, word) for word in heading.split()]
    names = words[: words.index("CK")] if "CK" in words else []
    for ionosphere in (True, False):
        for codes in (True, False):
            layout = Layout(ionosphere, codes)
            if names == [column.name for column in layout.columns]:
                return layout
    return None


def heading_of(layout: Layout, gps: bool) -> tuple[str, str]:
    """Give the line of names and the line of units; ``gps``: with the names of the versions before 2E."""
    names = _NAMES_GPS if gps else _NAMES
    measured, measured_units = (" MSIO SMSI ISG", ".1ns.1ps/s.1ns  ") if layout.ionosphere else ("", "")
    return names + measured + (" FR HC FRC" if layout.codes else "") + " CK", _UNITS + measured_units


def checksum(text: bytes) -> int:
    """Sum the characters modulo 256: of a data line, all that stands before its checksum, the blank too."""
    return sum(text) % 256
