"""SHA-256 of libcrypto in compiled loops: the answers of hashlib, whichever of the two is used, and bounds kept."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from timeball.ledger import kernels, libcrypto
from timeball.ledger.merkle import hash_children, hash_leaf

SEED = 20261122
Hash = Callable[..., None]


def messages() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every length from 0 to 300, so that each number of blocks and each padding occurs."""
    print("seed", SEED)
    lengths = np.arange(301, dtype=np.int64)
    data = np.frombuffer(random.Random(SEED).randbytes(int(lengths.sum())), np.uint8)
    return data, np.cumsum(lengths) - lengths, lengths


@pytest.mark.parametrize(
    ("loop", "expected"),
    [
        (kernels.hash_leaves, hash_leaf),
        (kernels._plain_leaves, hash_leaf),
        (kernels.hash_frames, lambda data: hashlib.sha256(data).digest()),
        (kernels._plain_frames, lambda data: hashlib.sha256(data).digest()),
    ],
)
def test_messages_of_all_lengths(loop: Hash, expected: Callable[[bytes], bytes]) -> None:
    data, starts, lengths = messages()
    out = np.zeros((lengths.size, 32), np.uint8)
    loop(data, starts, lengths, out)
    for start, length, digest in zip(starts, lengths, out, strict=True):
        assert digest.tobytes() == expected(data.tobytes()[start : start + length])


@pytest.mark.parametrize("loop", [kernels.fold_pairs, kernels._plain_pairs])
def test_parents(loop: Hash) -> None:
    row = np.frombuffer(random.Random(SEED).randbytes(32 * 101), np.uint8).reshape(-1, 32).copy()
    expected = [hash_children(row[i].tobytes(), row[i + 1].tobytes()) for i in range(0, 100, 2)]
    out = np.zeros((50, 32), np.uint8)
    loop(row, out)
    assert [each.tobytes() for each in out] == expected
    loop(row, row)  # in place
    assert [each.tobytes() for each in row[:50]] == expected


@pytest.mark.parametrize("loop", [kernels.hash_leaves, kernels._plain_leaves, kernels.hash_frames])
@pytest.mark.parametrize(("start", "length"), [(-1, 2), (0, 9), (8, 1), (3, -1)])
def test_nothing_outside_the_data_is_read(loop: Hash, start: int, length: int) -> None:
    out = np.zeros((1, 32), np.uint8)
    with pytest.raises(IndexError):
        loop(np.zeros(8, np.uint8), np.array([start]), np.array([length]), out)


def test_no_room_for_the_answer() -> None:
    for fold in (kernels.fold_pairs, kernels._plain_pairs):
        with pytest.raises(IndexError):
            fold(np.zeros((4, 32), np.uint8), np.zeros((1, 32), np.uint8))


def test_a_machine_without_libcrypto() -> None:
    assert not libcrypto.find_sha256(("libcrypto-of-nowhere.so.9",))


def test_compiled_here_and_not_where_the_jit_is_off() -> None:
    """The control that the tests above tried both; the tests' machine has libcrypto."""
    program = "from timeball.ledger import kernels; print(kernels.COMPILED)"
    for setting, expected in (("0", "True"), ("1", "False")):
        environment = {**os.environ, "NUMBA_DISABLE_JIT": setting}
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
        assert done.stdout.strip() == expected, done.stderr
