"""Readings of years in which nobody read a clock: refused with one sentence, and nothing moves."""

from __future__ import annotations

import pytest

from timeball.ledger.errors import BatchError
from timeball.station.configuration.settings import Config, Ensemble
from timeball.station.fold.batches import COMPARISON
from timeball.station.fold.rules import config_payload
from timeball.station.fold.timekeeping import CONFIG, Timekeeping

NOW = 1_800_000_000 * 10**9
FAR = 2**63 - 1


@pytest.mark.parametrize("epochs", [[-FAR, NOW], [-FAR], [NOW, FAR], [2**62]])
@pytest.mark.parametrize("algorithm", ["at1", "algos"])
def test_epochs_without_a_difference_are_refused(epochs: list[int], algorithm: str) -> None:
    """`time_ns` is not asked about, as where recorded files are replayed."""
    keeper = Timekeeping()
    keeper.take(0, CONFIG, "config", config_payload(Config(ensemble=Ensemble(algorithm=algorithm))))
    rows = [["1", "2"] for _ in epochs]
    batch = {
        "kind": COMPARISON,
        "epochs": [str(epoch) for epoch in epochs],
        "pairs": [["Cs1", "H1"], ["OUT", "H1"]],
        "x_fs": rows,
        "u_fs": [None, None],
    }
    with pytest.raises(BatchError, match="no year that a clock was read in"):
        keeper.take_readings(1, batch)
    assert (keeper.epoch, keeper.memory.through) == (None, -1)
