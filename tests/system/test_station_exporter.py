"""The exporter as a process beside a real server: every datagram that is sent is found in exactly one counter."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse
from serving import Served, answers, free_port, until

from timeball.station.metrics.collector import METRICS

pytestmark = pytest.mark.system

BASIC = b"\x23" + bytes(47)
# what is sent, from where in 127/8, how often, and the outcome that each must be counted under
SENT = (
    (BASIC, 1, 7, "in sync"),
    (b"\x1b" + bytes(47), 1, 3, "in sync"),
    (BASIC[:20], 1, 4, "too short"),
    (b"\x3b" + bytes(47), 1, 2, "wrong version"),
    (b"\x24" + bytes(47), 1, 5, "wrong mode"),
    (BASIC + b"\0\1\0\3" + bytes(60), 1, 6, "malformed fields"),
    (BASIC, 9, 8, "kiss DENY"),
)
NTPD_RS = {"in sync": "accepted", "kiss DENY": "denied"}


class Exported:
    """A server and its exporter on one state folder."""

    def __init__(self, state: Path) -> None:
        self.ntp, self.metrics = free_port(), free_port()
        ntp = {"listen": [f"127.0.0.1:{self.ntp}"], "deny": ["127.9.0.0/16"], "refusal": "kiss"}
        self.served = Served(state, {"ntp": ntp, "metrics": {"listen": f"127.0.0.1:{self.metrics}"}})
        for name in ("server", "exporter"):
            self.served.start(name)
        until(self.is_up, 180.0, self.served.say)

    def is_up(self) -> bool:
        """Whether both answer and the server's first counters are there; fails at once when one of them has ended."""
        assert all(process.poll() is None for process in self.served.processes.values()), self.served.say()
        return answers(self.ntp) and "ntp_server_received_packets_total{" in self.text()

    def text(self, accept: str = "text/plain") -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{self.metrics}/metrics", headers={"Accept": accept})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                self.kind = answer.headers["content-type"]
                return str(answer.read().decode())
        except (urllib.error.URLError, ConnectionError):
            return ""

    def figures(self) -> dict[str, float]:
        """Samples by name and values of labels, as `name{a,b}`."""
        found = {}
        for family in parse(self.text()):
            for one in family.samples:
                found[f"{one.name}{{{','.join(one.labels.values())}}}"] = one.value
        return found

    def settled(self) -> dict[str, float]:
        """The figures once whatever was sent before has come into the page of counters."""
        received = f"ntp_server_received_packets_total{{127.0.0.1:{self.ntp}}}"
        seen = [self.figures()]
        # the page is written five times a second
        until(
            lambda: seen.append(self.figures()) or (len(seen) > 8 and len({s[received] for s in seen[-8:]}) == 1), 30.0
        )
        return seen[-1]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    one = Exported(tmp_path_factory.mktemp("exported"))
    yield one
    one.served.stop()


def moved(before: dict[str, float], now: dict[str, float], name: str) -> dict[str, float]:
    """What has changed of a metric, by the values of its labels."""
    pattern = re.compile(re.escape(name) + r"\{(.*)\}")
    found = {match[1]: now[key] - before.get(key, 0.0) for key in now if (match := pattern.fullmatch(key))}
    return {labels: value for labels, value in found.items() if value}


def test_every_datagram_is_in_exactly_one_counter(exported: Exported) -> None:
    before, wanted = exported.settled(), Counter[str]()
    total = sum(count for _, _, count, _ in SENT)
    for data, net, count, outcome in SENT:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind((f"127.{net}.0.1", 0))
            for _ in range(count):
                client.sendto(data, ("127.0.0.1", exported.ntp))
        wanted[outcome] += count
    listen = f"127.0.0.1:{exported.ntp}"
    received = f"ntp_server_received_packets_total{{{listen}}}"
    until(lambda: exported.figures()[received] - before[received] >= total, 20.0, exported.served.say)
    now = exported.figures()
    assert now[received] - before[received] == total
    assert moved(before, now, "timeball_server_packets_total") == wanted
    by_class = Counter[str]()
    for outcome, count in wanted.items():
        by_class[NTPD_RS.get(outcome, "ignored")] += count
    for name in ("accepted", "denied", "ignored", "rate_limited", "nts_nak"):
        told = moved(before, now, f"ntp_server_{name}_packets_total")
        assert told == ({listen: by_class[name]} if by_class[name] else {}), name
    assert moved(before, now, "ntp_server_response_send_errors_total") == {}


def test_time_and_host_are_told(exported: Exported) -> None:
    figures = exported.figures()
    assert figures["timeball_in_sync{}"] == 1
    assert figures["timeball_sync_status{in sync}"] == 1
    assert figures["ntp_system_stratum{}"] == 10
    assert figures[f"timeball_socket_drops_total{{udp:{exported.ntp}}}"] == 0
    assert {key.partition("{")[0] for key in figures} <= {metric.name for metric in METRICS}
    exported.served.clock.withdraw()
    try:
        until(lambda: exported.figures()["timeball_in_sync{}"] == 0, 20.0, exported.served.say)
        assert exported.figures()["timeball_sync_status{the timekeeper's lease has ended}"] == 1
    finally:
        exported.served.clock.renew()


def test_both_formats_are_served_as_asked(exported: Exported) -> None:
    exported.text()
    assert exported.kind.startswith("text/plain")
    text = exported.text("application/openmetrics-text; version=1.0.0")
    assert exported.kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")
    assert {family.name for family in parse_openmetrics(text)} >= {"timeball_in_sync", "ntp_server_received_packets"}


def test_other_addresses_and_methods_have_nothing(exported: Exported) -> None:
    home = f"http://127.0.0.1:{exported.metrics}"
    with urllib.request.urlopen(f"{home}/", timeout=10) as answer:
        assert b"/metrics" in answer.read()
    for path in ("/secret", "/metrics/../../etc/passwd"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{home}{path}", timeout=10)
    request = urllib.request.Request(f"{home}/metrics", data=b"x", method="POST")
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(request, timeout=10)


def test_a_server_that_stands_still_is_seen(exported: Exported) -> None:
    server = exported.served.processes["server"]
    server.send_signal(signal.SIGSTOP)
    try:
        until(lambda: exported.figures()["timeball_server_counters_age_seconds{}"] > 1.5, 20.0, exported.served.say)
    finally:
        server.send_signal(signal.SIGCONT)
    until(lambda: exported.figures()["timeball_server_counters_age_seconds{}"] < 1.0, 20.0, exported.served.say)


def test_a_taken_port_is_told_in_a_sentence(exported: Exported, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    config = {"metrics": {"listen": f"127.0.0.1:{exported.metrics}"}}
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "timeball.station.exporter", "--state", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "cannot serve metrics on" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
