"""The rules of a configuration: into a `config` entry and back, bit for bit, canonical, and no unknown version."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.ledger import canonical
from timeball.simulation.models import MODELS
from timeball.station.configuration.config import Config, parse_config
from timeball.station.configuration.settings import Clock, Ensemble, Ledger, Steering
from timeball.station.fold.parameters import DEFAULT_TAU_MIN_S, tau_min_of
from timeball.station.fold.rules import RulesUnknown, config_payload, rules_from_payload, rules_of, without_floats

positive = st.floats(1e-300, 1e300, allow_nan=False)
configs = st.builds(
    Config,
    ensemble=st.builds(
        Ensemble,
        interval_s=st.floats(1, 86400),
        memory_s=positive,
        cap=st.floats(0.0, 1.0, exclude_min=True),
        snapshot_every=st.integers(1, 2**53 - 1),
    ),
    steering=st.builds(
        Steering,
        enabled=st.booleans(),
        time_constant_s=positive,
        max_rate_change=st.floats(1e-300, 1e-9),
        max_phase_per_day_s=st.floats(1e-300, 1e-3),
    ),
    clock=st.lists(
        st.builds(
            Clock,
            name=st.sampled_from(["A", "B", "C.1", "D-2"]),
            kind=st.sampled_from([*MODELS, "sundial"]),
            tau_min_s=st.none() | positive,
            zero_weight=st.booleans(),
        ),
        max_size=4,
        unique_by=lambda clock: clock.name,
    ).map(tuple),
)


def recorded(config: Config) -> dict[str, Any]:
    return canonical.decode(canonical.encode(config_payload(config)))


@given(configs)
def test_what_is_recorded_is_read_back_bit_for_bit(config: Config) -> None:
    assert rules_from_payload(recorded(config)) == rules_of(config)
    assert recorded(config) == config_payload(config), "what is recorded once is not recorded again"


@given(configs)
def test_the_whole_configuration_stands_beside_its_rules(config: Config) -> None:
    assert msgspec.convert(recorded(config)["config"], Config, strict=False) == config


MIXED = """
[[clock]]
name = "A"
kind = "sundial"
zero_weight = true
[[clock]]
name = "B"
kind = "active-maser"
tau_min_s = 777.0
[[instrument]]
kind = "replay"
files = ["x"]
[actuator]
kind = "none"
[ensemble]
cap = 1.0
[time_of_day]
sources = ["realtime", "rtc"]
"""


def test_the_rules_say_who_may_carry_the_scale() -> None:
    config = parse_config(MIXED)
    rules = rules_of(config)
    assert set(rules.at1.zero_weight) == {"A", "OUT"}
    assert rules.at1.tau_min_s_by_clock == {"A": DEFAULT_TAU_MIN_S, "B": 777.0}
    assert (rules.interval_s, rules.at1.interval_s) == (60.0, 60.0)


def test_a_kind_is_most_stable_where_its_model_says() -> None:
    for kind, model in MODELS.items():
        tau_s = tau_min_of(kind)
        sigma = float(model.theory_adev(tau_s))
        assert all(sigma <= float(model.theory_adev(10.0**power)) * 1.01 for power in range(1, 7)), kind


def changed(**rules: Any) -> dict[str, Any]:
    payload = recorded(Config())
    return {**payload, "rules": {**payload["rules"], **rules}}


@pytest.mark.parametrize("version", [0, 5, "1", None, 1.5, True])
def test_rules_of_another_version_are_refused(version: Any) -> None:
    with pytest.raises(RulesUnknown, match=f"rules of version {version}, this software knows versions 1, 2, 3 and 4"):
        rules_from_payload(changed(version=version))


@pytest.mark.parametrize(
    "wrong",
    [
        {"interval_s": "soon"},
        {"snapshot_every": "1.5"},
        {"a_rule_of_tomorrow": 1},
        {"at1": {"cap": "2.0"}},
        {"at1": {"memory_s": "nan"}},
        {"steering": {"max_rate": "-1.0"}},
        {"output": None},
        {"witnessed_within_s": "perhaps"},
    ],
)
def test_what_is_no_rule_is_refused_as_such(wrong: dict[str, Any]) -> None:
    with pytest.raises(RulesUnknown, match="no rules of version 4"):
        rules_from_payload(changed(**wrong))


def test_another_algorithm_is_refused() -> None:
    payload = changed()
    payload["rules"]["at1"]["version"] = 2
    with pytest.raises(RulesUnknown, match="AT1 of version 2"):
        rules_from_payload(payload)


@given(configs)
def test_rules_of_version_1_have_no_word_of_witnesses(config: Config) -> None:
    config = msgspec.structs.replace(config, ledger=Ledger(policy="witnesses.policy"))
    payload = config_payload(config, 1)
    assert "witnessed_within_s" not in payload["rules"]
    assert rules_from_payload(payload) == rules_of(config, 1)
    assert rules_of(config, 1).witnessed_within_s is None
    with pytest.raises(RulesUnknown, match="no rules of version 1: field `witnessed_within_s`"):
        rules_from_payload({**payload, "rules": {**payload["rules"], "witnessed_within_s": None}})
    for name in ("witnessed_within_s", "ahead_s"):
        later = config_payload(config, 2)["rules"]
        del later[name]
        with pytest.raises(RulesUnknown, match=f"no rules of version 2: field `{name}`"):
            rules_from_payload({"rules": later})


def test_rules_of_version_3_have_no_word_of_doubts() -> None:
    config = Config()
    payload = config_payload(config, 3)
    assert "bulletin_sigmas" not in payload["rules"]["steering"]
    assert rules_from_payload(payload) == rules_of(config, 3)
    payload["rules"]["steering"]["bulletin_sigmas"] = "6.0"
    with pytest.raises(RulesUnknown, match=r"no rules of version 3: field `steering\.bulletin_sigmas`"):
        rules_from_payload(payload)


def test_recorded_files_may_be_of_any_time() -> None:
    assert rules_of(Config()).ahead_s == 60.0
    assert rules_of(Config(), 1).ahead_s is None
    assert rules_of(parse_config(MIXED)).ahead_s is None


def test_witnesses_are_waited_for_when_a_policy_names_them_and_time_is_live() -> None:
    named = Config(ledger=Ledger(policy="witnesses.policy"))
    assert rules_of(named).witnessed_within_s == 7200.0
    assert rules_of(named, live=False).witnessed_within_s is None
    assert rules_of(Config()).witnessed_within_s is None


@pytest.mark.parametrize("payload", [{}, {"rules": None}, {"rules": []}, [], "rules", None])
def test_a_payload_without_rules_is_refused(payload: Any) -> None:
    with pytest.raises(RulesUnknown, match="rules of version None"):
        rules_from_payload(payload)


def test_floats_become_text_at_every_depth_and_nothing_else_does() -> None:
    value = {"a": 0.1, "b": [1, 2.5, (True, None, {"c": -0.0})], "d": "1.0"}
    assert without_floats(value) == {"a": "0.1", "b": [1, "2.5", [True, None, {"c": "-0.0"}]], "d": "1.0"}
