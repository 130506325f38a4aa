"""The algorithms that make a scale, by name: what a caller needs that does not care which one it is.

Every one of them has rules (`parameters`), a memory between two epochs (`state`), `advance` for the next epochs, live
or recorded, and `run` for a whole record at once. Their steps have one form (`steps.Steps`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple, Protocol, Self

from timeball.ensemble.scale import ScaleRun
from timeball.ensemble.steps import Steps
from timeball.readings import PhaseTable


class State(Protocol):
    """What an algorithm remembers between two epochs."""

    epoch: int | None

    @property
    def clocks(self) -> tuple[str, ...]:
        """The clocks it knows, in the order of their names."""

    @classmethod
    def empty(cls) -> Self:
        """The state before the first reading of the first clock."""

    def to_payload(self) -> dict[str, Any]:
        """JSON without floats, bit for bit what `from_payload` reads."""

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Self:
        """Read `to_payload` back; raises ``StateError`` for anything else."""


class Algorithm(NamedTuple):
    """One algorithm: `name` as entries say it, the struct of its rules, its state, and its functions.

    advance(state, parameters, table) → (state, steps): the epochs of a table after those the state has seen.
    fit_parameters(table, zero_weight) → parameters: rules from the record itself, nothing tuned by hand.
    run(table, parameters or None) → ScaleRun: a whole record at once.
    """

    name: str
    parameters: type
    state: type[State]
    advance: Callable[[Any, Any, PhaseTable], tuple[Any, Steps]]
    fit_parameters: Callable[[PhaseTable, Sequence[str]], Any]
    run: Callable[[PhaseTable, Any], ScaleRun]


ALGORITHMS: dict[str, str] = {
    "at1": "timeball.ensemble.at1.batch",
    "algos": "timeball.ensemble.algos.batch",
    "kalman": "timeball.ensemble.kalman.batch",
}
"""Keys as the command line and the configuration spell them, and the module whose `ALGORITHM` it is."""


def algorithm(key: str) -> Algorithm:
    """The algorithm of a key of `ALGORITHMS`, imported when it is asked for; KeyError for another."""
    found: Algorithm = import_module(ALGORITHMS[key]).ALGORITHM
    return found
