"""The folder deploy/ holds what docs/guide/deploying.md says, and the tools that will read it accept it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from timeball.cli.root import root as timeball
from timeball.station.configuration.config import parse_config

GREATEST_EXPOSURE = 20
"""Of 100, as systemd-analyze gives it: what the guide says, 1.8 of 10, with a little room for other versions of it."""


def unit_lines(path: Path) -> dict[str, list[str]]:
    """Every value of each setting of a unit; a setting may stand several times."""
    found = defaultdict(list)
    for name, value in re.findall(r"^(\w+)=(.*)$", path.read_text("utf-8"), re.MULTILINE):
        found[name].append(value)
    return found


@pytest.fixture
def unit(root: Path) -> dict[str, list[str]]:
    return unit_lines(root / "deploy/systemd/timeball.service")


def test_every_file_is_named_in_the_guide_and_no_other(root: Path, page: Callable[[str], str]) -> None:
    files = {str(path.relative_to(root)) for path in (root / "deploy").rglob("*") if path.suffix not in ("", ".md")}
    assert set(re.findall(r"^\| `(deploy/.*?)` \|", page("guide/deploying.md"), re.MULTILINE)) == files


def test_the_unit_starts_a_station_and_keeps_it_alive(unit: dict[str, list[str]]) -> None:
    assert re.fullmatch(r"/\S+/timeball run --config \S+ --state /var/lib/timeball", unit["ExecStart"][0])
    assert (unit["Type"], unit["Restart"], unit["StateDirectory"]) == (["notify"], ["always"], ["timeball"])
    assert float(unit["WatchdogSec"][0]) >= 10
    assert unit["KillMode"] == ["process"]


def test_the_unit_leaves_no_more_than_it_must(unit: dict[str, list[str]]) -> None:
    for name in ("CapabilityBoundingSet", "AmbientCapabilities"):
        assert unit[name] == ["CAP_NET_BIND_SERVICE"]
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["NoNewPrivileges"] == ["yes"]
    assert unit["SystemCallFilter"][0] == "@system-service"
    assert unit["RestrictAddressFamilies"] == ["AF_INET AF_INET6 AF_UNIX"]
    assert "MemoryDenyWriteExecute" not in unit  # the kernels are compiled to machine code


def test_only_the_file_for_clocks_may_set_one(root: Path) -> None:
    allowed = [path.name for path in (root / "deploy/systemd").iterdir() if "CAP_SYS_TIME" in unit_caps(path)]
    assert allowed == ["timeball-phc.conf"]


def unit_caps(path: Path) -> str:
    return " ".join(unit_lines(path)["CapabilityBoundingSet"])


@pytest.fixture
def analyze() -> Callable[..., subprocess.CompletedProcess[str]]:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    return lambda *words: subprocess.run([tool, *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("more", ["", "timeball-phc.conf", "timeball-root.conf"])
def test_systemd_understands_every_line(
    root: Path, tmp_path: Path, analyze: Callable[..., subprocess.CompletedProcess[str]], more: str
) -> None:
    text = (root / "deploy/systemd/timeball.service").read_text("utf-8")
    text = re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", text)
    if more:
        text += (root / "deploy/systemd" / more).read_text("utf-8")
    (tmp_path / "timeball.service").write_text(text)
    done = analyze("verify", str(tmp_path / "timeball.service"))
    # it also looks at units of this machine that ours pulls in: only what it says of ours counts
    said = [line for line in done.stderr.splitlines() if "timeball.service" in line]
    assert said == []
    assert "Unknown" not in done.stderr


def test_the_unit_is_as_little_exposed_as_the_guide_says(
    root: Path, analyze: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    place = str(root / "deploy/systemd/timeball.service")
    done = analyze("security", "--offline=true", "--no-pager", f"--threshold={GREATEST_EXPOSURE}", place)
    if "Unrecognized option" in done.stderr or "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze does not judge files")
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_prometheus_accepts_the_rules(root: Path) -> None:
    unpacked = root / ".venv" / "clients" / "prometheus" / "usr" / "bin"
    tool = shutil.which("promtool") or shutil.which("promtool", path=str(unpacked))
    if tool is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run(
        [tool, "check", "rules", str(root / "deploy/prometheus/alerts.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_job_asks_where_the_guide_lets_the_station_answer(root: Path, page: Callable[[str], str]) -> None:
    snippet = re.search(r"^```toml\n(\[metrics\].*?)^```$", page("guide/deploying.md"), re.MULTILINE | re.DOTALL)
    assert snippet is not None
    [job] = yaml.safe_load((root / "deploy/prometheus/scrape.yml").read_text("utf-8"))["scrape_configs"]
    assert job["job_name"] == "timeball"
    assert job["static_configs"][0]["targets"] == [parse_config(snippet[1]).metrics.listen]


def test_the_public_server_is_whole(tmp_path: Path, page: Callable[[str], str]) -> None:
    """It serves all three on their own ports, limits its clients, and `timeball check` takes it and says so."""
    [text] = re.findall(r"^```toml\n(clock = .*?)^```$", page("guide/deploying.md"), re.MULTILINE | re.DOTALL)
    config = parse_config(text)
    ports = {
        address.rpartition(":")[2] for part in (config.ntp, config.nts, config.roughtime) for address in part.listen
    }
    assert ports == {"123", "4460", "5319"}
    assert config.ntp.source_rate > 0
    assert config.ntp.prefix_rate > 0
    assert not config.simulated
    (tmp_path / "lab.toml").write_text(text)
    done = CliRunner().invoke(timeball, ["check", "--config", str(tmp_path / "lab.toml")])
    assert done.exit_code == 0
    for words in (
        "NTP is answered on 0.0.0.0:123",
        "shows /etc/timeball/tls",
        "Roughtime is answered",
        "of one address",
    ):
        assert words in done.output


def test_the_kernels_settings_exist(root: Path) -> None:
    text = (root / "deploy/sysctl/90-timeball.conf").read_text("utf-8")
    settings = re.findall(r"^([a-z0-9_.]+) = \d+$", text, re.MULTILINE)
    assert len(settings) >= 6
    for name in settings:
        place = Path("/proc/sys") / name.replace(".", "/")
        # in a network namespace of its own a machine shows fewer of them
        assert place.exists() or name.startswith("net."), name
