"""What is done to a record before its stability is computed: a list of steps that is kept with the result.

A step is a pure function of the record before it, and the record as it was measured is never changed; so leaving the
last step out undoes it, exactly. A recipe is written as text, "outliers:5,drift", or as a JSON list of objects. With
the result stand the recipe, what each step did, and the SHA-256 of the record it began with.

The steps: `exclude` (samples between two times), `outliers` (single values far from the others, by the median absolute
deviation), `offset`, `rate` and `drift` (a polynomial of phase of degree 0, 1, 2, fitted by least squares). Nothing is
filled in: what a step removes is missing (NaN) from there on. Steps of phase or frequency are not removed: a clock that
jumped did jump.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from timeball.stability.errors import StabilityError
from timeball.stability.records import check_interval, check_values

FloatArray = NDArray[np.float64]
TRENDS = {"offset": 0, "rate": 1, "drift": 2}
# A normal law's standard deviation over its median absolute deviation.
MAD_TO_SIGMA = 1.482602218505602
# Outliers hide behind others: the search is repeated, and stops when nothing more is found.
ROUNDS = 10
USUAL_LIMIT = 5.0


class RecipeError(StabilityError):
    """A recipe names a step that there is not, or gives it a parameter that it cannot have."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name, and its parameters (limit of `outliers`; from_s and to_s of `exclude`)."""

    name: str
    limit: float = USUAL_LIMIT
    from_s: float = 0.0
    to_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The step as an object: its name and the parameters it has."""
        if self.name == "outliers":
            return {"step": self.name, "limit": self.limit}
        if self.name == "exclude":
            return {"step": self.name, "from_s": self.from_s, "to_s": self.to_s}
        return {"step": self.name}


Recipe = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """What a step did: places int64[r] that it removed and their values float64[r]; coefficients of the trend.

    coefficients: of 1, t, t² with t in seconds from the first sample, in s (phase) or without unit (frequency).
    """

    step: Step
    removed: NDArray[np.int64]
    values: FloatArray
    coefficients: tuple[float, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The step, and what it did."""
        told = {**self.step.as_json(), "removed": int(self.removed.size)}
        if self.coefficients:
            told["coefficients"] = list(self.coefficients)
        if self.removed.size:
            told["places"], told["values"] = self.removed.tolist(), self.values.tolist()
        return told


@dataclass(frozen=True, slots=True)
class Treated:
    """A record before (`original`) and after (`values`) a recipe, and what each of its steps did."""

    original: FloatArray
    values: FloatArray
    tau0_s: float
    kind: str
    done: tuple[Done, ...]

    @property
    def recipe(self) -> Recipe:
        """The steps that were taken."""
        return tuple(each.step for each in self.done)

    @property
    def removed(self) -> int:
        """Samples that were there and are no more."""
        return sum(int(each.removed.size) for each in self.done)

    def undo(self) -> Treated:
        """Take the last step back; without any, the record as it was."""
        return apply_recipe(self.original, self.tau0_s, self.recipe[:-1], kind=self.kind)

    def as_json(self) -> dict[str, Any]:
        """What is stored with a result: enough to do it again, and to see whether it was the same record."""
        return {"sha256": record_digest(self.original), "steps": [each.as_json() for each in self.done]}


def record_digest(values: FloatArray) -> str:
    """SHA-256 of a record's little-endian float64 values, in hexadecimal; every NaN counts as the same."""
    plain = np.where(np.isnan(values), np.nan, values).astype("<f8")
    return hashlib.sha256(plain.tobytes()).hexdigest()


def parse_recipe(text: str) -> Recipe:
    """Read a recipe such as "exclude:3600:7200,outliers:5,drift"; RecipeError says which step is wrong."""
    return tuple(_step(*part.strip().split(":")) for part in text.split(",") if part.strip())


def read_recipe(document: object) -> Recipe:
    """Read a recipe out of JSON: a list of steps, or an object with `steps`, as `Treated.as_json` gives it."""
    steps = document.get("steps") if isinstance(document, Mapping) else document
    if not isinstance(steps, Sequence) or isinstance(steps, str):
        raise RecipeError("a recipe is a list of steps, or an object with a list called steps")
    read = []
    for step in steps:
        if not isinstance(step, Mapping) or not isinstance(step.get("step"), str):
            raise RecipeError(f"a step is an object with its name as step, not {step!r}")
        given = {"outliers": ("limit",), "exclude": ("from_s", "to_s")}.get(step["step"], ())
        read.append(_step(step["step"], *(str(step[each]) for each in given if each in step)))
    return tuple(read)


