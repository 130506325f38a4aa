"""A laboratory's record in Circular T: steps taken out, our own scale beside it, and the next circular foretold."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from timeball.formats import LabPoints
from timeball.formats.bulletin import join_points
from timeball.formats.circular_t.notes import Step
from timeball.instants import DAY_NS
from timeball.readings import Readings
from timeball.steering.against_utc import PAST_POINTS, beside, next_dates, outlook, summary, without_steps
from timeball.steering.bulletins import day_start, mjd_at
from timeball.steering.prediction import PredictionError

FIRST = 61009
ROOT = Path(__file__).resolve().parents[2]


def points(values_s: np.ndarray, step_days: int = 5, u_a_s: float = 2e-10) -> LabPoints:
    epochs = np.array([day_start(FIRST + step_days * k) + 37 * 10**9 for k in range(len(values_s))], dtype=np.int64)
    return LabPoints("OP", epochs, values_s, np.full(len(values_s), u_a_s), np.full(len(values_s), 1.1e-9))


def test_a_step_is_taken_out_of_what_was_before_it() -> None:
    record = points(np.array([1e-9, 1e-9, 301e-9, 301e-9]))  # UTC(k) was stepped by −300 ns
    step = Step("OP", int(record.epochs[1]) + DAY_NS, -3e-7)
    assert without_steps(record, [step]) == pytest.approx(np.full(4, -301e-9))
    assert without_steps(record, [Step("PTB", step.epoch, step.step_s)]).tolist() == (-record.values_s).tolist()


def test_rate_and_deviations_are_those_of_utck() -> None:
    found = summary(points(-1e-15 * 5 * 86_400 * np.arange(8.0)))
    assert found.rate == pytest.approx(1e-15)  # values fall: UTC(k) is fast
    assert found.deviations is not None
    assert found.deviations.sigma.tolist() == pytest.approx([0.0] * found.deviations.sigma.size, abs=1e-24)
    assert found.deviations.tau_s[0] == 432_000.0
    assert summary(points(np.array([3e-9, -4e-9]))).rms_s == pytest.approx(np.sqrt(12.5) * 1e-9)
    assert summary(points(np.array([3e-9, -4e-9]))).deviations is None
    assert np.isnan(summary(points(np.array([3e-9]))).rate)


def test_a_month_without_values_leaves_the_grid() -> None:
    values_s = 1e-9 * np.sin(np.arange(20.0))
    whole, kept = points(values_s), [0, 1, 2, 3, 4, 9, 10, 11, 12, 19]
    gapped = LabPoints("OP", *(column[kept] for column in (whole.epochs, whole.values_s, whole.u_a_s, whole.u_s)))
    found = summary(gapped).deviations
    assert found is not None
    assert (found.tau_s[0], found.n[0]) == (432_000.0, 5)


@pytest.mark.parametrize(
    ("last", "dates"),
    [
        (61039, [61044, 61049, 61054, 61059, 61064, 61069]),  # 2025-12-30: the dates of January
        (61049, [61054, 61059, 61064, 61069]),  # within January: its rest
        (61094, [61099]),
    ],
)
def test_the_dates_of_the_next_circular(last: int, dates: list[int]) -> None:
    assert next_dates(last) == dates


def test_the_outlook_keeps_the_sign_of_the_bulletin_and_grows() -> None:
    noise_s = 3e-10 * np.random.default_rng(7).standard_normal(13)
    found = outlook(points(1e-9 * np.arange(13.0) + noise_s))
    assert found.mjd == (61074, 61079, 61084, 61089, 61094, 61099)
    assert mjd_at(found.published) == 61_110  # 2026-03-11
    assert found.value_s[-1] == pytest.approx(18e-9, abs=2e-9)
    assert np.all(np.diff(found.high_s - found.low_s) > 0)
    assert np.all((found.low_s < found.value_s) & (found.value_s < found.high_s))
    with pytest.raises(PredictionError):
        outlook(points(1e-9 * np.arange(5.0)))


def test_old_and_daily_values_do_not_change_the_outlook_beyond_a_year_of_the_grid() -> None:
    rng = np.random.default_rng(4)
    daily = points(1e-9 * np.cumsum(rng.standard_normal(PAST_POINTS * 5 + 200)), step_days=1)
    on_grid = np.flatnonzero([mjd_at(epoch) % 5 == 4 for epoch in daily.epochs.tolist()])[-PAST_POINTS:]
    columns = (daily.epochs, daily.values_s, daily.u_a_s, daily.u_s)
    newest = LabPoints("OP", *(column[on_grid] for column in columns))
    cut = LabPoints("OP", *(column[: int(on_grid[-1]) + 1] for column in columns))
    assert outlook(cut).low_s.tolist() == outlook(newest).low_s.tolist()


def test_readings_beside_a_bulletin_are_interpolated_within_two_days_only() -> None:
    record = points(np.zeros(4))
    epochs = record.epochs
    days = [epochs[0] - DAY_NS, epochs[0] + DAY_NS, epochs[1] - 2 * DAY_NS, epochs[1] + DAY_NS, epochs[2]]
    x_s = [0.0, 2e-9, 0.0, 0.0, 5e-9]
    readings = Readings.from_columns(("TA(OP)", "UTC(OP)"), days, [0] * 5, [1] * 5, x_s)
    found = beside(record, readings)["TA(OP)"]
    assert found.epochs.tolist() == epochs[[0, 2]].tolist()  # three days around the second; nothing after the third
    assert found.values_s.tolist() == pytest.approx([-1e-9, -5e-9])
    turned = Readings.from_columns(("UTC(OP)", "TA(OP)"), days, [0] * 5, [1] * 5, [-x for x in x_s])
    assert beside(record, turned)["TA(OP)"].values_s.tolist() == found.values_s.tolist()


def test_a_file_of_other_clocks_gives_nothing() -> None:
    record = points(np.zeros(3))
    readings = Readings.from_columns(("A", "B", "C"), record.epochs[[0, 0]], [0, 0], [1, 2], [1e-9, 2e-9])
    assert beside(record, readings) == {}
    assert beside(record, Readings.empty()) == {}
    three = Readings.from_columns(("A", "B", "UTC(OP)"), record.epochs[[0, 0]], [0, 0], [1, 2], [1e-9, 2e-9])
    assert list(beside(record, three)) == ["A"]


def test_parts_are_joined_and_the_later_stands() -> None:
    one, two = points(np.array([1.0, 2.0, 3.0])), points(np.array([9.0]))
    assert join_points("OP", [one, two]).values_s.tolist() == [9.0, 2.0, 3.0]
    assert join_points("OP", []).values_s.shape == (0,)


def test_the_band_holds_a_real_record_at_its_rate(shared, monkeypatch: pytest.MonkeyPatch) -> None:
    """UTCr − UTC(AUS): some of the months that `bench/bulletins.py` foretells."""
    shared("groundstate-utck-tools/utcraus.txt")
    monkeypatch.syspath_prepend(str(ROOT))
    study = importlib.import_module("bench.bulletins")
    inside, last = study.band_coverage(study.real_record(), every=9)
    assert (inside.size, last.size) == (61, 10)
    assert 0.8 < inside.mean() <= 1.0
