"""A world of simulated clocks: each clock's phase against ideal TAI, a function of seed, genesis, step, name and epoch.

Whatever the order of the questions, in whichever process, before or after a restart: the same answer. Noise is drawn
in blocks of 1440 steps, each from its own random stream (Philox, keyed by seed and clock name, counted by block), and
the state at the end of a block is carried into the next. Another clock in the world, or another name for it, changes
nothing in this one.

Sign convention: x is clock minus ideal TAI, s. Nobody in the station may see it; the comparator's readings are what
they see. Only numpy's own stream of normals ties the numbers to a version of numpy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from timeball.simulation.events import NS_PER_S, ClockEvent, events_phase
from timeball.simulation.models import ClockModel
from timeball.simulation.noise import noise_of

BLOCK_STEPS = 1440
_BEFORE_ALL_BLOCKS = 0


class BeforeGenesis(ValueError):
    """An epoch was asked for at which the world did not exist yet."""


class SimulatedClock(msgspec.Struct, frozen=True):
    """One clock of a world.

    Attributes
    ----------
    name : str
        Its name; also the key of its noise.
    model : ClockModel
        Its noises, and its drift unless `drift` is given.
    phase_offset_s, rate_offset : float
        Phase (s) and rate against ideal TAI at genesis, on top of the noise.
    drift : float or None
        Drift in 1/s in place of the model's.
    events : tuple of ClockEvent
        Steps that happen to it.
    """

    name: str
    model: ClockModel
    phase_offset_s: float = 0.0
    rate_offset: float = 0.0
    drift: float | None = None
    events: tuple[ClockEvent, ...] = ()


class World:
    """Clocks that run against ideal TAI.

    Parameters
    ----------
    seed : int
        Seed of all noise.
    genesis_ns : int
        TAI ns at which the world begins.
    step_s : float
        Grid of the noise, s; between grid points it is interpolated linearly.
    clocks : iterable of SimulatedClock
        The clocks; ValueError if two have one name.
    """

    def __init__(self, seed: int, genesis_ns: int, step_s: float, clocks: Iterable[SimulatedClock]) -> None:
        self.seed = seed
        self.genesis_ns = genesis_ns
        self.step_s = step_s
        self.clocks: dict[str, SimulatedClock] = {}
        for clock in clocks:
            if clock.name in self.clocks:
                raise ValueError(f"world: two clocks are called {clock.name!r}")
            self.clocks[clock.name] = clock
        self._noise = {name: _ClockNoise(seed, clock, step_s) for name, clock in self.clocks.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the clocks, in the order given."""
        return tuple(self.clocks)

    def phases(self, name: str, epochs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Phase of a clock minus ideal TAI.

        Parameters
        ----------
        name : str
            Name of a clock of this world (KeyError otherwise).
        epochs : int64[n]
            TAI ns, in any order.

        Returns
        -------
        float64[n]
            Seconds.

        Raises
        ------
        BeforeGenesis
            If an epoch lies before genesis.
        """
        clock = self.clocks[name]
        at = np.asarray(epochs, dtype=np.int64)
        since_ns = at - np.int64(self.genesis_ns)
        if at.size and since_ns.min() < 0:
            raise BeforeGenesis(f"world: epoch {at.min()} lies before genesis at {self.genesis_ns} (TAI ns)")
        t_s = since_ns / NS_PER_S
        drift = clock.model.drift if clock.drift is None else clock.drift
        course = clock.phase_offset_s + clock.rate_offset * t_s + 0.5 * drift * t_s * t_s
        return np.asarray(course + events_phase(clock.events, at) + self._noise[name].at(t_s), dtype=np.float64)


class _ClockNoise:
    """Noise of one clock on the grid, made as far as it has been asked for and kept."""

    def __init__(self, seed: int, clock: SimulatedClock, step_s: float) -> None:
        self._key = int.from_bytes(hashlib.sha256(f"timeball clock\n{seed}\n{clock.name}".encode()).digest()[:16])
        self._noise = noise_of(clock.model, step_s)
        # phases so far, blocks in them, state after them: one object, so that two readers at once never see half of it
        self._made = (np.empty(0), 0, self._noise.start(self._stream(_BEFORE_ALL_BLOCKS)))

    def at(self, t_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Noise (s) at times since genesis (s)."""
        if not t_s.size:
            return np.empty(t_s.shape)
        place = t_s / self._noise.step_s
        before = np.floor(place).astype(np.int64)
        phase = self._reach(int(before.max()) + 2)
        part = place - before
        return np.asarray((1.0 - part) * phase[before] + part * phase[before + 1], dtype=np.float64)

    def _reach(self, points: int) -> NDArray[np.float64]:
        """The noise (s) on the grid, of at least so many points; whoever makes it makes the same."""
        whole, blocks, state = self._made
        made = [whole]
        while blocks * BLOCK_STEPS < points:
            blocks += 1
            phase, state = self._noise.run(state, BLOCK_STEPS, self._stream(blocks))
            made.append(phase)
        if len(made) > 1:
            whole = np.concatenate(made)
            self._made = (whole, blocks, state)
        return whole

    def _stream(self, block: int) -> np.random.Generator:
        # The block stands in the topmost word of Philox's 256-bit counter: 2^192 draws lie between two blocks.
        return np.random.Generator(np.random.Philox(key=self._key, counter=block << 192))
