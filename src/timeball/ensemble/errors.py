"""What can go wrong in an ensemble, as types."""

from __future__ import annotations


class EnsembleError(ValueError):
    """The ensemble cannot do what was asked: too few clocks, epochs out of order, parameters that contradict."""


class StateError(EnsembleError):
    """A payload is no AT1 state: a field is missing, of another version, or not a number."""


class ReplayMismatch(EnsembleError):
    """A recomputed scale step is not the recorded one: says epoch, clock, field and both values."""

    def __init__(self, epoch: str, clock: str, field: str, recorded: object, recomputed: object) -> None:
        self.epoch, self.clock, self.field = epoch, clock, field
        self.recorded, self.recomputed = recorded, recomputed
        where = f"epoch {epoch} ns of TAI" + (f", clock {clock}" if clock else "")
        super().__init__(f"{where}: {field} is recorded as {recorded!r} and recomputed as {recomputed!r}")
