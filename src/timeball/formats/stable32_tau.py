"""Tables of deviations as Stable32 writes them (.tau, and what it copies): what was analysed, then a line a τ.

    # STATISTICS FOR FILE: PHASE.DAT
    # Sigma Type: Hadamard Total
    # Confidence Factor = 0.683
    #  AF        Tau         #    Alpha  Min Sigma   Hadamard Sig     Max Sigma
        1   1.0000e+00      998     0   2.8670e-01    2.9439e-01     3.0274e-01

A line has averaging factor, τ and count, then the deviation alone (MTIE, TIE rms) or the exponent α, the lower bound,
the deviation and the upper bound. Bounds that were not computed are printed as 0, and are NaN here. A line that
begins with # is a heading; so, in the files here, are lines of figures that somebody commented out.

What it does not do: compute. These files hold no readings of clocks.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from timeball.formats.compression import plain_bytes
from timeball.formats.defects import Defect, shown, whole_file_error
from timeball.formats.numerals import read_integer, read_number

KIND = "stable32-tau"
SIGMA_COLUMN = {"Allan": "Sigma", "Modified Allan": "Mod Sigma", "Time": "Time Sigma", "Total": "Total Sigma"}
_TYPE = re.compile(r"Sigma Type\s*[:=]\s*(\S.*?)\s*", re.I)
_FILE = re.compile(r"STATISTICS FOR FILE\s*[:=]\s*(\S.*?)\s*", re.I)
_CONFIDENCE = re.compile(r"Confidence Factor\s*[:=]\s*(\S+)\s*", re.I)
_POINTS = re.compile(r"(Phase|Frequency|Freq) Data Points\s+(\d{1,12})\s+thru\s+(\d{1,12})\s+of\s+(\d{1,12})\s*", re.I)


@dataclass(frozen=True, slots=True)
class SigmaLine:
    """One τ: averaging factor, τ in s, points, α (None: not given), bounds (NaN: none), deviation."""

    factor: int
    tau_s: float
    count: int
    alpha: int | None
    low: float
    value: float
    high: float


@dataclass(frozen=True, slots=True)
class SigmaTable:
    """A table: of which file, the sigma type in Stable32's words, confidence, kind and number of data points."""

    file: str
    sigma_type: str
    confidence: float | None
    data: str
    points: int
    lines: tuple[SigmaLine, ...]
    defects: tuple[Defect, ...] = ()


def is_stable32_tau(head: bytes) -> bool:
    """Tell from its beginning whether a file is a table of deviations of Stable32."""
    return b"sigma type" in head[: 1 << 12].lower()


def read_stable32_tau(data: bytes, name: str) -> SigmaTable:
    """Read a table, plain or gzip. Raises ``FormatError`` when it has no sigma type or no line that can be used."""
    plain, defects = plain_bytes(data, name)
    heading: dict[str, re.Match[str]] = {}
    lines: list[SigmaLine] = []
    for number, raw in enumerate(_text(plain).split("\n"), 1):
        text = raw.strip()
        if len(text) < 1_000 and not _heading(text.lstrip("#").strip(), heading) and text and text[0] != "#":
            line = _line(text.split())
            if isinstance(line, SigmaLine):
                lines.append(line)
            elif "sigma" not in text.lower():
                defects.append(Defect(name, number, line[0], shown(line[1]), line[2]))
    if "type" not in heading or not lines:
        raise whole_file_error(name, plain[:40], "no table of deviations of Stable32 with a sigma type and a line")
    points = heading.get("points")
    confidence = heading.get("confidence")
    return SigmaTable(
        file=heading["file"][1] if "file" in heading else "",
        sigma_type=heading["type"][1],
        confidence=None if confidence is None else read_number(confidence[1]),
        data="" if points is None else points[1].capitalize(),
        points=0 if points is None else int(points[4]),
        lines=tuple(lines),
        defects=tuple(defects),
    )


def write_stable32_tau(table: SigmaTable) -> bytes:
    """Write a table with the five digits that Stable32 prints; what was read from one is written back the same."""
    with_bounds = any(line.alpha is not None for line in table.lines)
    head = [f"STATISTICS FOR FILE: {table.file}"] if table.file else []
    head += [
        f"{table.data or 'Phase'} Data Points 1 thru {table.points} of {table.points}",
        f"Sigma Type: {table.sigma_type}",
    ]
    head += [f"Confidence Factor = {table.confidence:.3f}"] if table.confidence is not None else []
    label = SIGMA_COLUMN.get(table.sigma_type, table.sigma_type)
    head += [
        "",
        " AF        Tau         #    Alpha  Min Sigma  " + label + "  Max Sigma"
        if with_bounds
        else " AF      Tau           #  " + label,
    ]
    return ("".join(f"# {line}".rstrip() + "\n" for line in head) + "".join(map(_written, table.lines))).encode()


def _text(plain: bytes) -> str:
    try:
        return plain.decode("utf-8")
    except UnicodeDecodeError:
        return plain.decode("latin-1")  # one character a byte, whatever it is


def _heading(text: str, found: dict[str, re.Match[str]]) -> bool:
    """Keep what a heading line says (the first time); tells whether it was one."""
    for key, form in (("type", _TYPE), ("file", _FILE), ("confidence", _CONFIDENCE), ("points", _POINTS)):
        match = form.fullmatch(text)
        if match is not None:
            found.setdefault(key, match)
            return True
    return False


def _line(fields: list[str]) -> SigmaLine | tuple[str, str, str]:
    """Read a line of figures, or give (field, text, reason) of what is wrong with it."""
    if len(fields) not in (4, 7):
        return "line", " ".join(fields), "neither 4 nor 7 fields"
    factor, count = read_integer(fields[0], 1, 10**12), read_number(fields[2])  # Thêo1's count has an exponent
    if factor is None or count is None or not 0 <= count <= 1e12 or count != round(count):
        return "AF, #", " ".join(fields), "no averaging factor and count"
    numbers = [read_number(text) for text in (fields[1], *fields[3:])]
    if any(number is None for number in numbers):
        return "line", " ".join(fields), "not a number"
    tau_s, *rest = (float("nan") if number is None else number for number in numbers)
    if len(rest) == 1:
        return SigmaLine(factor, tau_s, int(count), None, math.nan, rest[0], math.nan)
    alpha, low, value, high = rest
    if alpha != round(alpha):
        return "Alpha", fields[3], "no whole exponent"
    return SigmaLine(factor, tau_s, int(count), int(alpha), low or math.nan, value, high or math.nan)


def _written(line: SigmaLine) -> str:
    start = f"{line.factor:5d}   {line.tau_s:.4e}  {line.count:7d}"
    if line.alpha is None:
        return f"{start}   {line.value:.4e}\n"
    low, high = (0.0 if math.isnan(bound) else bound for bound in (line.low, line.high))
    return f"{start}    {line.alpha:2d}   {low:.4e}    {line.value:.4e}     {high:.4e}\n"
