"""Real records of a 5071A, a GPS receiver, an OCXO and a counter, with the answers that Stable32 printed for them.

Left out: the four `ocxo/*_octave.txt` files. Stable32 made them from y + 1 ("Average = 1.000000e+00") and lost digits
doing so: they disagree with its own `ocxo/stable32_*_alltau.txt` from the fourth digit on.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from timeball import stability

FOLDER = "allantools-tests/tests"
Shared = Callable[[str], Path]

CS, GPS, PINK, OCXO, TIC, DEMO = (
    "Cs5071A/5071A_phase.txt.gz",
    "gps/gps_1pps_phase_data.txt.gz",
    "pink_frequency/pink_frequency.txt",
    "ocxo/ocxo_frequency.txt",
    "Keysight53230A_ti_noise_floor/tic_phase.txt",
    "phasedat/PHASE.DAT",
)
FOUR = ("adev", "oadev", "mdev", "tdev")
CASES = [
    *((CS, f"Cs5071A/{name}_{spacing}.txt", name, 1.0) for name in FOUR for spacing in ("decade", "all")),
    (GPS, "gps/stable32_ADEV_decade.txt", "adev", 1.0),
    *((GPS, f"gps/stable32_{name.upper()}_octave.txt", name, 1.0) for name in FOUR[1:]),
    *((PINK, f"pink_frequency/{name}.txt", name, 42.0) for name in FOUR),
    (PINK, "pink_frequency/s32_oadev_octave.txt", "oadev", 1.0),
    *((OCXO, f"ocxo/stable32_{name}_alltau.txt", name, 1.0) for name in FOUR),
    *((TIC, f"Keysight53230A_ti_noise_floor/tic_{name}.txt", name, 1.0) for name in FOUR),
    *((DEMO, f"phasedat/phase_dat_{name}{spacing}.txt", name, 1.0) for name in FOUR for spacing in ("", "_octave")),
]


@cache
def record(path: Path) -> np.ndarray:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    values = np.loadtxt(text.decode().splitlines())
    # the OCXO's file holds hertz; Stable32's answers are for the frequency relative to its mean
    return values / values.mean() - 1 if path.name == "ocxo_frequency.txt" else values


def answers(path: Path) -> list[tuple[int, int, float]]:
    """Stable32's columns AF, Tau, #, Alpha, Min, Sigma, Max as (m, n, sigma)."""
    rows = [line.split() for line in path.read_text(encoding="latin-1").splitlines() if line and line[0] != "#"]
    return [(int(row[0]), int(row[2]), float(row[5])) for row in rows if row]


@pytest.mark.data
@pytest.mark.parametrize(("data", "printed", "name", "tau0_s"), CASES, ids=[case[1] for case in CASES])
def test_stable32_to_the_printed_digits(data: str, printed: str, name: str, tau0_s: float, shared: Shared) -> None:
    values = record(shared(f"{FOLDER}/{data}"))
    expected = answers(shared(f"{FOLDER}/{printed}"))
    assert len(expected) >= 8
    kind = "frequency" if "frequency" in data else "phase"
    found = getattr(stability, name)(values, tau0_s, [m for m, _, _ in expected], kind=kind)
    assert found.n.tolist() == [n for _, n, _ in expected]
    for (m, _, sigma), ours in zip(expected, found.sigma, strict=True):
        # five digits are printed; half a unit of the last one, and a hair for those on the half
        half = 0.51 * 10 ** (np.floor(np.log10(sigma)) - 4)
        assert abs(ours - sigma) <= half, f"m={m}: {ours:.8e}, Stable32 {sigma:.4e}"
