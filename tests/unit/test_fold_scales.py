"""What a `beside` entry says of a scale beside TA(k) when the two do not know the same clocks."""

from __future__ import annotations

import numpy as np

from timeball.ensemble.algorithms import algorithm
from timeball.readings import PhaseTable
from timeball.station.fold.scales import beside_payload

MINUTE = 60 * 10**9


def table_of(first: int, names: tuple[str, ...]) -> PhaseTable:
    epochs = np.arange(first, first + 5, dtype=np.int64) * MINUTE
    x = np.outer(np.arange(first, first + 5), np.arange(len(names))) * 1e-12
    return PhaseTable(epochs, names, x, np.zeros(5, np.int32), names[0])


def test_the_scale_beside_may_know_a_clock_that_has_left() -> None:
    """AT1 never forgets a clock; an algorithm that began after it had left, or forgets, carries TA(k) all the same."""
    at1, algos = algorithm("at1"), algorithm("algos")
    state, _ = at1.advance(at1.state.empty(), at1.parameters(), table_of(1, ("A", "B", "C")))
    after = table_of(6, ("A", "B"))
    _, older = at1.advance(state, at1.parameters(), after)
    _, younger = algos.advance(algos.state.empty(), algos.parameters(), after)
    assert (older.clocks, younger.clocks) == (("A", "B", "C"), ("A", "B"))
    for steps, carrier in ((older, younger), (younger, older)):
        apart = beside_payload(7, steps, carrier)["minus_ta_fs"]
        expected = [round((c - s) * 1e15) for c, s in zip(carrier.x[:, 0], steps.x[:, 0], strict=True)]
        assert [int(text) for text in apart] == expected
