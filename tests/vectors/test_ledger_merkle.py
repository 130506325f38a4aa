"""The proof vectors of transparency-dev/merkle (Apache-2.0), good and bad, and the same algebra made here."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from timeball.ledger import merkle
from timeball.ledger.errors import ProofError

Shared = Callable[[str], Path]


def _hash(text: str | None) -> bytes:
    return base64.b64decode(text) if text else b""


def _inclusion(case: dict) -> None:
    proof = [_hash(item) for item in case["proof"] or []]
    merkle.verify_inclusion(_hash(case["leafHash"]), case["leafIdx"], case["treeSize"], proof, _hash(case["root"]))


def _consistency(case: dict) -> None:
    proof = [_hash(item) for item in case["proof"] or []]
    merkle.verify_consistency(case["size1"], case["size2"], proof, _hash(case["root1"]), _hash(case["root2"]))


def _subtree_inclusion(case: dict) -> None:
    proof = [_hash(item) for item in case["proof"] or []]
    merkle.verify_subtree_inclusion(
        _hash(case["leafHash"]), case["leafIdx"], case["start"], case["end"], proof, _hash(case["root"])
    )


def _subtree_consistency(case: dict) -> None:
    proof = [_hash(item) for item in case["proof"] or []]
    roots = _hash(case["root1"]), _hash(case["root2"])
    merkle.verify_subtree_consistency(case["start"], case["end"], case["size"], proof, *roots)


# folder, check, cases there are, of them good
VECTORS = [
    ("inclusion", _inclusion, 98, 6),
    ("consistency", _consistency, 98, 6),
    ("subtreeinclusion", _subtree_inclusion, 204, 12),
    ("subtreeconsistency", _subtree_consistency, 118, 12),
]


@pytest.mark.data
@pytest.mark.parametrize(("folder", "check", "cases", "good"), VECTORS, ids=[row[0] for row in VECTORS])
def test_vectors_good_and_bad(
    shared: Shared, folder: str, check: Callable[[dict], None], cases: int, good: int
) -> None:
    files = sorted(shared(f"ledger/merkle_vectors_apache2/testdata/{folder}").rglob("*.json"))
    passed = 0
    for file in files:
        case = json.loads(file.read_text())
        try:
            check(case)
        except ProofError:
            assert case["wantErr"], f"{file}: refused although good: {case['desc']}"
        else:
            assert not case["wantErr"], f"{file}: accepted although bad: {case['desc']}"
            passed += 1
    assert (len(files), passed) == (cases, good)
