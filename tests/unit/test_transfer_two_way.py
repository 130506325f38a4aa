"""Two-way links on sessions made up here: the equation by hand, calibrations, what is left out; and closures."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from timeball.formats.itu_tw import TwoWay, read_itu_tw
from timeball.instants import LeapTable, day_number
from timeball.readings import Readings
from timeball.transfer import NoLinkError, Side, TransferError, TwoWayOptions, by_reason, join_sessions, two_way
from timeball.transfer.closure import triangles

LEAPS = LeapTable.from_offsets([(day_number(2017, 1, 1), 37)], None, "made up")
PATH_S = 0.2623  # up to the satellite and down


def file_of(lab: str, local: str, remote: str, rows: list[str]) -> TwoWay:
    head = f"* {lab}\n* FORMAT    01\n* LAB       {lab}\n* ES {local}\n"
    head += "* CAL   618 TYPE: PORT ES REL  MJD: 61000 EST. UNCERT.:  0.800 ns\n*\n"
    return read_itu_tw((head + "".join(f" {local}  {remote} {row}\n" for row in rows)).encode(), lab, LEAPS)


def row(hour: int, tw_s: float, refdelay_ns: float, calr: str = "618 1    16.900     0.000 0.300") -> str:
    return (
        f"23 61140 {hour:02d}1600 119 {tw_s:+.12f} 0.500 119 118 {refdelay_ns * 1e-9:+.12f} 0.050 {calr}  21  45 1013"
    )


def sides(difference_ns: float, hours: range = range(20), **changes: str) -> tuple[TwoWay, TwoWay]:
    """Two stations whose clocks differ by so many ns, with 300 and 700 ns from the clock to the modem."""
    a = [row(h, PATH_S + (difference_ns - 2 * 300) * 1e-9, 300.0, **changes) for h in hours]
    turned = changes | {"calr": changes.get("calr", "618 1   -16.900     0.000 0.300")}
    b = [row(h, PATH_S - (difference_ns + 2 * 700) * 1e-9, 700.0, **turned) for h in hours]
    return file_of("TBL", "TBL01", "PTB05", a), file_of("PTB", "PTB05", "TBL01", b)


def side(tw: TwoWay, name: str | None = None) -> Side:
    return join_sessions([(tw.header.lab, tw)], name)


def test_the_equation_of_the_recommendation() -> None:
    a, b = sides(42.0)
    link = two_way(side(a), side(b))
    # by hand: half of 2·42 ns from the counters (the reference delays cancel), and half of 2·16.9 ns of CALR
    assert link.mean_s * 1e9 == pytest.approx(42.0 + 16.9, abs=1e-3)
    assert (link.a, link.b, link.n, link.u_b_s) == ("TBL01", "PTB05", 20, pytest.approx(0.8e-9))
    assert link.epoch[0] == a.midpoint[0]
    assert link.notes == ("calibration 618, 140 days old, u 0.80 ns",)
    assert link.u_s == pytest.approx(0.5 * 1.5 * math.sqrt(2 * 0.5**2 / 119) * 1e-9)
    assert two_way(side(b), side(a)).mean_s == pytest.approx(-link.mean_s, abs=1e-16)


def test_esdvar_counts_half_at_each_end() -> None:
    a, b = sides(42.0, calr="618 1     0.000     4.000 0.300")
    assert two_way(side(a), side(b)).mean_s * 1e9 == pytest.approx(42.0, abs=1e-3)
    plain = sides(42.0, calr="618 1     0.000     0.000 0.300")[1]
    assert two_way(side(a), side(plain)).mean_s * 1e9 == pytest.approx(44.0, abs=1e-3)


def test_without_a_calibration_neither_calr_nor_esdvar_is_used_and_it_is_said() -> None:
    a, b = sides(42.0, calr="999 9 999999999     4.000 99999")
    link = two_way(side(a, "A"), side(b, "B"))
    assert link.mean_s * 1e9 == pytest.approx(42.0, abs=1e-3)
    assert math.isnan(link.u_b_s)
    assert link.notes == ("not calibrated: no session has S = 1 and a CALR at both ends",)
    mixed, _ = sides(42.0, range(3), calr="999 9 999999999     4.000 99999")
    rest, whole = sides(42.0, range(3, 20))[0], sides(42.0)[1]
    some = two_way(join_sessions([("a", mixed), ("b", rest)], "A"), side(whole, "B"))
    assert by_reason(some.rejected) == {"without the calibration that others have": 6}
    assert some.mean_s * 1e9 == pytest.approx(58.9, abs=1e-3)


def test_every_session_left_out_has_its_reason() -> None:
    a, b = sides(42.0)
    noisy, few, lost = a.drms_s.copy(), a.samples.copy(), a.tw_s.copy()
    noisy[1], few[2], lost[3] = 1.5e-9, 59, math.nan
    lost[4] += 60e-9
    broken = dataclasses.replace(a, drms_s=noisy, samples=few, tw_s=lost, remote=("TBL01", *a.remote[1:]))
    link = two_way(side(broken, "A"), side(b, "B"))
    assert by_reason(link.rejected) == {
        "not measured by A": 4, "more than 5 σ from the others": 2, "of the station with itself": 1, "without TW": 1,
        "with DRMS above 1 ns": 1, "of fewer than 60 samples": 1,
    }  # fmt: skip
    assert link.n == 15
    assert 2 * link.n + len(link.rejected) == 40
    assert {each.line for each in link.rejected if each.reason == "without TW"} == {int(a.line[3])}
    assert two_way(side(broken, "A"), side(b, "B"), TwoWayOptions(sigmas=0.0)).n == 16
    with pytest.raises(NoLinkError, match="no session in common: 20 not measured by B; 20 not measured by A"):
        two_way(side(a, "A"), side(a, "B"))


def test_a_session_in_two_files_counts_once() -> None:
    a, b = sides(42.0)
    link = two_way(side(a, "A"), join_sessions([("one", b), ("two", b)], "B"))
    assert (link.n, by_reason(link.rejected)) == (20, {"repeated": 20})
    assert {each.file for each in link.rejected} == {"two"}
    with pytest.raises(TransferError, match="no file"):
        join_sessions([])


def test_triangles_close_by_what_the_links_are_off() -> None:
    rng = np.random.default_rng(8)
    epoch = np.arange(50) * 3_600 * 10**9
    clock = {name: rng.normal(0.0, 1e-7, 50) for name in "ABC"}

    def link(a: str, b: str, off_s: float, rows: slice = slice(None)) -> Readings:
        x = (clock[a] - clock[b] + off_s)[rows]
        n = x.size
        return Readings.from_columns((a, b), epoch[rows], np.zeros(n), np.ones(n), x, np.full(n, 2e-10))

    # A − C stands in the file, C − A goes around: its sign is turned
    whole = Readings.concat([link("A", "B", 3e-9), link("B", "C", 1e-9, slice(10, None)), link("A", "C", 0.5e-9)])
    (found,) = triangles(whole)
    assert (found.clocks, found.epoch.size) == (("A", "B", "C"), 40)
    assert found.mean_s == pytest.approx(3.5e-9, abs=1e-18)
    assert found.rms_s == pytest.approx(3.5e-9, abs=1e-18)
    assert found.expected_s == pytest.approx(math.sqrt(3) * 2e-10)
    assert triangles(Readings.concat([link("A", "B", 0.0), link("B", "C", 0.0)])) == []
