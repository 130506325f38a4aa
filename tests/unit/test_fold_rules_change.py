"""Rules that change under a running fold: what is kept and what begins anew."""

from __future__ import annotations

import msgspec
import pytest

from timeball.integrity.anomalies import DetectorState
from timeball.station.configuration.settings import Config, Ensemble
from timeball.station.fold.rules import RulesUnknown, config_payload, rules_from_payload
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


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("", "interval_s", "nan"),
        ("", "interval_s", "0"),
        ("", "snapshot_every", 0),
        ("", "ahead_s", "inf"),
        ("steering", "window_s", "inf"),
        ("steering", "lqg_change", "inf"),
        ("output", "residual_limit_s", "inf"),
    ],
)
def test_rules_that_cannot_be_counted_with_are_none(section: str, name: str, value: object) -> None:
    payload = config_payload(Config())
    rules_from_payload(payload)
    inside = payload["rules"][section] if section else payload["rules"]
    inside[name] = value
    with pytest.raises(RulesUnknown, match="no rules of version 4"):
        rules_from_payload(payload)
