"""Weeks of the default laboratory steered by bulletins, for tests of the fold: UTCr each Wednesday, as a link saw them.

Physics: the default laboratory, read each hour, its output `BEGINS_S` off UTC at the start; UTCr gives each Wednesday
the seven days before, as the simulated link (1 ns) saw them. Phases are UTC(k) − UTC; bulletins print the other sign.
"""

from __future__ import annotations

from typing import Any

import msgspec
from ledgers import BRISK, HOUR, KEY, Fold, of_type

from timeball.ledger.batch import sign_batch
from timeball.readings import Readings
from timeball.station.configuration.settings import Bulletins, Config, Ensemble
from timeball.station.fold.batches import comparison_batch
from timeball.station.fold.timekeeping import COLLECTOR, Decision

DAY = 24 * HOUR
BEGINS_S = 20e-9
HOURLY = Ensemble(interval_s=3600.0, snapshot_every=5, anomalies=False)


def configured(**steering: Any) -> Config:
    law = msgspec.structs.replace(BRISK, tracking_interval_s=86400.0, tracking_time_constant_s=172800.0, **steering)
    return Config(steering=law, ensemble=HOURLY, bulletins=Bulletins(folder="bulletins"))


def live_days(fold: Fold, days: int) -> list[tuple[int, int]]:
    """Days one by one; gives UTC(k) − UTC (fs) as the link saw it at the end of each."""

    def hourly(readings: Readings) -> Readings:
        return readings.take(readings.epoch % HOUR == 0)

    seen = []
    for _ in range(days):
        batch = comparison_batch(hourly(fold.readings(24)))
        for decision in fold.give(COLLECTOR, "readings", sign_batch(batch, KEY)):
            if decision.type == "scale":
                utc = decision.payload["utc"]
                seen.append((int(utc["epochs"][-1]), int(utc["utck_minus_utc_fs"][-1])))
    return seen


def bulletin(values: list[tuple[int, int]], **changes: Any) -> dict[str, Any]:
    """A week of UTCr for the laboratory; bulletins print UTC − UTC(k)."""
    return {
        "kind": "utcr",
        "label": "UTCr_2701",
        "laboratory": "TB",
        "published": "",
        "epochs": [str(epoch) for epoch, _ in values],
        "utc_minus_utck_fs": [str(-x_fs) for _, x_fs in values],
        "u_fs": None,
        "sha256": "0" * 64,
        **changes,
    }


def publish(fold: Fold, values: list[tuple[int, int]], **changes: Any) -> list[Decision]:
    return fold.give(COLLECTOR, "bulletin", sign_batch(bulletin(values, **changes), KEY))


def lived(weeks: int, **steering: Any) -> Fold:
    fold = Fold(configured(**steering), begins_s=BEGINS_S)
    print(f"seed {fold.seed}")
    for _ in range(weeks):
        publish(fold, live_days(fold, 7))
        live_days(fold, 1)
    return fold


def changes_of(fold: Fold) -> list[dict[str, Any]]:
    """The `steer` entries that answer an offset from UTC."""
    return [payload for payload in of_type(fold.decisions, "steer") if payload["estimate"] is not None]
