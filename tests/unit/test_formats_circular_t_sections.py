"""Sections 4 and 5 of Circular T: satellite system times by the labels of their heading, and the time links."""

from __future__ import annotations

import math

import pytest
from bulletins import SECTION_3, SECTION_4, SECTION_5, circular_t

from timeball.formats import FormatError, read_circular_t

FULL = circular_t(rest="\n".join(("", SECTION_3, SECTION_4, SECTION_5)))
BEFORE_2011 = """5 - Relations of UTC and TAI with GPS time and GLONASS time.

                  2003    0h UTC   MJD        C0/ns    N0             C1/ns    N1

                      NOV 30  61009          3.3    89             -12.5    81
                      DEC  1  61010          3.9    90                 -     -
"""
SINCE_2024 = """4 - Relations of UTC with predictions of UTC(k) broadcast by GNSS.

Date 2025    0h UTC    MJD   UTC-bUTC_GPS/ns  u/ns  UTC - bUTC_GAL/ns  u/ns

       NOV  30        61009             -0.5   5.0              1.2   3.0
       DEC   1        61010              2.0   5.0                -     -
"""


def test_a_circular_with_all_five_sections() -> None:
    read = read_circular_t(FULL)
    assert read.defects == ()
    assert read.psfs is not None
    assert read.gnss is not None
    assert read.gnss.mjd == (61009, 61010, 61011)
    assert (read.gnss.epochs[:1] == read.epochs[:1]).all()
    assert list(read.gnss.columns) == ["C0", "N0", "C0'", "N0'", "C1", "N1", "C1'", "N1'"]
    assert read.gnss.columns["C0"].tolist() == [3.3e-9, 3.9e-9, -4.1e-9]
    assert read.gnss.columns["N0"].tolist() == [89, 90, 88]
    assert math.isnan(read.gnss.columns["C1"][1])
    assert math.isnan(read.gnss.columns["N1'"][1])


def test_links() -> None:
    links = read_circular_t(FULL).links
    assert [(link.lab, link.pivot, link.technique) for link in links] == [
        ("AOS", "PTB", "TWSTFT"),
        ("APL", "PTB", "GPSPPP"),
        ("OP", "PTB", "TWGPPP"),
        ("UA", "PTB", "GPS MC"),
    ]
    assert (links[0].u_stb_s, links[0].u_cal_s) == (3e-10, 1.1e-9)
    assert (links[0].calibrations, links[0].notes) == (("0268-2014", "1012-2016"), (1,))
    assert math.isnan(links[1].u_cal_s)
    assert links[3].rest == "GPS EC/GPS EC"


def test_two_sections_only_hold_neither() -> None:
    read = read_circular_t(circular_t())
    assert read.gnss is None
    assert read.links == ()


def test_the_columns_before_2011() -> None:
    gnss = read_circular_t(circular_t(rest="\n" + BEFORE_2011)).gnss
    assert gnss is not None
    assert list(gnss.columns) == ["C0", "N0", "C1", "N1"]
    assert gnss.columns["C1"][0] == -12.5e-9


def test_labels_given_twice_are_told_apart() -> None:
    gnss = read_circular_t(circular_t(rest="\n" + SINCE_2024)).gnss
    assert gnss is not None
    assert list(gnss.columns) == ["UTC-bUTC_GPS", "UTC-bUTC_GPS u", "UTC-bUTC_GAL", "UTC-bUTC_GAL u"]
    assert gnss.columns["UTC-bUTC_GPS u"].tolist() == [5e-9, 5e-9]
    assert gnss.named("GAL") == ("UTC-bUTC_GAL", "UTC-bUTC_GAL u")


@pytest.mark.parametrize(
    ("old", "new", "field", "word"),
    [
        ("DEC   1   61010", "DEC   2   61010", "row", "61010 is DEC 1"),
        ("61011    -4.1", "61010    -4.1", "row", "61010 is DEC 1"),
        ("       DEC   2   61011    -4.1", "                 61010    -4.1", "row", "twice"),
        ("61011    -4.1", "61011    -4x1", "row", "neither"),
        ("61011    -4.1", "61011    -4.1  1", "row", "9 values for 8 columns"),
        ("61011", "99999", "row", "1972"),
        ("GPSPPP      0.2       NC", "GPSPPP      0.2        ?", "link", "two uncertainties"),
    ],
)
def test_a_bad_row_is_told_and_costs_no_other(old: str, new: str, field: str, word: str) -> None:
    read = read_circular_t(FULL.replace(old, new))
    assert [(defect.field, word in defect.reason) for defect in read.defects] == [(field, True)]
    assert read.gnss is not None
    assert len(read.gnss.mjd) + len(read.links) == 6


def test_a_text_far_too_long_for_a_bulletin_is_refused() -> None:
    with pytest.raises(FormatError, match="at most"):
        read_circular_t(FULL + "\n" * (1 << 24))


def test_an_explanation_that_names_the_mjd_is_no_heading() -> None:
    told = SECTION_4.replace(
        "2025    0h UTC", "    Values at 0 h of the MJD given here, by the rules below.\n\n2025    0h UTC"
    )
    gnss = read_circular_t(circular_t(rest="\n" + told)).gnss
    assert gnss is not None
    assert len(gnss.columns) == 8
    without = "\n".join(line for line in SECTION_4.splitlines() if "C0/ns" not in line)
    read = read_circular_t(circular_t(rest="\n" + without))
    assert read.gnss is None
    assert {defect.field for defect in read.defects} == {"row"}