def _step(name: str, *arguments: str) -> Step:
    try:
        numbers = [float(each) for each in arguments]
    except ValueError:
        raise RecipeError(f"{':'.join((name, *arguments))}: what follows the colon is a number") from None
    if any(not math.isfinite(each) for each in numbers):
        raise RecipeError(f"{name}: a parameter is a finite number")
    if name in TRENDS and not numbers:
        return Step(name)
    if name == "outliers" and len(numbers) <= 1:
        limit = numbers[0] if numbers else USUAL_LIMIT
        if limit < 1.0:
            raise RecipeError(f"outliers: a limit of {limit:g} sigma would remove half of the record")
        return Step(name, limit=limit)
    if name == "exclude" and len(numbers) == 2 and numbers[0] < numbers[1]:
        return Step(name, from_s=numbers[0], to_s=numbers[1])
    words = ":".join((name, *arguments))
    raise RecipeError(f"no step {words!r}; there are: offset, rate, drift, outliers[:SIGMAS], exclude:FROM_S:TO_S")


def apply_recipe(x: ArrayLike, tau0_s: float, recipe: Sequence[Step], *, kind: str = "phase") -> Treated:
    """Take the steps one after the other. x, tau0_s, kind: as `oadev`. Raises RecipeError, RecordError."""
    original = check_values(x, "x")
    tau0_s = check_interval(tau0_s)
    values, done = original.copy(), []
    for step in recipe:
        values, told = _take(step, values, tau0_s, kind)
        done.append(told)
    return Treated(original, values, tau0_s, kind, tuple(done))


def _take(step: Step, values: FloatArray, tau0_s: float, kind: str) -> tuple[FloatArray, Done]:
    if step.name in TRENDS:
        return _detrend(step, values, tau0_s, kind)
    if step.name == "exclude":
        t = np.arange(values.size) * tau0_s
        wrong = (t >= step.from_s) & (t < step.to_s) & np.isfinite(values)
    else:
        wrong = _outliers(values, step.limit, kind)
    places = np.flatnonzero(wrong).astype(np.int64)
    return np.where(wrong, np.nan, values), Done(step, places, values[places])


def _outliers(values: FloatArray, limit: float, kind: str) -> NDArray[np.bool_]:
    """Frequencies far from the median; phases that stand out to one side of both their neighbours."""
    wrong = np.zeros(values.size, dtype=bool)
    for _ in range(ROUNDS):
        left = np.where(wrong, np.nan, values)
        more = _far(left, limit) if kind == "frequency" else _spikes(left, limit)
        if not more.any():
            break
        wrong |= more
    return wrong


def _far(values: FloatArray, limit: float) -> NDArray[np.bool_]:
    known = values[np.isfinite(values)]
    if known.size < 3:
        return np.zeros(values.size, dtype=bool)
    middle = float(np.median(known))
    width = float(np.median(np.abs(known - middle))) * MAD_TO_SIGMA
    # a record that hardly moves has no width to be far by
    return np.abs(values - middle) > limit * width if width > 0.0 else np.zeros(values.size, dtype=bool)


def _spikes(x: FloatArray, limit: float) -> NDArray[np.bool_]:
    """Phases whose differences to the last value before and the next after both stand out, with opposite signs."""
    places = np.flatnonzero(np.isfinite(x))
    wrong = np.zeros(x.size, dtype=bool)
    if places.size < 3:
        return wrong
    rates = np.diff(x[places]) / np.diff(places)
    far = _far(rates, limit)
    off = np.sign(rates - np.median(rates))
    both = far[:-1] & far[1:] & (off[:-1] * off[1:] < 0.0)
    wrong[places[1:-1][both]] = True
    # at the ends a spike and a step look alike; either is one sample
    wrong[places[0]] = far[0] and not far[1]
    wrong[places[-1]] = far[-1] and not far[-2]
    return wrong


def _detrend(step: Step, values: FloatArray, tau0_s: float, kind: str) -> tuple[FloatArray, Done]:
    degree = TRENDS[step.name] - (1 if kind == "frequency" else 0)
    nothing = np.zeros(0, dtype=np.int64)
    if degree < 0:
        raise RecipeError("a phase offset does not show in a record of frequency")
    known = np.isfinite(values)
    if int(known.sum()) <= degree + 1:
        raise RecipeError(f"{step.name}: a record of {int(known.sum())} values has none to spare for a trend")
    # the scale of t is 1 while it is fitted, so that t² costs no digits
    span = max(values.size - 1, 1)
    t = np.arange(values.size) / span
    fitted = np.polynomial.polynomial.polyfit(t[known], values[known], degree)
    trend = np.polynomial.polynomial.polyval(t, fitted)
    coefficients = tuple(float(c) / (span * tau0_s) ** power for power, c in enumerate(fitted))
    return np.asarray(values - trend), Done(step, nothing, np.zeros(0), coefficients)
