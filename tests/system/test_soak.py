"""A few seconds of the soak that `make soak` runs for a day: a real server process, asked as there, judged as there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system
ROOT = Path(__file__).resolve().parents[2]
SECONDS, EVERY_S, RATE_HZ = 5.0, 0.2, 200.0


def test_a_server_stays_as_it_is(tmp_path: Path) -> None:
    options = ["--hours", str(SECONDS / 3600), "--every", str(EVERY_S), "--rate", str(RATE_HZ), "--only", "server"]
    command = [sys.executable, "-m", "bench.soak", *options, "--output", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads((tmp_path / "soak.json").read_text())
    assert document["ok"]
    assert document["samples"] >= 12
    names = {line["name"] for line in document["verdict"]}
    wanted = {"memory of server", "descriptors of server", "served time against the page", "answers to NTP"}
    assert wanted <= names
    assert document["ended"] == ""
    figures = document["processes"]["server"]
    assert figures["first_bytes"] > 1e6
    assert figures["last_seen"]["restarts"] == 0
    assert abs(document["served_minus_page"]["median_s"]) < 1.0
    assert "MB/h" in done.stdout
    counts = document["counts"]["ntp"]
    assert counts["asked"] > 100
    assert counts["nonsense"] > 5
    assert counts["in sync"] >= 0.999 * counts["asked"]
    # nonsense was not answered: more answers than questions would say otherwise
    assert counts["in sync"] <= counts["asked"]
    assert counts.get("not in sync", 0) == 0
    assert (tmp_path / "soak.png").stat().st_size > 1000
