"""Recipes: what each step does, that it can be undone and done again, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.stability.recipe import RecipeError, Step, apply_recipe, parse_recipe, read_recipe, record_digest


def walk(seed: int = 1, n: int = 500) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).standard_normal(n)) * 1e-12


def test_single_outliers_go_and_a_phase_step_stays() -> None:
    x = walk()
    x[[0, 100, 300]] += 1e-9
    x[400:] += 5e-10
    done = apply_recipe(x, 1.0, parse_recipe("outliers:8"))
    assert done.done[0].removed.tolist() == [0, 100, 300]
    assert done.done[0].values.tolist() == x[[0, 100, 300]].tolist()
    assert np.array_equal(np.isnan(done.values), np.isin(np.arange(500), [0, 100, 300]))
    assert done.removed == 3


def test_outliers_of_frequency_hide_behind_each_other() -> None:
    y = np.random.default_rng(2).standard_normal(400)
    y[[7, 50]] = 1e6, 30.0
    assert apply_recipe(y, 1.0, parse_recipe("outliers"), kind="frequency").done[0].removed.tolist() == [7, 50]


def test_a_record_without_noise_has_no_outliers() -> None:
    x = np.zeros(20)
    x[5] = 1.0
    assert apply_recipe(x, 1.0, parse_recipe("outliers")).removed == 0
    assert apply_recipe([1.0, np.nan], 1.0, parse_recipe("outliers")).removed == 0


@pytest.mark.parametrize(
    ("step", "coefficients"), [("offset", [3e-6]), ("rate", [3e-6, 2e-9]), ("drift", [3e-6, 2e-9, 5e-13])]
)
def test_a_trend_is_found_with_gaps(step: str, coefficients: list[float]) -> None:
    t = np.arange(2000) * 10.0
    x = np.polynomial.polynomial.polyval(t, coefficients)
    x[100:200] = np.nan
    done = apply_recipe(x, 10.0, [Step(step)])
    np.testing.assert_allclose(done.done[0].coefficients, coefficients, rtol=1e-9)
    assert float(np.nanmax(np.abs(done.values))) < 1e-18
    assert np.array_equal(np.isnan(done.values), np.isnan(x))


def test_the_drift_of_frequency_is_a_line() -> None:
    y = 1e-9 + 2e-15 * np.arange(100) * 60.0
    done = apply_recipe(y, 60.0, parse_recipe("drift"), kind="frequency")
    np.testing.assert_allclose(done.done[0].coefficients, [1e-9, 2e-15], rtol=1e-9)


def test_samples_between_two_times_are_left_out() -> None:
    done = apply_recipe(walk(), 10.0, parse_recipe("exclude:1000:1200"))
    assert done.done[0].removed.tolist() == list(range(100, 120))


def test_undone_it_is_the_record_as_it_was_to_the_last_bit() -> None:
    x = walk()
    x[[20, 50]] += 1e-9
    x[70] = np.nan
    recipe = parse_recipe("exclude:5:9, outliers:6, drift")
    done = apply_recipe(x, 1.0, recipe)
    assert not np.array_equal(done.values, x, equal_nan=True)
    assert np.array_equal(done.original, x, equal_nan=True)
    assert np.array_equal(done.undo().values, apply_recipe(x, 1.0, recipe[:2]).values, equal_nan=True)
    assert np.array_equal(done.undo().undo().undo().values, x, equal_nan=True)
    assert done.undo().undo().undo().undo().done == ()


def test_what_is_stored_does_it_again() -> None:
    x = walk()
    x[20] += 1e-9
    first = apply_recipe(x, 1.0, parse_recipe("outliers:6,rate"))
    stored = json.loads(json.dumps(first.as_json()))
    assert stored["sha256"] == record_digest(x) != record_digest(first.values)
    assert stored["steps"][0] == {"step": "outliers", "limit": 6.0, "removed": 1, "places": [20], "values": [x[20]]}
    again = apply_recipe(x, 1.0, read_recipe(stored))
    assert np.array_equal(first.values, again.values, equal_nan=True)


def test_the_digest_of_a_record_is_that_of_its_bytes() -> None:
    """SHA-256 of the 8 bytes of 1.0, little-endian, by another tool."""
    assert record_digest(np.array([1.0])) == "6c3c396ed6b5c36dcae172271f462051b1266b851e92df3deea8ac65478fd712"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("polish", "no step 'polish'"),
        ("outliers:many", "a number"),
        ("outliers:0.5", "half of the record"),
        ("outliers:nan", "finite"),
        ("exclude:5", "no step"),
        ("exclude:9:5", "no step"),
        ("rate:1", "no step"),
    ],
)
def test_what_is_no_recipe_is_refused(text: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        parse_recipe(text)


def test_what_json_is_no_recipe_is_refused() -> None:
    for document in (3, "drift", {"step": "drift"}, ["drift"], [{"step": 4}], [{"step": "outliers", "limit": "x"}]):
        with pytest.raises(RecipeError):
            read_recipe(document)
    with pytest.raises(RecipeError, match="offset"):
        apply_recipe(walk(), 1.0, parse_recipe("offset"), kind="frequency")
    with pytest.raises(RecipeError, match="to spare"):
        apply_recipe([1.0, np.nan, np.nan], 1.0, parse_recipe("drift"))


@given(st.text(max_size=40))
def test_any_text_is_a_recipe_or_an_error(text: str) -> None:
    try:
        recipe = parse_recipe(text)
    except RecipeError:
        return
    assert read_recipe([step.as_json() for step in recipe]) == recipe
