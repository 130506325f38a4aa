"""Two-way files of Recommendation ITU-R TF.1153-4, written: the header, the headings of the columns, a line a session.

Figures are rounded to what their columns hold (ps of TW and REFDELAY, ps of what is printed in ns); read back, a file
that was read gives the same again. What it does not do: invent what the header does not say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from timeball.formats.defects import WriteError
from timeball.formats.itu_tw import TwoWay
from timeball.formats.itu_tw.header import SatelliteLink, TwoWayCalibration, TwoWayHeader
from timeball.formats.itu_tw.lines import FIELDS, HEADINGS, Session, write_session

_KEY_WIDTH = 10
_SECOND, _THIRD = 37, 59  # columns of the second and the third label of a line
_PRINTABLE = re.compile(r"[ -~]*", re.ASCII)
_OF_THE_SATELLITE = ("SAT-NTX", "SAT-NRX", "BW")


def write_itu_tw(two_way: TwoWay) -> bytes:
    """Write a file. Raises ``WriteError`` for what the format cannot hold."""
    lines = [*_header(two_way.header), "*", *HEADINGS]
    try:
        lines += [write_session(_session(two_way, row)) for row in range(len(two_way))]
    except ValueError as error:
        raise WriteError(str(error)) from error
    unfit = next((line for line in lines if not _PRINTABLE.fullmatch(line)), None)
    if unfit is not None:
        raise WriteError(f"not printable ASCII on one line: {unfit!r}")
    return ("\n".join(lines) + "\n").encode()


def _session(two_way: TwoWay, row: int) -> Session:
    figures = {key: float(getattr(two_way, key)[row]) for key in FIELDS}
    figures |= {key: math.nan for key in ("samples", "actual_s") if figures[key] < 0}
    return Session(
        two_way.local[row],
        two_way.remote[row],
        two_way.link[row],
        int(two_way.mjd[row]),
        int(two_way.start_s[row]),
        two_way.calibration[row],
        int(two_way.switch[row]),
        figures,
    )


def _header(header: TwoWayHeader) -> Iterator[str]:
    if header.name:
        yield f"* {header.name}"
    plain = {"FORMAT": header.format, "LAB": header.lab, "REV DATE": header.revised}
    yield from (_said(key, text) for key, text in plain.items() if text)
    for station in header.stations:
        place = f"* ES {station.code:<6} LA: {station.latitude}"
        yield f"{f'{place:<{_SECOND - 1}} LO: {station.longitude}':<{_THIRD - 1}} HT: {station.height}"
    plain = {"REF-TIME": header.reference, "REF-FRAME": header.frame}
    yield from (_said(key, text) for key, text in plain.items() if text)
    for link in header.links:
        yield from _link(link)
    yield from map(_calibration, header.calibrations)
    if header.local_monitor:
        yield _said("LOC-MON", header.local_monitor)
    yield from (_said("MODEM", modem) for modem in header.modems)
    yield from (_said("COMMENTS", comment) for comment in header.comments)


def _said(key: str, text: str) -> str:
    return f"* {key:<{_KEY_WIDTH - 1}} {text}".rstrip()


def _link(link: SatelliteLink) -> Iterator[str]:
    labels = [label for label, _ in link.parts]
    cut = min((labels.index(label) for label in _OF_THE_SATELLITE if label in labels), default=len(labels))
    said = [f"{label}: {text}" for label, text in link.parts]
    yield "  ".join([f"* LINK {link.number:>4}", *said[:cut]])
    if cut < len(said):
        yield "  ".join(["*          ", *said[cut:]])


def _calibration(calibration: TwoWayCalibration) -> str:
    text = f"* CAL {calibration.code:>5} {calibration.text}".rstrip()
    if calibration.kind:
        text += f" TYPE: {calibration.kind}"
    if calibration.mjd is not None:
        text = f"{text:<{_SECOND - 1}} MJD: {calibration.mjd}"
    if not math.isnan(calibration.u_s):
        text = f"{text:<48} EST. UNCERT.: {calibration.u_s * 1e9:8.3f} ns"
    return text
