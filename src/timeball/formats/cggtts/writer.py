"""CGGTTS files, versions 01, 02 and 2E, written.

The form is that of the format's own examples: signs on phases and slopes, three digits of IOE, positions to the
millimetre, checksums counted as the format says, nines for what is not known. Reading the result gives the same
header and the same tracks, to the 0.1 ns, 0.1 ps/s and 0.1 degrees that the fields hold.

What it does not do: cut off what has no room (that is a `WriteError`), or change the version
(:func:`timeball.formats.cggtts.convert.convert_cggtts` does).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from timeball.formats.cggtts.layout import TEXT, Column, Layout, checksum, heading_of
from timeball.formats.cggtts.records import NOT_KNOWN, VERSIONS, Cggtts, Delays, Header, Tracks
from timeball.formats.defects import WriteError

_FIRST_LINES = {"1": "GGTTS GPS DATA FORMAT", "2": "CGGTTS GPS/GLONASS DATA FORMAT"}
_FIRST_LINE_2E = "CGGTTS     GENERIC DATA FORMAT"


def write_cggtts(cggtts: Cggtts) -> bytes:
    """Write header and tracks in the version that the header names; defects are not written.

    Raises ``WriteError`` for what that version, or a field of it, cannot hold.
    """
    header, tracks = cggtts.header, cggtts.tracks
    if header.version not in VERSIONS:
        raise WriteError(f"version {header.version!r} of CGGTTS is none of {', '.join(VERSIONS)}")
    layout = Layout(header.ionosphere, _family(header) != "1")
    _refuse_what_has_no_column(tracks, layout)
    lines = _header_lines(header)
    above = "".join(lines) + "CKSUM = "
    lines += [f"CKSUM = {checksum(_encoded(above)):02X}", "", *heading_of(layout, gps=_family(header) != "2E")]
    columns = [_column(column, tracks, _family(header)) for column in layout.columns]
    for fields in zip(*columns, strict=True):
        line = " ".join(fields) + " "
        lines.append(f"{line}{checksum(line.encode()):02X}")
    return _encoded("".join(line + header.line_end for line in lines))


def _family(header: Header) -> str:
    return header.version.lstrip("0")


def _encoded(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise WriteError(f"a header of Latin letters only, not {text[error.start]!r}") from error


def _refuse_what_has_no_column(tracks: Tracks, layout: Layout) -> None:
    if not layout.codes and (any(tracks.frc) or tracks.fr.any() or tracks.hc.any()):
        raise WriteError("version 01 has no columns for channels and codes (FR HC FRC)")
    measured = (tracks.msio_s, tracks.smsi, tracks.isg_s)
    if not layout.ionosphere and any(np.isfinite(column).any() for column in measured):
        raise WriteError("tracks with a measured ionosphere under a header without one")


def _header_lines(header: Header) -> list[str]:
    """Give the lines above CKSUM; what is not known has none, and lines that were not understood are comments."""
    first = _FIRST_LINES.get(_family(header), _FIRST_LINE_2E)
    lines = [f"{first} VERSION = {header.version}", f"REV DATE = {header.rev_date}", f"RCVR = {header.receiver}"]
    lines += [f"CH = {header.channels}"] if header.channels else []
    lines += [f"IMS = {header.ims}", f"LAB = {header.lab}"]
    axes = zip("XYZ", header.position_m, strict=True)
    lines += [f"{axis} = {place:+.3f} m" for axis, place in axes if math.isfinite(place)]
    lines += [f"FRAME = {header.frame}", *(f"COMMENTS = {text}" for text in (*header.comments, *header.unread))]
    lines += [*_delay_lines(header.delays, _family(header)), f"REF = {header.ref}"]
    for line in lines:
        if not line.isprintable() or line.rstrip(" ") != line.rstrip():
            raise WriteError(f"a line of the header with characters that are none: {line!r}")
    return lines


def _delay_lines(delays: Delays, family: str) -> list[str]:
    codes = [f"{_nanoseconds(each.delay_s)} ns" + (f" ({each.code})" if each.code else "") for each in delays.codes]
    cal_id = f"     CAL_ID = {delays.cal_id}" if family == "2E" or delays.cal_id else ""
    lines = [f"{delays.kind} DLY = {', '.join(codes)}{cal_id}"] if codes else []
    for key, value in (("CAB", delays.cable_s), ("REF", delays.ref_s)):
        lines += [] if math.isnan(value) else [f"{key} DLY = {_nanoseconds(value)} ns"]
    return lines


def _nanoseconds(delay_s: float) -> str:
    """Write a delay with one digit of ns, and up to three where it has them."""
    if not abs(delay_s) < 1.0:
        raise WriteError(f"a delay of {delay_s} s is none")
    text = f"{delay_s * 1e9:.3f}"
    return text[:-2] if text.endswith("00") else text.rstrip("0")


def _column(column: Column, tracks: Tracks, family: str) -> list[str]:
    """Write one column of all tracks, each field in its width."""
    values = getattr(tracks, column.attribute)
    if column.name == "SAT":
        fields = [_satellite(name, family) for name in values]
    elif column.per_unit == TEXT:
        fields = [text.rjust(column.width) for text in values]
    elif column.name == "STTIME":
        fields = [f"{s // 3600:02d}{s // 60 % 60:02d}{s % 60:02d}" for s in values.tolist()]
    else:
        fields = _figures(column, values)
    for field in fields:
        if len(field) != column.width:
            raise WriteError(f"{column.name} has {column.width} characters, too few for {field.strip()!r}")
    return fields


def _figures(column: Column, values: npt.NDArray[np.float64] | npt.NDArray[np.int64]) -> list[str]:
    """Write figures at the right of their field; NaN as nines."""
    scaled = np.rint(values * float(max(column.per_unit, 1)))
    if column.name == "IOE":
        scaled[scaled == NOT_KNOWN] = np.nan
    known = scaled[~np.isnan(scaled)]
    low, high = min(known, default=0), max(known, default=0)
    if not (column.low <= low and high <= column.high) or set(column.fillers) & set(known.tolist()):
        raise WriteError(f"{column.name}: a figure that is not possible, or stands for 'not known'")
    sign, nines = ("+", "+" + "9" * (column.width - 1)) if column.signed else ("", "9" * column.width)
    form = f"{sign}{'0' if column.name == 'IOE' else ''}{column.width}.0f"
    return [nines if math.isnan(value) else format(value, form) for value in scaled.tolist()]


def _satellite(name: str, family: str) -> str:
    if family == "2E":
        return name
    number = int(name[1:])
    if name[0] == "R" and family == "2":
        return f"{100 + number:3d}"
    if name[0] != "G":
        raise WriteError(f"version {family} has no satellite {name}")
    return f"{number:3d}"
