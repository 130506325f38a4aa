"""A simulated laboratory: clocks, a comparator, a phase stepper with its output signal, a link to UTC.

Every reading is a function of seed, genesis, epoch and the stepper's record, whoever asks and in whatever batch; so any
process may have its own copy of the laboratory and they all see the same one. What endures is the stepper's record,
which the actuator keeps.

Sign convention: readings are x_a − x_b; phases of clocks and of the output are minus ideal TAI, s. The link to UTC is
ideal TAI with white noise: UTC here is a rate without leap seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from timeball.readings import Readings
from timeball.simulation.comparator import Comparator
from timeball.simulation.keyed import keyed_normals
from timeball.simulation.world import World
from timeball.steering.stepper import StepperCommand, commanded_phases

FS_PER_S = 1e15
FloatArray = NDArray[np.float64]
EpochArray = NDArray[np.int64]


class Laboratory:
    """A laboratory in a world.

    Parameters
    ----------
    world : World
        The clocks.
    reference : str
        The clock all others are compared with.
    comparator : Comparator
        What compares them.
    output, source : str
        Name of the output signal, and the clock that drives the phase stepper behind it.
    utc : str or None
        Name under which UTC is read, None if it is not.
    utc_noise_s, utc_every_s : float
        White noise of the link to UTC, s; it is read at epochs divisible by `utc_every_s`.
    host_noise_s : float
        White noise of a capture of the output's pulse by the host, s.

    Raises
    ------
    ValueError
        If reference or source is no clock of the world, or output or UTC is called like one.
    """

    def __init__(
        self,
        world: World,
        reference: str,
        comparator: Comparator,
        output: str = "OUT",
        source: str = "H1",
        utc: str | None = "UTC",
        utc_noise_s: float = 1e-9,
        utc_every_s: float = 3600.0,
        host_noise_s: float = 20e-9,
    ) -> None:
        for role, name in (("reference", reference), ("source", source)):
            if name not in world.clocks:
                raise ValueError(f"laboratory: the {role} {name!r} is no clock; there are {', '.join(world.names)}")
        for given in (output, utc):
            if given in world.clocks or output == utc:
                raise ValueError(f"laboratory: {given!r} is the name of two things")
        self.world = world
        self.reference = reference
        self.comparator = comparator
        self.output = output
        self.source = source
        self.utc = utc
        self.utc_noise_s = utc_noise_s
        self.utc_every_ns = round(utc_every_s * 1e9)
        self.host_noise_s = host_noise_s

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that readings name: clocks, output, UTC."""
        return (*self.world.names, self.output, *([self.utc] if self.utc else []))

    def output_phase(self, epochs: EpochArray, record: Sequence[StepperCommand]) -> FloatArray:
        """Phase of the output minus ideal TAI (s, float64[n]): the source, and what the stepper was commanded to."""
        return self.world.phases(self.source, epochs) + commanded_phases(record, epochs)

    def host_noise(self, epochs: EpochArray) -> FloatArray:
        """Error (s, float64[n]) of the host's captures of the output's pulses at these epochs."""
        return _whole_femtoseconds(self.host_noise_s * keyed_normals(self.world.seed, "host", epochs))

    def readings(self, epochs: EpochArray, record: Sequence[StepperCommand]) -> Readings:
        """Compare everything with the reference.

        Parameters
        ----------
        epochs : int64[n]
            TAI ns, increasing.
        record : sequence of StepperCommand
            The stepper's record so far.

        Returns
        -------
        Readings
            By epoch, then in the order of `names`; x in whole femtoseconds. The noise of an instant's reading is
            drawn from the instant, so two calls agree wherever they overlap.

        Raises
        ------
        BeforeGenesis
            If an epoch lies before genesis.
        """
        at = np.asarray(epochs, dtype=np.int64)
        x_reference = self.world.phases(self.reference, at)
        against = [name for name in self.names if name != self.reference]
        x = np.empty((at.size, len(against)))
        for column, name in enumerate(against):
            x[:, column] = self._read(name, at, record, x_reference)
        taken = np.ones(x.shape, dtype=bool)
        u = np.full(x.shape, self.comparator.u_s)
        if self.utc:
            taken[:, -1] = at % self.utc_every_ns == 0
            u[:, -1] = self.utc_noise_s
        index = np.array([self.names.index(name) for name in against], dtype=np.int32)
        return Readings.from_columns(
            self.names,
            np.broadcast_to(at[:, None], x.shape)[taken],
            np.broadcast_to(index, x.shape)[taken],
            np.full(np.count_nonzero(taken), self.names.index(self.reference), dtype=np.int32),
            _whole_femtoseconds(x[taken]),
            u[taken],
        )

    def _read(self, name: str, at: EpochArray, record: Sequence[StepperCommand], x_reference: FloatArray) -> FloatArray:
        normals = keyed_normals(self.world.seed, name, at)
        if name == self.utc:
            return self.utc_noise_s * normals - x_reference
        phase = self.output_phase(at, record) if name == self.output else self.world.phases(name, at)
        return self.comparator.display(phase - x_reference, normals)


def _whole_femtoseconds(x_s: FloatArray) -> FloatArray:
    return np.asarray(np.rint(x_s * FS_PER_S) / FS_PER_S, dtype=np.float64)
