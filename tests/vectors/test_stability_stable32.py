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
PLAIN = (*FOUR, "hdev", "ohdev", "totdev")
CASES = [
    *((CS, f"Cs5071A/{name}_{spacing}.txt", name, 1.0) for name in (*PLAIN, "tierms") for spacing in ("decade", "all")),
    *((CS, f"Cs5071A/mtie_{spacing}.txt", "mtie", 1.0) for spacing in ("decade", "all", "fast")),
    (GPS, "gps/stable32_ADEV_decade.txt", "adev", 1.0),
    *((GPS, f"gps/stable32_{name.upper()}_octave.txt", name, 1.0) for name in PLAIN[1:]),
    *((PINK, f"pink_frequency/{name}.txt", name, 42.0) for name in PLAIN[:-1]),
    (PINK, "pink_frequency/totdev_alpha0.txt", "totdev", 42.0),
    (PINK, "pink_frequency/s32_oadev_octave.txt", "oadev", 1.0),
    *((OCXO, f"ocxo/stable32_{name}_alltau.txt", name, 1.0) for name in PLAIN),
    *((TIC, f"Keysight53230A_ti_noise_floor/tic_{name}.txt", name, 1.0) for name in (*PLAIN, "tierms")),
    *((DEMO, f"phasedat/phase_dat_{name}{spacing}.txt", name, 1.0) for name in PLAIN for spacing in ("", "_octave")),
    *((DEMO, f"phasedat/phase_dat_{name}.txt", name, 1.0) for name in ("tierms", "mtie", "mtotdev")),
    *(
        (DEMO, f"phasedat/phase_dat_{name}.txt", name.split("_")[0], 1.0)
        for name in (
            "mtotdev_decade",
            "mtotdev_octave",
            "mtotdev_octave_alpha0",
            "ttotdev_all",
            "ttotdev_decade",
            "ttotdev_octave",
            "htotdev_octave",
            "htotdev_octave_nobias",
            "theo1_alpha0",
            "theo1_alpha0_decade",
        )
    ),
    # with its noise left to be found, Stable32 gave Thêo1 with the bias removed by the record itself
    (DEMO, "phasedat/phase_dat_theo1.txt", "theobr", 1.0),
]
# Of the long record every so manieth answer of the long tables: all of them agree, but the time is better used.
THINNED = 9
# Some of the total deviations were printed with their bias for this noise (alpha) removed, some as they are.
BIAS = {
    "phase_dat_mtotdev.txt": {0: 0.73, 1: 0.83},
    "phase_dat_ttotdev_all.txt": {0: 0.73, 1: 0.83},
    "phase_dat_htotdev_octave.txt": {0: 0.995},
}


@cache
def record(path: Path) -> np.ndarray:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    values = np.loadtxt(text.decode().splitlines())
    # the OCXO's file holds hertz; Stable32's answers are for the frequency relative to its mean
    return values / values.mean() - 1 if path.name == "ocxo_frequency.txt" else values


def answers(path: Path) -> list[tuple[int, float, float, float]]:
    """Stable32's columns AF, Tau, #, Alpha, Min, Sigma, Max (AF, Tau, #, Sigma for time errors) as (m, n, sigma, bias).

    Lines that start with # are comments, or answers that somebody put aside because they were long in the making.
    """
    found = []
    for line in path.read_text(encoding="latin-1").splitlines():
        row = line.lstrip("#").split()
        try:
            numbers = [float(field) for field in row]
        except ValueError:
            continue
        if len(row) == 4:
            found.append((int(row[0]), numbers[2], numbers[3], 1.0))
        elif len(row) == 7:
            # HTOTDEV at m = 1 is the Hadamard deviation, which has no bias
            biased = BIAS.get(path.name, {}) if (row[0], "htot" in path.name) != ("1", True) else {}
            found.append((int(row[0]), numbers[2], numbers[5], biased.get(int(row[3]), 1.0)))
    return found


@pytest.mark.data
@pytest.mark.parametrize(("data", "printed", "name", "tau0_s"), CASES, ids=[case[1] for case in CASES])
def test_stable32_to_the_printed_digits(data: str, printed: str, name: str, tau0_s: float, shared: Shared) -> None:
    values = record(shared(f"{FOLDER}/{data}"))
    expected = answers(shared(f"{FOLDER}/{printed}"))
    assert len(expected) >= 7
    if data == CS and len(expected) > 100:
        expected = expected[::THINNED]
    kind = "frequency" if "frequency" in data else "phase"
    found = getattr(stability, name)(values, tau0_s, [m for m, *_ in expected], kind=kind)
    if printed != "Cs5071A/mtie_decade.txt":  # there every point is said to start a window, the last ones too
        np.testing.assert_allclose(found.n, [n for _, n, *_ in expected], rtol=5e-5 if name.startswith("theo") else 0)
    for (m, _, sigma, bias), raw in zip(expected, found.sigma, strict=True):
        ours = raw / np.sqrt(bias)
        # five digits are printed; half a unit of the last one, and a hair for those on the half
        half = 0.51 * 10 ** (np.floor(np.log10(sigma)) - 4)
        assert abs(ours - sigma) <= half, f"m={m}: {ours:.8e}, Stable32 {sigma:.4e}"
