"""The laboratory that runs when nobody has clocks: five caesium clocks and three active masers, and how they are set.

Sign convention: offsets are clock minus ideal TAI at genesis. Offsets are drawn from seed and name, so a laboratory
with other clocks, or other kinds, keeps those that it has.
"""

from __future__ import annotations

import numpy as np

from timeball.simulation.comparator import Comparator
from timeball.simulation.keyed import keyed_normals
from timeball.simulation.laboratory import Laboratory
from timeball.simulation.models import MODELS
from timeball.simulation.world import SimulatedClock, World

DEFAULT_CLOCKS: tuple[tuple[str, str], ...] = (
    ("Cs1", "5071A-high-performance"),
    ("Cs2", "5071A-high-performance"),
    ("Cs3", "5071A-high-performance"),
    ("Cs4", "5071A"),
    ("Cs5", "5071A"),
    ("H1", "active-maser"),
    ("H2", "active-maser"),
    ("H3", "active-maser"),
)
# Greatest rate offset by kind; other kinds get that of a rubidium clock. Active masers are set on time and on rate (by
# their synthesiser) when they are put up.
LARGEST_RATE = {"5071A": 1e-13, "5071A-high-performance": 1e-13, "active-maser": 5e-15, "passive-maser": 1e-13}
OTHER_RATE = 1e-11
CAESIUM_PHASE_S = 100e-9
# Comparator noise of a good multi-channel phase comparator, a few picoseconds; typical, no data sheet.
COMPARATOR = Comparator(noise_s=3e-12)


def placed_clock(name: str, kind: str, seed: int) -> SimulatedClock:
    """Give a clock of a kind (KeyError if there is no such model) the offsets that its name draws from the seed."""
    model = MODELS[kind]
    rate, phase, drift = (_draw(seed, name, what) for what in ("rate", "phase", "drift"))
    return SimulatedClock(
        name,
        model,
        phase_offset_s=CAESIUM_PHASE_S * phase if kind.startswith("5071A") else 0.0,
        rate_offset=LARGEST_RATE.get(kind, OTHER_RATE) * rate,
        # Up to twice the typical drift, either way.
        drift=2.0 * model.drift * drift,
    )


def default_laboratory(seed: int, genesis_ns: int, step_s: float = 60.0) -> Laboratory:
    """Set up the default laboratory in a new world: reference H2, output OUT from source H1, UTC once an hour."""
    world = World(seed, genesis_ns, step_s, [placed_clock(name, kind, seed) for name, kind in DEFAULT_CLOCKS])
    return Laboratory(world, "H2", COMPARATOR, source="H1")


def _draw(seed: int, name: str, what: str) -> float:
    """A number in [−1, 1] from seed and name: near-normal with σ = ½, kept in bounds."""
    drawn = float(keyed_normals(seed, f"{what} of {name}", np.zeros(1, dtype=np.int64))[0])
    return max(-1.0, min(1.0, drawn / 2.0))
