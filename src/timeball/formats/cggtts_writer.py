"""CGGTTS files, versions 01, 02 and 2E, written; and files of one version turned into another.

What is written is the form of the format's own examples: signs on phases and slopes, three digits of IOE, positions to
the millimetre, delays to 0.1 ns, checksums as the format counts them, nines for what is not known. Reading it gives
the same header and tracks.

What it does not do: round anything away in silence (a figure that has no room in its field is a `WriteError`).
"""

from __future__ import annotations

import math
from dataclasses import replace

from timeball.formats.cggtts_layout import TEXT, Column, Layout, checksum
from timeball.formats.cggtts_records import NOT_KNOWN, VERSIONS, Cggtts, Delays, Header, Tracks
from timeball.formats.defects import WriteError

_FIRST_LINE = {
    "1": "GGTTS GPS DATA FORMAT VERSION = 01",
    "2": "CGGTTS GPS/GLONASS DATA FORMAT VERSION = 02",
    "2E": "CGGTTS     GENERIC DATA FORMAT VERSION = 2E",
}


def write_cggtts(cggtts: Cggtts) -> bytes:
    """Write header and tracks in the version that the header names; defects are not written.

    Raises ``WriteError`` for what that version, or a field of it, cannot hold.
    """
    raise NotImplementedError


def convert_cggtts(cggtts: Cggtts, version: str, frc: str = "") -> Cggtts:
    """Give the same tracks as another version would hold them.

    frc: the code of the tracks, where the version asked for has one and the file has none ("L1C" for a GPS receiver
    of one frequency). Raises ``WriteError`` where the version has no room: other satellites than GPS in version 01.
    """
    raise NotImplementedError
