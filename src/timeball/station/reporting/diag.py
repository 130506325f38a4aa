"""The checks of `timeball diag`: what is well, what will need somebody, what has failed, what cannot be told.

Each check compares one figure with one limit and says it in a sentence. Two looks some time apart are compared where a
rate is asked for. The station's own judgement (leases, verdicts) is not repeated here but read; nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from timeball.station.reporting.view import View

OK: Final = "ok"
WARN: Final = "warn"
FAIL: Final = "fail"
UNKNOWN: Final = "unknown"
STATES: Final = (OK, WARN, FAIL, UNKNOWN)

SECONDS: Final = "s"
BYTES: Final = "B"
RATIO: Final = "ratio"
COUNT: Final = ""

# a process writes its counters a few times a second
LATE_S, STILL_S = 1.0, 5.0


@dataclass(frozen=True)
class Check:
    """One line of the table. `value` and `limit` are in `unit` (s, B, ratio, or a plain number); None: not known."""

    name: str
    state: str
    value: float | None
    limit: float | None
    unit: str
    sentence: str


@dataclass(frozen=True)
class Looks:
    """Two looks at a station, `elapsed_s` apart by BOOTTIME."""

    before: View
    now: View

    @property
    def elapsed_s(self) -> float:
        """Time between the two (s), never 0."""
        return max(1e-3, (self.now.boottime_ns - self.before.boottime_ns) / 1e9)


Checks = Callable[[Looks], Iterator[Check]]


def below(value: float, warn: float, fail: float) -> str:
    """The state of a figure that should stay below two limits, the first one the lower."""
    return OK if value < warn else WARN if value < fail else FAIL


def above(value: float, warn: float, fail: float) -> str:
    """The state of a figure that should stay above two limits, the first one the higher."""
    return OK if value > warn else WARN if value > fail else FAIL


def unknown(name: str, why: str, unit: str = COUNT) -> Check:
    """A check that cannot be made."""
    return Check(name, UNKNOWN, None, None, unit, why)


def silent(name: str) -> Check:
    """Of a process that should run."""
    return Check(name, FAIL, None, STILL_S, SECONDS, "none of this boot has written its counters")


def turning(name: str, age_s: float, done: str) -> Check:
    """Whether a process turns, by the age of its counters; `done` says what it has done."""
    return Check(name, below(age_s, LATE_S, STILL_S), age_s, STILL_S, SECONDS, f"age of its counters; {done}")


def diagnose(before: View, now: View) -> list[Check]:
    """Every check, in the order of the way of a nanosecond. One that cannot be made is `unknown` with its reason."""
    from timeball.station.reporting.checks import CHECKS

    looks = Looks(before, now)
    found: list[Check] = []
    for name, checks in CHECKS.items():
        try:
            found += checks(looks)
        except (OSError, ValueError, KeyError, TypeError) as error:
            found.append(unknown(name, f"cannot be told: {type(error).__name__}: {error}"))
    return found


def worst(checks: list[Check]) -> str:
    """`fail` before `warn` before `ok`; `unknown` alone is no fault, and is told only where nothing else is."""
    states = {check.state for check in checks}
    return next((state for state in (FAIL, WARN, OK) if state in states), UNKNOWN)
