"""CGGTTS files, versions 01, 02 and 2E: the tracks of a timing receiver, 13 minutes each, read.

Sign: as :mod:`timeball.formats.cggtts.records`: REFSYS is x_ref − x_system, REFSV is x_ref − x_satellite.

Rules. Each line ends in a checksum: a line whose checksum is wrong, or missing, is rejected. The header has one, too:
common receivers count it otherwise than the format says, so a wrong one is told as a defect, and the header is used.
Figures of nines stand for what was not measured. Times are UTC, so a leap second table is needed.

What it does not do: judge tracks by elevation, length or noise (the room ``transfer`` does); apply other delays.
"""

from __future__ import annotations

from timeball.formats.cggtts.header import MAGIC, read_header
from timeball.formats.cggtts.records import Cggtts, CodeDelay, Delays, Header, Tracks
from timeball.formats.cggtts.tracks import read_tracks
from timeball.formats.compression import plain_bytes
from timeball.formats.defects import FormatError, whole_file_error
from timeball.formats.timescales import table_for
from timeball.instants import LeapTable

KIND = "cggtts"


def is_cggtts(head: bytes) -> bool:
    """Tell from its beginning whether a file is one: its first line says so."""
    return MAGIC.match(head) is not None


def read_cggtts(data: bytes, name: str = "CGGTTS", leaps: LeapTable | None = None, *, arrays: bool = True) -> Cggtts:
    """Read a file, plain or gzip.

    leaps: needed, epochs are in UTC. arrays: False decodes line by line throughout (same result, slower).
    Raises ``FormatError`` when the header cannot be used or no track is left.
    """
    table = table_for("UTC", leaps, name)
    plain, defects = plain_bytes(data, name)
    header, layout, body, found = read_header(plain, name)
    tracks, bad = read_tracks(plain, body, layout, name, table, arrays)
    if not len(tracks):
        raise FormatError(bad[0]) if bad else whole_file_error(name, "", "a header without a track")
    return Cggtts(header, tracks, [*defects, *found, *bad])


__all__ = ["KIND", "Cggtts", "CodeDelay", "Delays", "Header", "Tracks", "is_cggtts", "read_cggtts"]
