"""The compiled filter against the same in 80-bit numbers, written from the equations: `bench/kalman_reference.py`."""

from __future__ import annotations

import pytest
from bench.kalman import precision


@pytest.mark.parametrize(("clocks", "epochs", "noise_s"), [(5, 200, 10e-12), (5, 200, 1e-12), (27, 65, 1e-12)])
def test_differences_and_their_covariance(clocks: int, epochs: int, noise_s: float) -> None:
    """With few clocks and with many the corrections go different ways."""
    of_covariance, of_estimate_s = precision(clocks, epochs, noise_s)
    assert of_covariance < 1e-8
    assert of_estimate_s < 1e-18
