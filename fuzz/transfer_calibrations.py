"""Fuzz target: any bytes as a table of calibrations. Only CalibrationError may escape."""

from __future__ import annotations

import math

from timeball.transfer import CalibrationError, calibration_at, read_calibrations

GOOD = b'[[calibration]]\nlab = "TB"\nfrom_mjd = 60000\nu_ns = 1.5\n'


def target(data: bytes) -> None:
    """Read the bytes as they are, and behind an entry that is good, so that the fuzzer gets into it."""
    for variant in (data, GOOD + data):
        try:
            table = read_calibrations(variant.decode("utf-8", "replace"))
        except CalibrationError:
            continue
        assert table
        for entry in table:
            assert entry.u_s >= 0
            assert math.isfinite(entry.u_at(entry.from_mjd + 1000.0))
            assert calibration_at(table, entry.lab, entry.from_mjd) is not None
