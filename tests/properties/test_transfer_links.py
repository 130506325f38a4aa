"""Whatever two stations saw: a link turns with its ends, moves with a clock, and loses no track without a word."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeball.transfer import Limits, NoLinkError, Options, StationTracks, all_in_view, common_view, join_tracks

STEP = 960 * 10**9
METHODS = {"common-view": common_view, "all-in-view": all_in_view}
TRACK = st.tuples(
    st.integers(0, 12),  # epoch
    st.sampled_from(["G01", "G02", "G07", "E01", "E02", "C30"]),
    st.sampled_from(["", "L1C", "L3P", "L3E", "E1"]),
    st.one_of(st.floats(-1e-3, 1e-3), st.just(math.nan)),  # REFSYS
    st.one_of(st.floats(0.0, 90.0), st.just(math.nan)),  # elevation
    st.one_of(st.floats(0.0, 1e-7), st.just(math.nan)),  # DSG
    st.sampled_from([780, 600]),
)
STATION = st.lists(TRACK, max_size=60)
OPTIONS = st.builds(
    Options,
    weights=st.sampled_from(["elevation", "equal"]),
    sigmas=st.sampled_from([0.0, 3.0, 5.0]),
    limits=st.builds(Limits, elevation_deg=st.sampled_from([0.0, 10.0]), codes=st.sampled_from([(), ("L3P", "L3E")])),
)


def station(name: str, rows: list[tuple[Any, ...]], late_s: float = 0.0) -> StationTracks:
    n = len(rows)
    epoch, satellite, frc, refsys, elevation, dsg, length = zip(*rows, strict=True) if rows else ((),) * 7
    zeros, whole = np.zeros(n), np.zeros(n, dtype=np.int64)
    return join_tracks([StationTracks(
        name, (name,), whole, np.arange(n) + 1, np.array(satellite, dtype="U3"), np.array(epoch, dtype=np.int64) * STEP,
        np.array(length, dtype=float), np.array(elevation, dtype=float), zeros, np.array(refsys, dtype=float) + late_s,
        np.array(refsys, dtype=float) + late_s, zeros, np.array(dsg, dtype=float), whole, zeros, zeros,
        np.array(frc, dtype="U3"),
    )])  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=20)
@given(a=STATION, b=STATION, options=OPTIONS)
def test_every_track_is_used_or_has_its_reason(method: str, a: list[Any], b: list[Any], options: Options) -> None:
    reasons: dict[str, int] = {}
    try:
        link = METHODS[method](station("A", a), station("B", b), options)
    except NoLinkError as error:
        reasons = error.reasons
    if reasons or not a + b:
        assert sum(reasons.values()) == len(a) + len(b)
        return
    used = 2 * link.n if method == "common-view" else link.n
    assert used + len(link.rejected) == len(a) + len(b)
    assert len({(each.file, each.line) for each in link.rejected}) == len(link.rejected)
    assert np.isfinite(link.x_s).all()
    assert np.all(np.diff(link.epoch) > 0)
    assert link.x_s.min() - 1e-15 <= link.mean_s <= link.x_s.max() + 1e-15
    assert link.readings().clocks == ("A", "B")


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=12)
@given(a=STATION, b=STATION, late_s=st.floats(-1e-6, 1e-6))
def test_ends_that_are_swapped_turn_the_sign_and_a_late_clock_moves_it(
    method: str, a: list[Any], b: list[Any], late_s: float
) -> None:
    options = Options(sigmas=0.0)
    try:
        link = METHODS[method](station("A", a), station("B", b), options)
    except NoLinkError:
        with pytest.raises(NoLinkError):
            METHODS[method](station("B", b), station("A", a), options)
        return
    turned = METHODS[method](station("B", b), station("A", a), options)
    moved = METHODS[method](station("A", a, late_s), station("B", b), options)
    assert np.array_equal(turned.epoch, link.epoch)
    if len(link.systems_s) < 2:  # of several systems each end has its own first one
        assert turned.x_s == pytest.approx(-link.x_s, abs=1e-15)
    assert moved.x_s == pytest.approx(link.x_s + late_s, abs=1e-15)
