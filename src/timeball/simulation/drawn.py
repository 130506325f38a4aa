"""Laboratories drawn from a seed, for studies: mixed clocks, each with its own coefficients, and the truth beside them.

Every clock is drawn from a kind (`models.MODELS`) and scattered about it: its noises log-normal, some of them absent,
its drift and offsets its own. Every channel of the comparator has its own white noise. Readings are missing, single
ones at random and whole days of some clocks. Unlike `laboratory`, all of it is made at once, on one grid.

Sign: phases are clock minus ideal TAI, s; readings are x_a − x_b. The truth is for studies alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from timeball.ensemble.noise import ClockNoise
from timeball.readings import PhaseTable, Readings
from timeball.simulation.defaults import CAESIUM_PHASE_S, LARGEST_RATE, OTHER_RATE
from timeball.simulation.events import ClockEvent, events_phase
from timeball.simulation.models import DAY_S, MODELS, ClockModel
from timeball.simulation.noise import noise_of

FloatArray = npt.NDArray[np.float64]
GENESIS_NS = 1_700_000_000 * 10**9
FS_PER_S = 1e15
# How often a kind stands in a laboratory, how wide its members scatter (σ of the logarithm), and how often a clock has
# no flicker floor or no random walk to speak of. Chosen to be like the list of clocks of a month in Circular T.
KINDS = {
    "5071A-high-performance": 0.40,
    "5071A": 0.15,
    "active-maser": 0.30,
    "passive-maser": 0.10,
    "rubidium": 0.05,
}
SCATTER = {"wfm": 0.3, "ffm": 0.4, "rwfm": 0.5}
ABSENT = {"ffm": 0.15, "rwfm": 0.15}
SMALLEST, LARGEST = 8, 40
LONGEST_OUTAGE_S = 10 * DAY_S


@dataclass(frozen=True, eq=False)
class DrawnLaboratory:
    """A laboratory with its truth; arrays are [m, n], m epochs of n clocks.

    truth: phase of each clock (s), noise of its reading apart. read: the same with the noise of its reading, never
    missing. present: whether it was read. noise, drift (1/s): what the clock was made with; `noise.wpm` holds clock
    and channel. reference: the clock that the others are read against while it is there itself.
    """

    seed: int
    step_s: float
    epochs: npt.NDArray[np.int64]
    clocks: tuple[str, ...]
    kinds: dict[str, str]
    noise: dict[str, ClockNoise]
    drift: dict[str, float]
    truth: FloatArray
    read: FloatArray
    present: npt.NDArray[np.bool_]
    reference: str

    def table(self) -> PhaseTable:
        """The readings as phases against the reference, in whole femtoseconds as a ledger keeps them."""
        seen = self.present.any(axis=1)
        present, read = self.present[seen], self.read[seen]
        hub = self._hubs(present)
        against = read - read[np.arange(len(read)), hub][:, None]
        x = np.where(present, np.rint(against * FS_PER_S) / FS_PER_S, np.nan)
        return PhaseTable(self.epochs[seen], self.clocks, x, hub, self.reference)

    def readings(self) -> Readings:
        """The readings: each clock against the reference, or against the first that is there."""
        table = self.table()
        rows, columns = np.nonzero(np.isfinite(table.x) & (np.arange(len(self.clocks)) != table.pivot[:, None]))
        sigma = np.array([self.noise[name].wpm for name in self.clocks]) / math.sqrt(3.0)
        u = np.hypot(sigma[columns], sigma[table.pivot[rows]])
        return Readings.from_columns(
            self.clocks, table.epochs[rows], columns, table.pivot[rows], table.x[rows, columns], u
        )

    def scale_error(
        self,
        x: FloatArray,
        clocks: Sequence[str],
        *,
        estimated: bool = False,
        weights: FloatArray | None = None,
    ) -> FloatArray:
        """A scale minus ideal TAI (s, [m]), from `clock minus scale` [m, n] at the epochs of `table()`.

        It is the mean over the clocks of what was read minus x: where the x are the readings themselves (AT1, ALGOS)
        every clock says the same. estimated: x are estimates of the clocks' own phases (Kalman), so truth minus x;
        they are as good as the clock is quiet, so the mean is taken with the scale's own `weights` [m, n] if given.
        """
        columns = [self.clocks.index(name) for name in clocks]
        phases = self.truth if estimated else self.read
        apart: FloatArray = phases[self.present.any(axis=1)][:, columns] - x
        if weights is None:
            plain: FloatArray = np.nanmean(apart, axis=1)
            return plain
        known = np.isfinite(apart)
        shares = np.where(known, np.maximum(weights, 1e-12), 0.0)
        error: FloatArray = (shares * np.where(known, apart, 0.0)).sum(axis=1) / shares.sum(axis=1)
        return error

    def _hubs(self, present: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
        reference = self.clocks.index(self.reference)
        return np.where(present[:, reference], reference, np.argmax(present, axis=1)).astype(np.int32)


def draw_laboratory(
    seed: int,
    clocks: int | None = None,
    *,
    days: float = 365.0,
    step_s: float = 3600.0,
    missing: float = 0.05,
    outages: float = 0.2,
    comparator_s: float = 3e-12,
    kinds: Mapping[str, float] | None = None,
    events: Mapping[str, Sequence[ClockEvent]] | None = None,
) -> DrawnLaboratory:
    """Draw a laboratory; every argument and the seed alone decide it.

    Parameters
    ----------
    clocks : int, optional
        How many; 8 to 40 by the seed when left out. They are called C01, C02, ...; a seed's clock with a name is not
        the same in a laboratory of another size.
    days, step_s : float
        Length of the record and interval of its readings.
    missing : float
        Share of single readings that are missing, at random.
    outages : float
        Share of clocks that are away once, for a tenth of the record or ten days at most.
    comparator_s : float
        Typical white noise of a channel (s, k = 1); each channel has its own.
    kinds : mapping, optional
        Shares of the kinds of `models.MODELS`.
    events : mapping, optional
        Events by clock name.
    """
    rng = np.random.default_rng([seed, 4])
    n = int(rng.integers(SMALLEST, LARGEST + 1)) if clocks is None else clocks
    m = round(days * DAY_S / step_s) + 1
    shares = KINDS if kinds is None else kinds
    names = tuple(f"C{number:02d}" for number in range(1, n + 1))
    weights = np.array(list(shares.values()))
    drawn = [list(shares)[k] for k in rng.choice(len(shares), size=n, p=weights / weights.sum())]
    models = [_scattered(MODELS[kind], rng) for kind in drawn]
    t_s = np.arange(m, dtype=np.float64) * step_s
    truth = np.empty((m, n))
    for column, (kind, model) in enumerate(zip(drawn, models, strict=True)):
        truth[:, column] = _course(kind, model, t_s, rng) + _noise(model, step_s, m, rng)
    epochs = GENESIS_NS + np.rint(t_s * 1e9).astype(np.int64)
    for name, happened in (events or {}).items():
        truth[:, names.index(name)] += events_phase(happened, epochs)
    noise = {name: _coefficients(model, comparator_s, rng) for name, model in zip(names, models, strict=True)}
    sigma_s = np.array([noise[name].wpm for name in names]) / math.sqrt(3.0)
    read = truth + sigma_s * rng.standard_normal((m, n))
    present = _present(m, n, missing, outages, min(LONGEST_OUTAGE_S / step_s, m / 10), rng)
    return DrawnLaboratory(
        seed=seed,
        step_s=step_s,
        epochs=epochs,
        clocks=names,
        kinds=dict(zip(names, drawn, strict=True)),
        noise=noise,
        drift={name: model.drift for name, model in zip(names, models, strict=True)},
        truth=truth,
        read=read,
        present=present,
        reference=names[int(rng.integers(n))],
    )


def _scattered(model: ClockModel, rng: np.random.Generator) -> ClockModel:
    """A clock of a kind: log-normal coefficients, some noises absent, drift up to twice the typical one."""
    levels = {}
    for name, width in SCATTER.items():
        level = getattr(model, name) * math.exp(width * rng.standard_normal())
        levels[name] = 0.0 if rng.random() < ABSENT.get(name, 0.0) else level
    drift = 2.0 * model.drift * float(rng.uniform(-1.0, 1.0))
    return ClockModel(model.name, wpm=model.wpm, drift=drift, **levels)


def _course(kind: str, model: ClockModel, t_s: FloatArray, rng: np.random.Generator) -> FloatArray:
    """What a clock does without noise: offset, rate and drift."""
    offset_s = CAESIUM_PHASE_S * float(rng.uniform(-1.0, 1.0))
    rate = LARGEST_RATE.get(kind, OTHER_RATE) * float(rng.uniform(-1.0, 1.0))
    return offset_s + rate * t_s + 0.5 * model.drift * t_s * t_s


def _noise(model: ClockModel, step_s: float, m: int, rng: np.random.Generator) -> FloatArray:
    """Noise of the clock itself (s, [m]); its white phase noise belongs to the reading."""
    kept = ClockModel(model.name, wfm=model.wfm, ffm=model.ffm, rwfm=model.rwfm)
    noise = noise_of(kept, step_s)
    phase, _ = noise.run(noise.start(rng), m, rng)
    return phase


def _coefficients(model: ClockModel, comparator_s: float, rng: np.random.Generator) -> ClockNoise:
    """The five coefficients of a clock as it is read: its own and, in white phase noise, those of its channel."""
    channel_s = comparator_s * math.exp(SCATTER["wfm"] * rng.standard_normal())
    return ClockNoise(
        wpm=math.sqrt(model.wpm**2 + 3.0 * channel_s**2),
        wfm=model.wfm,
        ffm=model.ffm,
        rwfm=model.rwfm,
        drifts=model.drift != 0.0,
    )


def _present(
    m: int, n: int, missing: float, outages: float, longest: float, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Which clock was read when: single readings missing, and one outage of some clocks."""
    present = rng.random((m, n)) >= missing
    for column in range(n):
        away, length, start = rng.random(), rng.uniform(0.0, longest), rng.uniform(0.0, m)
        if away < outages:
            present[int(start) : int(start + length), column] = False
    return present
