"""The section [roughtime]: its rules in words, and the process that it asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from timeball.station.configuration.configrules import broken_rules
from timeball.station.configuration.serving import Roughtime
from timeball.station.configuration.settings import Config
from timeball.station.supervision.supervisor import STOP_ORDER, station_commands

ADDRESS = "127.0.0.1:5319"


def test_the_process_is_started_only_where_it_is_asked_for(tmp_path: Path) -> None:
    assert "roughtime" not in station_commands(tmp_path, Config())
    asked = station_commands(tmp_path, Config(roughtime=Roughtime(listen=(ADDRESS,))))
    assert asked["roughtime"][1:3] == ["-m", "timeball.station.roughtime"]
    assert "roughtime" in STOP_ORDER[0], "who answers the public stops first"


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"listen": ["127.0.0.1:0"]}, "roughtime.listen[0]"),
        ({"listen": [ADDRESS, ADDRESS]}, "roughtime.listen[1]"),
        ({"listen": list(Config().ntp.listen)}, "roughtime.listen[0]"),
        ({"versions": ["1", "2"]}, "roughtime.versions[1]"),
        ({"versions": ["1", "0x1"]}, "roughtime.versions[1]"),
    ],
)
def test_settings_that_contradict_are_told(settings: dict[str, Any], path: str) -> None:
    config = Config(roughtime=msgspec.convert(settings, Roughtime))
    assert path in [found for found, _ in broken_rules(config)]


def test_defaults_break_no_rule_of_ours() -> None:
    config = Config(roughtime=Roughtime(listen=(ADDRESS, "[::1]:5319")))
    assert [found for found, _ in broken_rules(config) if found.startswith("roughtime")] == []


@pytest.mark.parametrize(
    "settings", [{"batch": 0}, {"batch": 1025}, {"grease": 0.2}, {"loop": "arrays"}, {"versions": []}]
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(settings, Roughtime)
