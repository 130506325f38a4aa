"""Readings into a batch and back: exact to the femtosecond, nothing invented, and malformed batches refused whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.ledger import canonical
from timeball.ledger.errors import BatchError
from timeball.readings import Readings
from timeball.station.fold.batches import comparison_batch, parse_batch, readings_of

NAMES = ("Cs1", "H1", "H2", "OUT", "UTC")
# float64 seconds hold every femtosecond up to 2⁵³ fs = 9.007 s
EXACT_FS = 2**53
keys = st.tuples(st.integers(-(2**62), 2**62), st.integers(0, 4), st.integers(0, 4)).filter(
    lambda key: key[1] != key[2]
)
values = st.tuples(st.integers(-EXACT_FS, EXACT_FS), st.none() | st.integers(0, 10**12))
tables = st.dictionaries(keys, values, max_size=30)


def readings(table: dict[tuple[int, int, int], tuple[int, int | None]]) -> Readings:
    rows = [(*key, x_fs / 1e15, np.nan if u is None else u / 1e15) for key, (x_fs, u) in table.items()]
    epoch, a, b, x, u_s = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return Readings.from_columns(NAMES, epoch, a, b, x, u_s)


def named(record: Readings) -> dict[tuple[int, str, str], float]:
    return {
        (epoch, record.clocks[a], record.clocks[b]): x
        for epoch, a, b, x in zip(
            record.epoch.tolist(), record.a.tolist(), record.b.tolist(), record.x.tolist(), strict=True
        )
    }


@given(tables)
def test_there_and_back_is_exact_to_the_femtosecond(table: dict[tuple[int, int, int], tuple[int, int | None]]) -> None:
    record = readings(table)
    batch = canonical.decode(canonical.encode(comparison_batch(record)))
    back = readings_of(batch)
    assert named(back) == named(record), "the same pairs at the same epochs, bit for bit"
    recorded = {
        (int(epoch), *pair): x_fs
        for epoch, row in zip(batch["epochs"], batch["x_fs"], strict=True)
        for pair, x_fs in zip(map(tuple, batch["pairs"]), row, strict=True)
    }
    for (epoch, a, b), (x_fs, _) in table.items():
        assert recorded.pop((epoch, NAMES[a], NAMES[b])) == str(x_fs)
    assert set(recorded.values()) <= {None}, "what was not read is null"
    assert comparison_batch(back)["x_fs"] == comparison_batch(readings_of(comparison_batch(back)))["x_fs"]


@given(tables)
def test_a_known_uncertainty_is_stated_and_an_unknown_one_stays_unknown(
    table: dict[tuple[int, int, int], tuple[int, int | None]],
) -> None:
    batch = comparison_batch(readings(table))
    for (a, b), u_fs in zip(batch["pairs"], batch["u_fs"], strict=True):
        said = {u for key, (_, u) in table.items() if (NAMES[key[1]], NAMES[key[2]]) == (a, b)}
        assert (u_fs is None) == (said == {None})
        assert u_fs is None or int(u_fs) in said


def test_a_gap_is_a_null_and_gives_no_reading() -> None:
    table = {(1, 0, 1): (5, 7), (2, 0, 1): (6, 7), (2, 2, 1): (-9, None)}
    batch = comparison_batch(readings(table))
    assert batch == {
        "kind": "comparison",
        "epochs": ["1", "2"],
        "pairs": [["Cs1", "H1"], ["H2", "H1"]],
        "x_fs": [["5", None], ["6", "-9"]],
        "u_fs": ["7", None],
    }
    assert len(readings_of(batch)) == 3


def test_an_empty_batch_is_one() -> None:
    assert len(readings_of(comparison_batch(readings({})))) == 0


GOOD: dict[str, Any] = {
    "kind": "comparison",
    "epochs": ["1", "2"],
    "pairs": [["A", "B"]],
    "x_fs": [["5"], [None]],
    "u_fs": [None],
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": ["1"]},
        {"epochs": ["1", "2", "3"]},
        {"epochs": ["1", "two"]},
        {"epochs": ["1", "9" * 19]},
        {"epochs": ["1", "1" * 30]},
        {"epochs": [1, 2]},
        {"epochs": None},
        {"pairs": [["A", "B"], ["A", "C"]]},
        {"pairs": [["A", "A"]]},
        {"pairs": [["A"]]},
        {"pairs": [["", "B"]]},
        {"pairs": [[1, 2]]},
        {"x_fs": [["5"], []]},
        {"x_fs": [["5"], ["5", "5"]]},
        {"x_fs": [["5.0"], [None]]},
        {"x_fs": [["5 "], [None]]},
        {"x_fs": [["5\n"], [None]]},
        {"x_fs": [[5], [None]]},
        {"x_fs": [["nan"], [None]]},
        {"x_fs": "5"},
        {"u_fs": []},
        {"u_fs": ["x"]},
    ],
)
def test_a_malformed_batch_is_refused_whole(wrong: dict[str, Any]) -> None:
    assert len(readings_of(GOOD)) == 1
    with pytest.raises(BatchError, match="malformed batch"):
        readings_of({**GOOD, **wrong})


@pytest.mark.parametrize("missing", ["kind", "epochs", "pairs", "x_fs", "u_fs"])
def test_a_column_that_is_missing_is_named(missing: str) -> None:
    with pytest.raises(BatchError, match=missing):
        parse_batch({name: value for name, value in GOOD.items() if name != missing})
