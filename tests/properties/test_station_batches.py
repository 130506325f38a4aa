"""Readings into a batch and back: exact to the femtosecond, nothing invented, and malformed batches refused whole."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeball.ledger import canonical
from timeball.ledger.batch import CONTEXT, read_signed, sign_batch
from timeball.ledger.errors import BatchError, CanonicalError
from timeball.ledger.note import make_signer
from timeball.readings import Readings, phase_table
from timeball.station.fold.batches import comparison_batch, parse_batch, read_plain
from timeball.station.fold.tables import readings_of, table_of
from timeball.station.fold.timekeeping import COLLECTOR, Timekeeping
from timeball.station.instruments.base import Sample
from timeball.station.instruments.collecting import batch_of

NAMES = ("Cs1", "H1", "H2", "OUT", "UTC")
# below 4 s the rounding of seconds (2.2e-16) and of femtoseconds (0.25) together stay under half a femtosecond
EXACT_FS = 4 * 10**15 - 1
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
        assert u_fs == (None if None in said else str(max(u for u in said if u is not None))), "the greatest, if known"


@given(tables)
def test_the_collector_and_the_history_shape_the_same_batch(
    table: dict[tuple[int, int, int], tuple[int, int | None]],
) -> None:
    samples = [Sample(epoch, NAMES[a], NAMES[b], x, u) for (epoch, a, b), (x, u) in table.items()]
    assert batch_of(samples, "comparison") == comparison_batch(readings(table))


@given(tables, st.booleans())
def test_a_table_is_the_same_by_either_way(
    table: dict[tuple[int, int, int], tuple[int, int | None]], star: bool
) -> None:
    if star:
        table = {(epoch, a, 0): value for (epoch, a, _), value in table.items() if a != 0}
    batch = comparison_batch(readings(table))
    ours, whole = table_of(batch), phase_table(readings_of(batch))
    assert (ours.clocks, ours.reference) == (whole.clocks, whole.reference)
    for mine, theirs in ((ours.epochs, whole.epochs), (ours.x, whole.x), (ours.pivot, whole.pivot)):
        assert mine.dtype == theirs.dtype
        assert mine.shape == theirs.shape
        assert mine.tobytes() == theirs.tobytes()


@given(tables)
def test_plain_bytes_are_read_as_the_batch_they_are(table: dict[tuple[int, int, int], tuple[int, int | None]]) -> None:
    batch = comparison_batch(readings(table))
    data = canonical.encode(batch)
    assert read_plain(data) == parse_batch(batch)
    assert read_plain(data.replace(b'"kind"', b' "kind"')) is None, "blank space"
    assert read_plain(canonical.encode({**batch, "more": 1})) is None, "a member that nobody knows"
    assert read_plain(canonical.encode({**batch, "u_fs": ["1.5"]})) is None
    assert read_plain(data[:-1]) is None


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


KEY, OTHER = make_signer("timeball.test/collector", bytes(range(32))), make_signer("timeball.test/other", bytes(32))
at_places = st.tuples(st.integers(0, 10**6), st.integers(1, 255))


@settings(max_examples=40)
@given(tables, at_places)
def test_signed_bytes_are_believed_as_signed_objects_are(
    table: dict[tuple[int, int, int], tuple[int, int | None]], at: tuple[int, int]
) -> None:
    """The short way believes what `verify_batch` believes and nothing else, wherever a byte is changed."""
    batch = comparison_batch(readings(table))
    payload = canonical.encode(sign_batch(batch, KEY))
    assert read_signed(payload, KEY.verifier) == canonical.encode(batch)
    assert read_signed(payload, OTHER.verifier) is None
    place = at[0] % len(payload)
    changed = payload[:place] + bytes([payload[place] ^ at[1]]) + payload[place + 1 :]
    assert read_signed(changed, KEY.verifier) is None
    assert read_signed(payload + b" ", KEY.verifier) is None
    assert read_signed(payload[:-1], KEY.verifier) is None


@given(st.binary(max_size=200) | st.just(b"null"))
def test_bytes_that_are_no_batch_are_none(data: bytes) -> None:
    assert read_signed(data, KEY.verifier) is None
    assert read_plain(data) is None


def keeper() -> Timekeeping:
    found = Timekeeping()
    found.take(0, COLLECTOR, "key", {"name": COLLECTOR, "vkey": KEY.verifier.vkey})
    return found


def test_what_is_signed_and_not_canonical_is_refused() -> None:
    loose = canonical.encode(GOOD).replace(b'"epochs"', b' "epochs"')
    signature = base64.b64encode(KEY.sign(CONTEXT + loose)).decode()
    payload = b'{"batch":%b,"key":"%b","signature":"%b"}' % (loose, KEY.verifier.vkey.encode(), signature.encode())
    assert read_signed(payload, KEY.verifier) == loose, "signed it is"
    with pytest.raises(CanonicalError):
        keeper().verified_bytes(payload)


def test_a_batch_of_another_form_is_read_the_long_way() -> None:
    more = {**GOOD, "station": "TB"}
    assert keeper().verified_bytes(canonical.encode(sign_batch(more, KEY))) == more
    assert keeper().verified_bytes(canonical.encode(sign_batch(GOOD, KEY))) == parse_batch(GOOD)
    with pytest.raises(BatchError, match="claims key"):
        keeper().verified_bytes(canonical.encode(sign_batch(GOOD, OTHER)))
