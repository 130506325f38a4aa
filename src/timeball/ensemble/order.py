"""Epochs go forward: what every algorithm asks of a table before it takes it in."""

from __future__ import annotations

import numpy as np

from timeball.ensemble.errors import EnsembleError
from timeball.readings import PhaseTable


def check_order(epoch: int | None, table: PhaseTable) -> None:
    """Raise ``EnsembleError`` unless the epochs rise and come after `epoch`, and no clock stands there twice."""
    epochs = table.epochs
    if len(epochs) and epoch is not None and int(epochs[0]) <= epoch:
        raise EnsembleError(f"epoch {int(epochs[0])} ns of TAI is not after {epoch}, which is done already")
    late = np.flatnonzero(np.diff(epochs) <= 0)
    if late.size:
        raise EnsembleError(
            f"epoch {int(epochs[late[0] + 1])} ns of TAI stands after {int(epochs[late[0]])} in the table"
        )
    if len(set(table.clocks)) != len(table.clocks):
        raise EnsembleError("a clock has two columns in the table")
