"""Against ntpstats, another program's deviations: records of three noises, whole and with gaps, and their freedom."""

from __future__ import annotations

import numpy as np
import pytest
from ntpstats import edf as their_edf
from ntpstats import stability as theirs

from timeball.stability import DEVIATIONS, intervals

TAU0_S = 10.0
POINTS = 257
# Our name, theirs. MTOT, HTOT and their like have other names there, and its Hadamard deviation overlaps.
SAME = {name: name for name in ("adev", "oadev", "mdev", "tdev", "totdev", "theo1", "theobr", "mtie", "tierms")}
SAME |= {"ohdev": "hdev", "mtotdev": "mtot", "ttotdev": "ttot", "htotdev": "htot"}
WITH_GAPS = ("oadev", "mdev", "tdev", "ohdev")


def record(noise: str, seed: int) -> np.ndarray:
    """Phase (s) of white PM, white FM or random walk FM."""
    x = np.random.default_rng(seed).normal(size=POINTS) * 1e-9
    for _ in range({"wpm": 0, "wfm": 1, "rwfm": 2}[noise]):
        x = np.cumsum(x)
    return x


@pytest.mark.parametrize("noise", ["wpm", "wfm", "rwfm"])
@pytest.mark.parametrize("key", list(SAME))
def test_a_whole_record(key: str, noise: str) -> None:
    x = record(noise, 5)
    compare(key, x)


@pytest.mark.parametrize("key", WITH_GAPS)
def test_a_record_with_gaps(key: str) -> None:
    x = record("wfm", 6)
    x[np.random.default_rng(7).random(POINTS) < 0.1] = np.nan
    compare(key, x)


def compare(key: str, x: np.ndarray) -> None:
    peer = theirs.compute(x, TAU0_S, SAME[key], ci=None, max_work=0, bias_correction=False)
    m = np.rint(np.asarray(peer.taus) / TAU0_S / DEVIATIONS[key].tau_ratio).astype(int)
    both = m >= (10 if key.startswith("theo") else 1)  # Theo1 of fewer is not defined here
    assert both.sum() > 3
    found = DEVIATIONS[key].function(x, TAU0_S, m[both].tolist())
    np.testing.assert_allclose(found.sigma, np.asarray(peer.dev)[both], rtol=1e-9)


@pytest.mark.parametrize("alpha", [2, 0, -2])
@pytest.mark.parametrize("key", ["oadev", "mdev", "ohdev"])
def test_degrees_of_freedom(key: str, alpha: int) -> None:
    """White PM needs no model of how phase is sampled; of the others ntpstats has another, which is alike at long τ."""
    x = record("wfm", 8)
    found = DEVIATIONS[key].function(x, TAU0_S, [1, 2, 4, 8, 16] if alpha == 2 else [16, 24, 32])
    limits = intervals(key, found, x, TAU0_S, alpha=alpha)
    peer = [their_edf.edf(SAME[key], alpha, m, n) for m, n in zip(found.m.tolist(), found.n.tolist(), strict=True)]
    np.testing.assert_allclose(limits.edf, peer, rtol=1e-9 if alpha == 2 else 0.06)
