"""Fuzz target: bytes as files of Stable32 and TimeLab. Only FormatError may escape; what is written reads back."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import numpy as np

from timeball.formats import (
    FormatError,
    WriteError,
    parse,
    parse_timelab,
    read_stable32_tau,
    recognise,
    write_stable32,
    write_stable32_tau,
)


def seeds() -> Iterable[bytes]:
    """Give a small file of each kind."""
    return (
        b"# Stable32 data file\n# Type: Phase\n# Tau: 2\n# start_ns = 7\n0\n1e-9\n0\n-2e-9\n1e-99\n0.0\n",
        b"Stable32\nType: Frequency\n1e-9\n0\n3e-9\n",
        b"# STATISTICS FOR FILE: A\n# Phase Data Points 1 thru 9 of 9\n# Sigma Type: Allan\n"
        b"# Confidence Factor = 0.683\n"
        b"    1   1.0000e+00      998     0   2.8670e-01    2.9439e-01     3.0274e-01\n",
        b"# Sigma Type: MTIE\n    1   1.0000e+00   556989   1.9662e-08\n",
        b'"Title" x\n"Input Freq" 10000000\n"Sample Rate" 10\nTIC 2 2\n1e-9 2e-9\n3e-9 nan\n',
    )


def target(data: bytes) -> None:
    """Read the bytes as each of them."""
    with suppress(FormatError):
        recognise(data)
    with suppress(FormatError):
        assert np.all(np.isfinite(parse_timelab(data, "fuzz").readings.x))
    _table(data)
    try:
        readings = parse(data, "fuzz", kind="stable32").readings
        written = b"".join(write_stable32(readings))
    except (FormatError, WriteError):
        return
    assert parse(written, "written").readings.equals(readings.sorted())


def _table(data: bytes) -> None:
    try:
        table = read_stable32_tau(data, "fuzz")
    except FormatError:
        return
    again = read_stable32_tau(write_stable32_tau(table), "written")
    assert [line.factor for line in again.lines] == [line.factor for line in table.lines]
    assert again.sigma_type == table.sigma_type
