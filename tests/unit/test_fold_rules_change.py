"""Rules that change under a running fold: what is kept and what begins anew."""

from __future__ import annotations

import msgspec

from timeball.integrity.anomalies import DetectorState
from timeball.station.configuration.settings import Config, Ensemble
from timeball.station.fold.rules import config_payload
from timeball.station.fold.timekeeping import CONFIG, Timekeeping


def test_detectors_begin_anew_on_another_grid_and_only_then() -> None:
    """Their cells are counted from a start: on a longer grid they would wait until the count is reached again."""
    config = Config(ensemble=Ensemble(interval_s=60.0))
    keeper = Timekeeping()
    keeper.take(0, CONFIG, "config", config_payload(config))
    watching = keeper.detectors = DetectorState.empty(3)
    stricter = msgspec.structs.replace(config, ensemble=Ensemble(interval_s=60.0, anomaly_sigmas=7.0))
    keeper.take(1, CONFIG, "config", config_payload(stricter))
    assert keeper.detectors is watching
    longer = msgspec.structs.replace(config, ensemble=Ensemble(interval_s=3600.0))
    keeper.take(2, CONFIG, "config", config_payload(longer))
    assert keeper.detectors is None
