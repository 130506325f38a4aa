"""The header of a two-way file (Recommendation ITU-R TF.1153-4, Annex 2, section 3.3): lines that begin with ``*``.

    * TWTUG51.234
    * FORMAT   01
    * LAB      TUG
    * REV DATE 1999-03-01
    * ES TUG01 LA: N 47 04 01.652     LO: E 15 29 36.482     HT:  538.30 m
    * REF-FRAME WGS-84
    * LINK   01 SAT: INTELSAT 706         NLO: E 307 00 00.000  XPNDR: 999999999 ns
    *           SAT-NTX: 11748.9000 MHz  SAT-NRX: 14248.9000 MHz  BW:   3.5 MHz
    * CAL   003 TYPE: PORT ES REL         MJD: 50779  EST. UNCERT.:    2.000 ns

What the lines say of an earth station, a link or a calibration is found by its label (``LA:``, ``SAT:``, ``MJD:``), not
by its column; a line that begins with such a label goes on with the link above it. What it does not do: read
coordinates and satellite frequencies as numbers; they are kept as printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from timeball.formats.bulletin.text import Line, ns_to_s
from timeball.formats.defects import Defect, shown
from timeball.formats.numerals import read_integer, read_number

_LABEL = re.compile(r"(?<![^\s:])(LA|LO|HT|SAT-NTX|SAT-NRX|SAT|NLO|XLO|XPNDR|BW|TYPE|MJD|EST\. ?UNCERT\.):", re.ASCII)
_NAME = re.compile(r"TW[A-Z0-9_]{1,8}\.\d{3}", re.ASCII | re.IGNORECASE)
_PLAIN = {"FORMAT": "format", "LAB": "lab", "REV DATE": "revised", "REF-TIME": "reference"}
_PLAIN |= {"REF-FRAME": "frame", "LOC-MON": "local_monitor"}
_LISTED = {"MODEM": "modems", "COMMENTS": "comments"}
_NS = re.compile(r"([0-9.]{1,16})\s*ns", re.ASCII)


@dataclass(frozen=True, slots=True)
class EarthStation:
    """An earth station: its code (as LOC and REM name it), latitude, longitude and height as printed."""

    code: str
    latitude: str = ""
    longitude: str = ""
    height: str = ""


@dataclass(frozen=True, slots=True)
class SatelliteLink:
    """A link by satellite: its number (LI of the lines), and what is said of it by label (SAT, NLO, XLO, ...)."""

    number: str
    parts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TwoWayCalibration:
    """A calibration: its code (CI of the lines), how it was made, its MJD (None when not said), u_s (s, NaN likewise).

    ``text`` keeps what the line says when it has no labels.
    """

    code: str
    kind: str = ""
    mjd: int | None = None
    u_s: float = float("nan")
    text: str = ""


@dataclass(frozen=True, slots=True)
class TwoWayHeader:
    """What the header says; texts are empty when it does not."""

    name: str = ""
    format: str = ""
    lab: str = ""
    revised: str = ""
    reference: str = ""
    frame: str = ""
    stations: tuple[EarthStation, ...] = ()
    links: tuple[SatelliteLink, ...] = ()
    calibrations: tuple[TwoWayCalibration, ...] = ()
    local_monitor: str = ""
    modems: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()


@dataclass(slots=True)
class _Found:
    plain: dict[str, str] = field(default_factory=dict)
    stations: list[EarthStation] = field(default_factory=list)
    links: list[SatelliteLink] = field(default_factory=list)
    calibrations: list[TwoWayCalibration] = field(default_factory=list)
    listed: dict[str, list[str]] = field(default_factory=lambda: {"modems": [], "comments": []})


def read_header(lines: Iterable[Line], name: str) -> tuple[TwoWayHeader, list[Defect]]:
    """Read header lines (with their ``*``); the headings of the columns say nothing and are passed over.

    A line of no known kind, as a comment that goes on, is a comment.
    """
    found = _Found()
    defects: list[Defect] = []
    for number, line in lines:
        text = line.lstrip().removeprefix("*").strip()
        if text and not text.startswith(("EARTH-STAT", "LOC ")):
            reason = _take(text, found)
            if reason:
                defects.append(Defect(name, number, "header", shown(text), reason))
    return TwoWayHeader(
        **found.plain,
        stations=tuple(found.stations),
        links=tuple(found.links),
        calibrations=tuple(found.calibrations),
        modems=tuple(found.listed["modems"]),
        comments=tuple(found.listed["comments"]),
    ), defects


def _take(text: str, found: _Found) -> str:
    """File one line under what it says; gives the reason when it says it wrongly."""
    if _NAME.fullmatch(text) and "name" not in found.plain:
        found.plain["name"] = text
        return ""
    if found.links and (parts := _labelled(text)[1]) and _LABEL.match(text):
        found.links[-1] = SatelliteLink(found.links[-1].number, found.links[-1].parts + parts)
        return ""
    key = next((key for key in (*_PLAIN, *_LISTED, "ES", "LINK", "CAL") if _begins(text, key)), None)
    if key is None:
        found.listed["comments"].append(text)
        return ""
    rest = text[len(key) :].strip()
    if key in _PLAIN:
        if _PLAIN[key] in found.plain:
            return "said twice; the first stands"
        found.plain[_PLAIN[key]] = rest
    elif key in _LISTED:
        found.listed[_LISTED[key]].append(rest)
    else:
        return _take_labelled(key, rest, found)
    return ""


def _begins(text: str, key: str) -> bool:
    return text.startswith(key) and (len(text) == len(key) or text[len(key)] in " \t:")


def _take_labelled(key: str, rest: str, found: _Found) -> str:
    code, _, body = rest.partition(" ")
    if not code:
        return f"{key} without a code"
    text, parts = _labelled(body)
    said = dict(parts)
    if key == "ES":
        found.stations.append(EarthStation(code, said.get("LA", ""), said.get("LO", ""), said.get("HT", "")))
    elif key == "LINK":
        found.links.append(SatelliteLink(code, parts))
    else:
        return _take_calibration(code, said, text, found)
    return ""


def _labelled(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Give what stands before the first label, and what each label says."""
    pieces = _LABEL.split(text.strip())
    pairs = zip(pieces[1::2], pieces[2::2], strict=True)
    return pieces[0].strip(), tuple((label.replace(" ", ""), value.strip()) for label, value in pairs)


def _take_calibration(code: str, said: dict[str, str], text: str, found: _Found) -> str:
    mjd = read_integer(said.get("MJD", "").strip(), 40_000, 99_998)
    printed = _NS.match(said.get("EST.UNCERT.", ""))
    known = printed is not None and read_number(printed[1]) is not None
    u_s = ns_to_s(printed[1]) if printed is not None and known else float("nan")
    found.calibrations.append(TwoWayCalibration(code, said.get("TYPE", ""), mjd, u_s, text))
    if "EST.UNCERT." in said and not known:
        return "an uncertainty that is not in ns"
    return "" if mjd is not None or said.get("MJD", "").strip("9") == "" else "a date that is no MJD"
