"""The header of CGGTTS files: lines `KEY = text`, a checksum, and the heading of the columns.

The checksum. CKSUM is the sum modulo 256 of all characters of the header up to and with `CKSUM = `, line ends not
counted. Common receivers leave out the last blank, or count the line ends; the defect says which when it is one of
these, since such a header is whole, and only its checksum is made otherwise.

What it does not do: refuse a header for what it lacks; a figure that cannot be read is a defect, and NaN.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import cast

from timeball.formats.cggtts.layout import Layout, checksum, layout_of
from timeball.formats.cggtts.records import VERSIONS, CodeDelay, DelayKind, Delays, Header
from timeball.formats.defects import Defect, FormatError, shown, whole_file_error
from timeball.formats.numerals import read_number

MAGIC = re.compile(rb"(?:\xef\xbb\xbf)?[ \t]*C?GGTTS\b[^\r\n]{0,80}?\bVERSION\s*=\s*(\w{1,4})")
_LONGEST_HEADER = 1 << 16  # bytes; a header has 18 lines
_HEX = re.compile(rb"[0-9A-Fa-f]{1,2}")
_METRES = re.compile(r"\s*([+-]?\s*[\d.]+)\s*m?\b.*", re.ASCII)
_NS = re.compile(r"\s*([+-]?\s*[\d.]+)\s*ns\b.*", re.ASCII)
_CODE = re.compile(r"([+-]?\s*[\d.]+)\s*ns\s*(?:\(([^()]*)\)|([A-Za-z]+ [A-Z]\w{1,3})\b)?", re.ASCII)
_TEXTS = {"REV DATE": "rev_date", "RCVR": "receiver", "IMS": "ims", "LAB": "lab", "FRAME": "frame", "REF": "ref"}
_DELAYS = {"CAB DLY": "cable_s", "REF DLY": "ref_s"}


@dataclass(slots=True)
class _Found:
    """What the lines of a header have said so far."""

    name: str
    texts: dict[str, str] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    channels: int = 0
    kind: DelayKind = "INT"
    codes: tuple[CodeDelay, ...] = ()
    cal_id: str = ""
    checksum_ok: bool | None = None  # None until there is one
    defects: list[Defect] = field(default_factory=list)

    def figure(self, number: int, key: str, pattern: re.Pattern[str], text: str) -> float:
        """Read a length or a delay; one that is none becomes a defect and NaN."""
        match = pattern.fullmatch(text)
        value = _figure(match[1], "e-9" if pattern is _NS else "") if match else None
        if value is None:
            self.tell(number, key, text.strip(), "not a figure with its unit")
            return float("nan")
        return value

    def tell(self, number: int, key: str, text: str | bytes, reason: str) -> None:
        """Add a defect of the header: no track is left out for it."""
        self.defects.append(Defect(self.name, number, key, shown(text), reason, lines=0))


def _figure(text: str, exponent: str) -> float | None:
    return read_number(text.replace(" ", "") + exponent)


def read_header(plain: bytes, name: str) -> tuple[Header, Layout, tuple[int, int], list[Defect]]:
    """Give the header, the layout of the lines below, where they begin (byte, number of the line), and defects.

    Raises ``FormatError`` for a version that is none, or a heading of columns that is none.
    """
    version, found = _version(plain, name), _Found(name)
    end, number, seen = 0, 0, b""
    while end < min(len(plain), _LONGEST_HEADER):
        start, number = end, number + 1
        stop = plain.find(b"\n", start)
        end = len(plain) if stop < 0 else stop + 1
        raw = plain[start:end].rstrip(b"\r\n")
        layout = _heading(raw, name, number)
        if layout is not None:
            if found.checksum_ok is None:
                found.tell(number, "CKSUM", "", "the header has no checksum; it is used")
            body = _below_units(plain, end, number)
            line_end = "\r\n" if plain[:start].endswith(b"\r\n") else "\n"
            return _built(version, found, layout, line_end), layout, body, found.defects
        if raw.lstrip()[:5] == b"CKSUM":
            _check(found, number, raw, seen, plain[:start])
        elif number > 1 and raw.strip():
            _take(found, number, raw.decode("latin-1"))
        seen += raw.removeprefix(b"\xef\xbb\xbf")
    raise whole_file_error(name, "", "no heading of the columns (SAT CL MJD STTIME ... CK)")


def _version(plain: bytes, name: str) -> str:
    magic = MAGIC.match(plain)
    if magic is None:
        raise whole_file_error(name, plain[:40], "the first line is not that of a CGGTTS file")
    version = magic[1].decode("ascii", "replace").upper()
    if version not in VERSIONS:
        raise whole_file_error(name, version, f"a version of CGGTTS that is none of {', '.join(VERSIONS)}")
    return version


def _heading(raw: bytes, name: str, number: int) -> Layout | None:
    words = raw.split(None, 4)[:4]
    if len(words) < 4 or words[0] not in (b"SAT", b"PRN") or words[2] != b"MJD":
        return None
    text = raw.decode("latin-1")
    layout = layout_of(text)
    if layout is None:
        raise FormatError(Defect(name, number, "heading", shown(text), "columns that no version of CGGTTS has"))
    return layout


def _below_units(plain: bytes, start: int, number: int) -> tuple[int, int]:
    """Pass over the line of units, when there is one: (first byte of the tracks, number of their first line)."""
    stop = plain.find(b"\n", start)
    stop = len(plain) if stop < 0 else stop + 1
    return (stop, number + 2) if b"hhmmss" in plain[start:stop] else (start, number + 1)


def _take(found: _Found, number: int, line: str) -> None:
    key, equals, text = line.partition("=")
    key, text = key.strip(), text.strip()
    if key in _TEXTS and equals:
        found.texts[_TEXTS[key]] = text
    elif key == "COMMENTS" and equals:
        found.comments.append(text)
    elif key == "CH" and equals:
        digits = re.match(r"\d{1,4}", text, re.ASCII)
        found.channels = int(digits[0]) if digits else 0
    elif key in ("X", "Y", "Z") and equals:
        found.figures[key] = found.figure(number, key, _METRES, text)
    elif key in ("INT DLY", "SYS DLY", "TOT DLY") and equals:
        _take_delays(found, number, key, text)
    elif key in _DELAYS and equals:
        found.figures[_DELAYS[key]] = found.figure(number, key, _NS, text)
    else:
        found.unread.append(line.strip())
        found.tell(number, "header", line.strip(), "a key that no version has")


def _take_delays(found: _Found, number: int, key: str, text: str) -> None:
    """Read the delays of the codes; `CAL_ID = ` stands behind them."""
    delays, _, cal_id = text.partition("CAL_ID")
    found.kind, found.cal_id = cast(DelayKind, key[:3]), cal_id.lstrip(" =").strip()
    codes = []
    for match in _CODE.finditer(delays):
        value = _figure(match[1], "e-9")
        if value is not None:
            codes.append(CodeDelay((match[2] or match[3] or "").strip(), value))
    if not codes:
        found.tell(number, key, text, "no delay in ns")
    found.codes = tuple(codes)


def _check(found: _Found, number: int, raw: bytes, seen: bytes, before: bytes) -> None:
    """Compare CKSUM with the sum of what stands before it, line ends not counted."""
    label, equals, text = raw.partition(b"=")
    blank = b" " if text[:1] == b" " else b""
    given = text.strip()
    summed = seen + label + equals + blank
    value = int(given, 16) if _HEX.fullmatch(given) else None
    found.checksum_ok = value == checksum(summed)
    if found.checksum_ok:
        return
    made_otherwise = {
        checksum(seen + label + equals): "the blank before it is not counted",
        checksum(before + label + equals + blank): "line ends are counted",
    }
    why = f" ({made_otherwise[value]})" if value in made_otherwise else ""
    reason = f"the characters of the header give {checksum(summed):02X}{why}; the header is used all the same"
    found.tell(number, "CKSUM", given, reason)


def _built(version: str, found: _Found, layout: Layout, line_end: str) -> Header:
    nan = float("nan")
    x, y, z = (found.figures.get(axis, nan) for axis in ("X", "Y", "Z"))
    cable_s, ref_s = found.figures.get("cable_s", nan), found.figures.get("ref_s", nan)
    texts = {"ims": "", "frame": ""} | found.texts
    return Header(
        version,
        channels=found.channels,
        position_m=(x, y, z),
        comments=tuple(found.comments),
        delays=Delays(found.kind, found.codes, cable_s, ref_s, found.cal_id),
        ionosphere=layout.ionosphere,
        checksum_ok=bool(found.checksum_ok),
        line_end=line_end,
        unread=tuple(found.unread),
        **texts,
    )
