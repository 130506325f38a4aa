"""A link written as readings: plain columns, or the BIPM's TFEX where the name says so."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from timeball.cli.output import CommandError
from timeball.cli.transfer_files import head_of
from timeball.cli.transfer_options import NS, WORDS

if TYPE_CHECKING:
    from timeball.transfer import Link

TFEX = ".tfex"


def write_link(link: Link, path: Path) -> None:
    """Write a link; ending in ``.gz`` it is packed. Raises ``CommandError``, also for a file of what was measured."""
    from timeball.cli.convert_files import write_file
    from timeball.formats import WriteError
    from timeball.formats.cggtts import is_cggtts
    from timeball.formats.itu_tw import is_itu_tw

    if path.is_file() and any(measured(head_of(path)) for measured in (is_cggtts, is_itu_tw)):
        raise CommandError(f"{path}: holds tracks or sessions, and is not written over")

    name = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    try:
        data = _tfex(link) if name.suffix.lower() == TFEX else _columns(link)
    except WriteError as error:
        raise CommandError(f"{path}: {error}") from error
    write_file(path, [data], 1)


def _columns(link: Link) -> bytes:
    from timeball.formats import write_columns

    head = [f"{_said(link)}; the third column is the uncertainty of scatter (k = 1)", *_calibration(link)]
    return "".join(f"# {line}\n" for line in head).encode() + write_columns(link.readings())


def _tfex(link: Link) -> bytes:
    from timeball.formats.tfex.writer import tfex_of, write_tfex
    from timeball.station.hosttime.leaps import load_leap_table

    tfex = tfex_of(link.readings())
    comment = "; ".join([_said(link), "u: of scatter (k = 1)", *_calibration(link)])
    return write_tfex(replace(tfex, header=replace(tfex.header, comment=comment)), load_leap_table())


def _said(link: Link) -> str:
    return f"{WORDS[link.method]} {link.a} - {link.b}"


def _calibration(link: Link) -> list[str]:
    known = math.isfinite(link.u_b_s)
    return [f"the same for all: {link.u_b_s / NS:.2f} ns of the calibrations"] if known else []
