"""Fuzz target: any text as a recipe, written as text and as JSON. Only RecipeError may escape."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np

from timeball.stability.recipe import Recipe, RecipeError, apply_recipe, parse_recipe, read_recipe

RECORD = np.array([0.0, 1.0, 2.5, np.nan, 40.0, 5.0, 6.5, 7.0])


def seeds() -> Iterable[bytes]:
    """Give recipes to start from."""
    return (
        b"exclude:0:2.5,outliers:4,offset,rate,drift",
        b'{"steps": [{"step": "outliers", "limit": 3}, {"step": "drift"}]}',
    )


def target(data: bytes) -> None:
    """Read the text both ways; what was understood can be done, undone and written again."""
    text = data.decode("utf-8", "replace")
    for read in (parse_recipe, _from_json):
        try:
            recipe = read(text)
            done = apply_recipe(RECORD, 1.0, recipe)
        except RecipeError:
            continue
        assert read_recipe(json.loads(json.dumps(done.as_json()))) == recipe
        for _ in recipe:
            done = done.undo()
        assert np.array_equal(done.values, RECORD, equal_nan=True)


def _from_json(text: str) -> Recipe:
    try:
        return read_recipe(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise RecipeError("not JSON") from error
