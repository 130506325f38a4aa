"""The compiled filter against the same in 80-bit numbers, written from the equations: `bench/kalman_reference.py`."""

from __future__ import annotations

import pytest
from bench.kalman import precision


@pytest.mark.parametrize("noise_s", [10e-12, 1e-12])
def test_differences_and_their_covariance(noise_s: float) -> None:
    of_covariance, of_estimate_s = precision(clocks=5, epochs=300, noise_s=noise_s)
    assert of_covariance < 1e-8
    assert of_estimate_s < 1e-18
