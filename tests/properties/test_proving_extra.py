"""Any bytes as a proof of served time or as a time-stamp response: typed errors only, and nothing forged passes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proofs import LEAPS, build_life, utc

from timeball.ledger import canonical
from timeball.ledger.errors import LedgerError
from timeball.ledger.proof import TlogProof, parse_tlog_proof
from timeball.station.proving.der import DERError, parse_response
from timeball.station.proving.errors import StatementError
from timeball.station.proving.extra import parse_extra, write_extra
from timeball.station.proving.making import make_proof
from timeball.station.proving.pages import between, read_served
from timeball.station.proving.source import FolderSource
from timeball.station.proving.verifying import verify_proof

LEAVES = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8) | st.just("nan")
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner)
)


@pytest.fixture(scope="module")
def genuine(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    state = build_life(tmp_path_factory.mktemp("life"))
    return make_proof(FolderSource(Path(state)), utc(30.0), LEAPS).data


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(place for key, one in inner for place in paths(one, (*here, key)))]


def test_extra_data_reads_back_to_its_own_bytes(genuine: bytes) -> None:
    data = parse_tlog_proof(genuine).extra
    assert data is not None
    assert write_extra(parse_extra(data)) == data


@settings(max_examples=80)
@given(st.data())
def test_any_value_at_any_place_is_refused_with_a_typed_error(genuine: bytes, data: st.DataObject) -> None:
    proof = parse_tlog_proof(genuine)
    extra = canonical.decode(proof.extra or b"")
    *way, last = data.draw(st.sampled_from(paths(extra)[1:]))
    inner = extra
    for key in way:
        inner = inner[key]
    value = data.draw(VALUES)
    same = inner[last] == value and type(inner[last]) is type(value)
    inner[last] = value
    forged = TlogProof(proof.index, proof.path, proof.checkpoint, canonical.encode(extra)).encode()
    if same:
        return
    with pytest.raises(LedgerError):
        verify_proof(forged)


@given(st.binary(max_size=400))
def test_any_bytes_as_extra_data(data: bytes) -> None:
    with pytest.raises(StatementError):
        parse_extra(data)


@given(st.binary(max_size=400))
def test_any_bytes_as_a_time_stamp_response(data: bytes) -> None:
    with pytest.raises(DERError):
        parse_response(data)


FLOATS = st.floats(allow_nan=True, allow_infinity=True).map(repr)
SMALL = st.floats(-1e-3, 1e-3).map(repr)


@given(
    st.fixed_dictionaries(
        {
            "boot_id": st.just("b"),
            "raw_ns": st.integers(0, 2**62).map(str),
            "tai_ns": st.integers(0, 2**62).map(str),
            "tai_frac_fs": st.integers(0, 999_999),
            "rate": SMALL,
            "bound_s": FLOATS,
            "bound_growth": FLOATS,
            "tai_minus_utc_s": st.just(37),
            "utck_minus_utc_s": FLOATS,
            "u_s": FLOATS,
            "residual_s": FLOATS,
            "against": st.just(""),
        }
    ),
    st.integers(0, 60 * 10**9),
)
def test_figures_of_any_statement_are_numbers_or_unknown(payload: dict[str, Any], after_ns: int) -> None:
    said = read_served(payload, "served")
    served = between(said, said, said.tai_ns + after_ns)
    assert not math.isnan(served.bound_s), "a bound that is unknown is infinite"
    for figure in (served.utc_minus_served_s, served.u_s):
        assert not math.isinf(figure)
    assert abs(served.differ_s) < 1e-6, "a page differs from itself by its rounding alone"
