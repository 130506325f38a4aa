"""One set of metrics: exporter, docs/metrics.md, the dashboard and the alerting rules name the same ones, both ways."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from timeball.station.metrics import feedpart, keyexchangepart, roughtimepart, watchdogpart
from timeball.station.metrics.collector import METRICS
from timeball.station.metrics.metric import COUNTER
from timeball.station.page import pagelayout
from timeball.station.reporting import outcomes

NAMES = {metric.name for metric in METRICS}
# What a metric of ours can be called in an expression, and what else is in one.
WORD = re.compile(r"\b((?:timeball|ntp)_[a-z0-9_]+)\b")
UNITS = ("_seconds", "_bytes", "_ratio", "_total")
PLAIN = {
    "ntp_system_leap_indicator", "ntp_system_stratum", "timeball_info", "timeball_simulated", "timeball_in_sync",
    "timeball_sync_status", "timeball_lamp", "timeball_alarms", "timeball_clock_state", "timeball_ledger_entries",
    "timeball_ledger_cosigned_entries", "timeball_witnesses_missing", "timeball_witness_lag_entries",
    "timeball_witness_ok", "timeball_process_up", "timeball_process_open_fds", "timeball_process_threads",
    "timeball_nts_ke_open_connections", "timeball_nts_keys", "timeball_nts_ke_workers", "timeball_feed_clock_class",
    "timeball_exporter_part_up", "timeball_watchdog_servers",
}  # fmt: skip
"""Counts of things that are there, states and codes: they have no unit."""
# The server metrics of ntpd-rs 1.x (ntpd/src/metrics/mod.rs); those about NTS that we do not keep apart stand beside.
NTPD_RS = {f"ntp_server_{name}_packets_total" for name in ("received", "accepted", "denied", "ignored", "rate_limited")}
NTPD_RS |= {f"ntp_server_nts_{name}_packets_total" for name in ("received", "accepted", "nak")}
NTPD_RS |= {"ntp_server_response_send_errors_total", "ntp_uptime_seconds", "ntp_system_stratum"}
NTPD_RS |= {"ntp_system_leap_indicator", "ntp_system_root_delay_seconds", "ntp_system_root_dispersion_seconds"}


def rows(text: str) -> dict[str, tuple[str, tuple[str, ...], str]]:
    """Kind, labels and meaning by name, from the tables of the page."""
    found = re.findall(r"^\| `((?:timeball|ntp)_\w+)` \| (\w+) \| (.*?) ?\| (.*) \|$", text, re.MULTILINE)
    return {name: (kind, tuple(re.findall(r"`(\w+)`", labels)), words) for name, kind, labels, words in found}


def test_the_page_has_every_metric_and_no_other(page: Callable[[str], str]) -> None:
    told = rows(page("metrics.md"))
    assert told == {metric.name: (metric.kind, metric.labels, metric.help) for metric in METRICS}
    assert set(WORD.findall(page("metrics.md"))) <= NAMES | {"ntp_system_", "ntp_source_", "timeball_clock_"}


def test_names_are_well_made() -> None:
    assert len(NAMES) == len(METRICS)
    assert {metric.name for metric in METRICS if not metric.name.endswith(UNITS)} == PLAIN
    assert all(metric.name.endswith("_total") == (metric.kind == COUNTER) for metric in METRICS)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]+", label) for metric in METRICS for label in metric.labels)
    assert [one.help for one in METRICS if one.help[0].islower() or not one.help.isascii() or one.help[-1] == "."] == []


def test_the_servers_names_are_those_of_ntpd_rs() -> None:
    assert {name for name in NAMES if name.startswith("ntp_")} == NTPD_RS


def test_outcomes_are_those_of_the_page(page: Callable[[str], str]) -> None:
    text = page("metrics.md")
    classes = {"accepted": "accepted", "denied": "denied", "rate limited": "limited", "NTS nak": "nak"}
    told = re.findall(r"^\| `([\w -]+)` \| ([\w ]+) \| ", text[text.index("## Outcomes") :], re.MULTILINE)
    assert {(word, classes.get(kind, kind)) for word, kind in told} == {
        (one.word, one.kind) for one in outcomes.OUTCOMES
    }
    assert all(f"`{word.replace('_', ' ')}`" in text for word in keyexchangepart.OUTCOMES)


def rules(root: Path) -> list[dict[str, Any]]:
    document = yaml.safe_load((root / "deploy/prometheus/alerts.yml").read_text("utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def panels(root: Path) -> Iterator[dict[str, Any]]:
    for panel in json.loads((root / "deploy/grafana/timeball.json").read_text("utf-8"))["panels"]:
        if panel["type"] != "row":
            yield panel


def dashboard_expressions(root: Path) -> list[str]:
    return [target["expr"] for panel in panels(root) for target in panel["targets"]]


def used(expression: str) -> set[str]:
    return set(WORD.findall(re.sub(r'"[^"]*"', '""', expression)))


def test_the_rules_ask_for_metrics_that_there_are(root: Path) -> None:
    for rule in rules(root):
        assert used(rule["expr"]) <= NAMES, rule["alert"]
        assert used(rule["expr"]) or "up{" in rule["expr"]


def test_the_rules_can_be_read_by_whoever_is_woken(root: Path, page: Callable[[str], str]) -> None:
    names = [rule["alert"] for rule in rules(root)]
    assert len(set(names)) == len(names) > 20
    for rule in rules(root):
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert set(rule["annotations"]) == {"summary", "description"}
        # Prometheus replaces {{ }} only where it is closed
        for words in rule["annotations"].values():
            assert words.count("{{") == words.count("}}")
    guide = page("guide/deploying.md")
    assert set(re.findall(r"^\| `(Timeball\w+)` \|", guide, re.MULTILINE)) == set(names)


def test_labels_in_rules_and_panels_exist(root: Path) -> None:
    labels = {metric.name: set(metric.labels) | {"instance", "job"} for metric in METRICS}
    for expression in [rule["expr"] for rule in rules(root)] + dashboard_expressions(root):
        for name, inside in re.findall(r"\b((?:timeball|ntp)_\w+)\{(.*?)\}", expression):
            assert set(re.findall(r"(\w+)(?:=~|!~|!=|=)", inside)) <= labels[name], expression


def known_values() -> dict[tuple[str, str], set[str]]:
    """Values that a label of a metric can have, where they are fixed."""
    return {
        ("timeball_server_packets_total", "outcome"): {one.word for one in outcomes.OUTCOMES},
        ("timeball_nts_ke_connections_total", "outcome"): {w.replace("_", " ") for w in keyexchangepart.OUTCOMES},
        ("timeball_roughtime_packets_total", "outcome"): set(roughtimepart.OUTCOMES),
        ("timeball_feed_turns_total", "outcome"): {one.name.lower() for one in feedpart.OUTCOME_WORDS},
        ("timeball_watchdog_looks_total", "outcome"): set(watchdogpart.OUTCOMES),
        ("timeball_sync_status", "status"): set(pagelayout.STATUS_WORDS),
        ("timeball_clock_state", "state"): {"in use", "zero weight", "learning", "left out", "missing"},
    }


def test_values_of_labels_in_rules_and_panels_can_occur(root: Path) -> None:
    seen = 0
    for expression in [rule["expr"] for rule in rules(root)] + dashboard_expressions(root):
        for name, inside in re.findall(r"\b((?:timeball|ntp)_\w+)\{(.*?)\}", expression):
            for label, value in re.findall(r'(\w+)(?:=~|!~|!=|=)"(.*?)"', inside):
                values = known_values().get((name, label))
                if values is not None:
                    seen += 1
                    assert all(any(re.fullmatch(part, one) for one in values) for part in value.split("|")), expression
    assert seen >= 3


def test_the_dashboard_shows_metrics_that_there_are(root: Path) -> None:
    expressions = dashboard_expressions(root)
    assert len(expressions) > 30
    assert [expression for expression in expressions if not used(expression) or not used(expression) <= NAMES] == []
    assert all(expression.count("(") == expression.count(")") for expression in expressions)


def test_the_dashboard_is_laid_out_without_overlap(root: Path) -> None:
    document = json.loads((root / "deploy/grafana/timeball.json").read_text("utf-8"))
    ids = [panel["id"] for panel in document["panels"]]
    assert len(set(ids)) == len(ids)
    cells: set[tuple[int, int]] = set()
    for panel in document["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        mine = {(place["x"] + i, place["y"] + j) for i in range(place["w"]) for j in range(place["h"])}
        assert not mine & cells, panel["title"]
        cells |= mine
    units = {panel["fieldConfig"]["defaults"]["unit"] for panel in panels(root)}
    assert {"s", "reqps", "bytes"} <= units


def test_every_metric_that_needs_somebody_is_watched(root: Path) -> None:
    """The alarms that an operator cannot do without have a rule each."""
    asked = set().union(*(used(rule["expr"]) for rule in rules(root)))
    wanted = {
        "timeball_in_sync", "timeball_lease_remaining_seconds", "timeball_bound_seconds", "timeball_witnesses_missing",
        "timeball_nts_certificate_remaining_seconds", "ntp_server_rate_limited_packets_total",
        "timeball_server_packets_total", "timeball_disk_free_bytes", "timeball_process_restarts_total",
        "timeball_process_up", "timeball_nts_key_age_seconds", "timeball_socket_drops_total",
        "timeball_watchdog_offset_seconds",
    }  # fmt: skip
    assert wanted <= asked


@pytest.mark.parametrize("wrong", ["rate(timeball_gone_total[5m])", "ntp_server_recieved_packets_total"])
def test_the_comparison_can_fail(wrong: str) -> None:
    assert not used(wrong) <= NAMES
    assert rows("| `timeball_gone` | gauge | `a`, `b` | No |\n") == {"timeball_gone": ("gauge", ("a", "b"), "No")}
