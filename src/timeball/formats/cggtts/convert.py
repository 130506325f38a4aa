"""CGGTTS files of one version turned into another: what the versions share is kept, figure for figure.

Version 2E names the code of each track (FRC) and the codes of the delays; version 01 knows GPS alone, and no codes; 02
adds GLONASS and codes. So the way to 2E needs a name for the code, the way to 01 a choice where there are several.
What has no place in an older version is CAL_ID and the channels; what cannot be left out is an error.

What it does not do: correct figures for other delays.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from timeball.formats.cggtts.records import VERSIONS, Cggtts, Delays, Tracks
from timeball.formats.defects import WriteError

_DELAY_OF_CODE = {"L1C": "GPS C1", "L1P": "GPS P1", "L2P": "GPS P2"}
_SYSTEMS = {"1": "G", "2": "GR"}


def convert_cggtts(cggtts: Cggtts, version: str, frc: str = "") -> Cggtts:
    """Give the tracks as a file of ``version`` holds them; defects are not carried over.

    frc: towards 02 and 2E the code of tracks that have none ("L1C" for a receiver of one frequency); towards 01 the
    code to keep. Raises ``WriteError`` where that is needed and not given, and for what the version has no room for:
    other satellites, delays that are not INT DLY.
    """
    if version not in VERSIONS:
        raise WriteError(f"version {version!r} of CGGTTS is none of {', '.join(VERSIONS)}")
    family, header = version.lstrip("0"), cggtts.header
    if family == header.version.lstrip("0"):
        return Cggtts(replace(header, version=version), cggtts.tracks)
    _refuse(cggtts, family)
    tracks = _without_codes(cggtts.tracks, frc) if family == "1" else _with_codes(cggtts.tracks, frc)
    delays = header.delays if family == "2E" else replace(header.delays, cal_id="")
    if header.version.lstrip("0") == "1":
        delays = _named(delays, frc)
    return Cggtts(replace(header, version=version, delays=delays), tracks)


def _refuse(cggtts: Cggtts, family: str) -> None:
    others = sorted(set(cggtts.tracks.system) - set(_SYSTEMS.get(family, "".join(cggtts.tracks.system))))
    if others:
        raise WriteError(f"version 0{family} has no satellites of {', '.join(others)}")
    if family != "2E" and cggtts.header.delays.kind != "INT":
        raise WriteError(f"version 0{family} has INT DLY only, not {cggtts.header.delays.kind} DLY")


def _without_codes(tracks: Tracks, frc: str) -> Tracks:
    """Keep the tracks of one code, and take the code away."""
    codes = sorted(set(tracks.frc))
    if len(codes) > 1 and frc not in codes:
        raise WriteError(f"version 01 holds one code, and here are {', '.join(codes)}: say which")
    kept = tracks.take(np.array([not frc or code == frc for code in tracks.frc], dtype=np.bool_))
    none = np.zeros(len(kept), dtype=np.int64)
    return replace(kept, fr=none, hc=none, frc=("",) * len(kept))


def _with_codes(tracks: Tracks, frc: str) -> Tracks:
    if not frc and not all(tracks.frc):
        raise WriteError("the version names the code of each track: give it, such as L1C")
    return replace(tracks, frc=tuple(code or frc for code in tracks.frc))


def _named(delays: Delays, frc: str) -> Delays:
    """Name the one delay of a file of version 01 after its code."""
    codes = tuple(each._replace(code=each.code or _DELAY_OF_CODE.get(frc, "")) for each in delays.codes)
    return replace(delays, codes=codes)
