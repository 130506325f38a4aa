"""The real Circular T 456, a real series of UTCr, and a laboratory's own series of UTC − UTC(k)."""

from __future__ import annotations

import math

import numpy as np

from timeball.formats import lab_points, read_circular_t, read_lab_series, read_utcr
from timeball.instants import DAY_NS, parse_utc
from timeball.station.hosttime.leaps import load_leap_table

LEAPS = load_leap_table()


def test_circular_t_456_is_read_without_a_defect(shared) -> None:
    read = read_circular_t(shared("bipm-circular-t/cirt.456.txt").read_bytes(), "cirt.456.txt")
    assert read.defects == ()
    assert (read.number, read.mjd) == (456, (61009, 61014, 61019, 61024, 61029, 61034, 61039))
    assert len(read.labs) == 88
    assert sum(int(np.isfinite(row.values_s).sum()) for row in read.labs.values()) == 573
    assert [lab for lab, row in read.labs.items() if not np.isfinite(row.values_s).any()] == ["CAO", "MASM", "NIMB"]
    assert read.labs["OP"].values_s.tolist() == [2e-10, 2e-10, -1e-10, -5e-10, 2e-10, 4e-10, -1e-10]
    assert read.labs["MTC"].u_b_s == 66.4e-9
    assert read.published_ns == parse_utc("2026-01-08T22:00:00Z", LEAPS).ns
    assert read.epochs[-1] == parse_utc("2025-12-30T00:00:00Z", LEAPS).ns
    assert {interval.eal_minus_tai for interval in read.steering} == {6.498e-13}
    assert [(step.lab, step.step_s) for step in read.steps] == [("INPL", -3e-7), ("MTC", -4.5e-7)]


def test_its_columns_of_uncertainty_belong_together(shared) -> None:
    read = read_circular_t(shared("bipm-circular-t/cirt.456.txt").read_bytes())
    known = [row for row in read.labs.values() if math.isfinite(row.u_s)]
    assert len(known) == 83
    for row in known:  # each figure is rounded to 0.1 ns
        assert abs(math.hypot(row.u_a_s, row.u_b_s) - row.u_s) < 1.6e-10, row.lab


def test_the_steps_of_its_notes_stand_in_the_values(shared) -> None:
    read = read_circular_t(shared("bipm-circular-t/cirt.456.txt").read_bytes())
    for step in read.steps:
        values_s, after = read.labs[step.lab].values_s, int(np.searchsorted(read.epochs, step.epoch))
        change_s = values_s[after] - values_s[after - 1]
        assert abs(change_s + step.step_s) < 3e-8


def test_a_year_of_utcr_and_the_series_of_ptb(shared) -> None:
    data = shared("groundstate-utck-tools/utcraus.txt").read_bytes()
    rapid = read_utcr(data, "utcraus.txt", LEAPS, "AUS")
    assert (len(rapid.mjd), rapid.mjd[0], rapid.mjd[-1], rapid.defects) == (2716, 57048, 59763, ())
    assert rapid.labs["AUS"].values_s[[0, -1]].tolist() == [-4.51e-7, -5.031e-7]
    steps = np.diff(rapid.epochs) - DAY_NS
    assert sorted(set(steps.tolist())) == [0, 10**9]  # the leap seconds of 2015 and 2016 are between them
    assert int((steps > 0).sum()) == 2
    ptb, defects = read_lab_series(
        shared("groundstate-utck-tools/utc_ptb.txt").read_bytes(), "utc_ptb.txt", LEAPS, "PTB"
    )
    assert defects == []
    circular = read_circular_t(shared("bipm-circular-t/cirt.456.txt").read_bytes())
    printed = lab_points([circular], "PTB")
    common = np.isin(ptb.epochs, printed.epochs)
    assert int(common.sum()) == 6
    assert ptb.values_s[common].tolist() == printed.values_s[1:].tolist()
