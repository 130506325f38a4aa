"""A whole live station: in sync, withdrawn when a lease holder stands still, convicted when tampered with."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families as parse_metrics
from stations import PROCESSES, QUICK, Station, alive, free_port, kill, running, wait_for

from timeball.cli import root
from timeball.cli.steer import command as steer_commands
from timeball.instants import Instant, format_utc
from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.reporting.status import StatusReader

pytestmark = pytest.mark.system


METRICS_PORT = free_port()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory):
    """What a service manager is told, datagram by datagram: a real socket, read all the time."""
    address = str(tmp_path_factory.mktemp("manager") / "notify")
    heard: list[str] = []
    ended = threading.Event()

    def listen(manager: socket.socket) -> None:
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                heard.append(manager.recv(65536).decode())

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, pytest.MonkeyPatch.context() as patch:
        manager.bind(address)
        manager.settimeout(0.2)
        patch.setenv("NOTIFY_SOCKET", address)
        patch.setenv("WATCHDOG_USEC", "20000000")
        thread = threading.Thread(target=listen, args=(manager,), daemon=True)
        thread.start()
        yield heard
        ended.set()
        thread.join()


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory, told: list[str]):
    settings = f'{QUICK}\n[metrics]\nlisten = "127.0.0.1:{METRICS_PORT}"\n'
    with running(tmp_path_factory.mktemp("live"), settings) as live:
        yield live
    stopped = [words.startswith("STOPPING=1\n") for words in told]
    ready = [words.startswith("READY=1\n") for words in told]
    assert sum(stopped) >= sum(ready) >= 1, "each run that was ready has said that it stops"


def test_every_process_runs_and_the_status_says_in_spec(station: Station) -> None:
    assert all(alive(pid) for pid in station.processes().values())
    assert set(station.processes()) == {*PROCESSES, "exporter", "supervisor"}

    def told() -> bool:
        # time is served a moment before the ledger's head covers what was said of it
        return bool(station.status()["station"]["verdict"].startswith("in spec"))

    wait_for(told, "the status does not say in spec", 20.0)
    status = station.status()
    assert status["time"]["in_sync"]
    assert status["station"]["simulated"]
    assert status["time"]["stratum"] == 10
    assert status["time"]["refid"] == "127.127.1.1"
    assert status["station"]["verdict"].startswith("in spec")
    assert {clock["name"] for clock in status["clocks"]} >= {"Cs1", "H1", "OUT"}
    assert sum(clock["weight"] for clock in status["clocks"]) == pytest.approx(1)
    assert next(clock["weight"] for clock in status["clocks"] if clock["name"] == "OUT") == 0
    assert abs(status["output"]["residual_s"]) < status["output"]["limit_s"]


def test_the_service_manager_is_told_and_no_child_speaks_to_it(station: Station, told: list[str]) -> None:
    wait_for(lambda: any(words.startswith("STATUS=in sync, bound") for words in told), "not told that time is served")
    ready = [place for place, words in enumerate(told) if words.startswith("READY=1\n")]
    assert len(ready) == 1
    assert f"MAINPID={station.processes()['supervisor']}" in told[ready[0]]
    assert "WATCHDOG=1" in told
    assert not any("EXTEND_TIMEOUT_USEC" in words for words in told[ready[0] :])
    pids = {name: pid for name, pid in station.processes().items() if name != "supervisor"}
    assert [name for name, pid in pids.items() if b"NOTIFY_SOCKET" in Path(f"/proc/{pid}/environ").read_bytes()] == []


def scraped() -> dict[str, float]:
    """Samples of a scrape by name and values of labels, as `name{a,b}`."""
    with urllib.request.urlopen(f"http://127.0.0.1:{METRICS_PORT}/metrics", timeout=20) as answer:
        found = [one for family in parse_metrics(answer.read().decode()) for one in family.samples]
    return {f"{one.name}{{{','.join(one.labels.values())}}}": one.value for one in found}


def test_metrics_say_what_the_status_says(station: Station) -> None:
    figures, status = scraped(), StatusReader(station.state).status()
    assert figures["timeball_in_sync{}"] == figures["timeball_simulated{}"] == 1
    assert figures["ntp_system_stratum{}"] == status["time"]["stratum"] == 10
    assert 0 < figures["timeball_bound_seconds{}"] < figures["timeball_bound_limit_seconds{}"]
    weights = [value for name, value in figures.items() if name.startswith("timeball_clock_weight_ratio{")]
    assert len(weights) == len(status["clocks"])
    assert sum(weights) == pytest.approx(1)
    assert figures["timeball_ledger_entries{}"] <= status["ledger"]["size"]
    assert all(figures[f"timeball_process_up{{{name}}}"] == 1 for name in (*PROCESSES, "exporter", "supervisor"))
    assert all(value == 1 for name, value in figures.items() if name.startswith("timeball_exporter_part_up{"))


def test_every_request_is_counted_once(station: Station) -> None:
    """The observer asks as well: what is received and what became of it move together."""
    listen = f"127.0.0.1:{station.ntp_port}"
    received, accepted = (f"ntp_server_{word}_packets_total{{{listen}}}" for word in ("received", "accepted"))
    before = scraped()
    for _ in range(20):
        assert station.ask() is not None
    now = wait_for(lambda: (found := scraped())[received] >= before[received] + 20 and found, "not counted", 20.0)
    outcomes = {name: now[name] - before[name] for name in now if name.startswith("timeball_server_packets_total{")}
    assert sum(outcomes.values()) == now[received] - before[received]
    assert outcomes["timeball_server_packets_total{in sync}"] == now[accepted] - before[accepted] >= 20


def test_diag_finds_nothing_that_failed(station: Station, capsys: pytest.CaptureFixture[str]) -> None:
    code = root.run(["diag", "--state", str(station.state), "--seconds", "0.5", "--json"])
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert [check for check in checks.values() if check["state"] == "fail"] == []
    assert code == 0
    assert checks["time"]["state"] == checks["recorder"]["state"] == checks["processes"]["state"] == "ok"
    assert checks["cpu"]["value"] is not None


def test_clients_names_whoever_asks(station: Station, capsys: pytest.CaptureFixture[str]) -> None:
    def known() -> list[str]:
        code = root.run(["clients", "--state", str(station.state), "--json"])
        return [row["address"] for row in json.loads(capsys.readouterr().out)["clients"]] if code == 0 else []

    assert wait_for(lambda: "127.0.0.1" in known(), "nobody is remembered", 20.0)


def test_chronyd_accepts_the_stations_time(station: Station, tmp_path: Path) -> None:
    chronyd = shutil.which("chronyd") or "/usr/sbin/chronyd"
    if not os.path.exists(chronyd):
        pytest.skip("chronyd is not installed")
    server = f"server 127.0.0.1 port {station.ntp_port} iburst maxsamples 4"
    command = [chronyd, "-Q", "-t", "20", server, "cmdport 0", "port 0", f"pidfile {tmp_path}/pid", "bindcmdaddress /"]
    if os.geteuid() == 0:
        command[1:1] = ["-u", "root"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    wrong = re.search(r"System clock wrong by (-?[0-9.]+) seconds", done.stderr + done.stdout)
    assert wrong is not None
    assert abs(float(wrong.group(1))) < 0.5


def test_the_console_says_what_the_status_says(station: Station) -> None:
    with urllib.request.urlopen(f"{station.url}/api/status", timeout=10) as answer:
        page = json.load(answer)
    assert page["time"]["in_sync"]
    assert page["station"] == station.status()["station"] or page["station"]["verdict"].startswith("in spec")


def test_a_real_browser_shows_the_numbers_of_timeball_status(station: Station) -> None:
    import console_checks as checks

    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no browser test")
    if checks.chromium_path() is None:
        pytest.skip("Chromium is not installed: the console is not opened in a browser")
    with playwright.sync_playwright() as started:
        browser = checks.launch(started)
        try:
            with checks.open_page(browser, station.url) as watched:
                watched.wait_live()
                watched.wait_charts()
                body = checks.check_numbers_equal_api(watched)
                checks.check_everything_is_shown(watched, body)
                checks.check_numbers_equal_status(watched, station.status, at_least=20)
                checks.check_changes_live(watched)
                checks.check_clean(watched)
        finally:
            browser.close()


def test_the_ledger_verifies_and_replays_while_it_grows(station: Station) -> None:
    assert station.verify().returncode == 0, station.verify().stderr
    done = station.replay()
    assert done.returncode == 0, done.stderr
    assert "scale" in done.stdout


def unsynchronised(station: Station) -> bool:
    reply = station.ask()
    return reply is not None and reply.leap == 3 and reply.stratum == 0


@pytest.mark.parametrize("held", [("timekeeper",), ("observer",), ("timekeeper", "observer")])
def test_a_lease_holder_that_stands_still_withdraws_the_time(station: Station, held: tuple[str, ...]) -> None:
    station.wait_in_sync()
    pids = [station.processes()[name] for name in held]
    began = time.monotonic()
    try:
        for pid in pids:
            kill(pid, signal.SIGSTOP)
        wait_for(lambda: unsynchronised(station), f"{held} held down: NTP still claims sync", 10.0)
        assert time.monotonic() - began <= 10.0
        for _ in range(200):
            assert unsynchronised(station)
        assert not station.status()["time"]["in_sync"]
    finally:
        for pid in pids:
            kill(pid, signal.SIGCONT)
    station.wait_in_sync()


def statements(station: Station) -> list[int]:
    """The references (TAI ns) of what the station has said that it served."""
    entries = LedgerReader(station.state).entries()
    return [int(json.loads(e.payload or b"")["tai_ns"]) for e in entries if e.envelope.type == "served"]


def test_what_was_served_is_proven_afterwards(station: Station, tmp_path: Path) -> None:
    wait_for(lambda: len(statements(station)) > 1, "no second statement of served time", 90.0)
    first, second = statements(station)[:2]
    leaps = load_leap_table()
    claims = set()
    for part in range(0, 10, 3):
        moment = format_utc(Instant.from_ns(first + (second - first) * part // 10), leaps)
        file = tmp_path / f"{part}.tlog-proof"
        made = station.timeball("prove", "--at", moment, "--state", str(station.state), "-o", str(file))
        assert made.returncode == 0, made.stderr
        key = (station.state / "ledger" / "log.vkey").read_text()
        done = station.timeball("verify", str(file), "--key", key, "--json")
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)["statement"]
        assert said["enclosed"]
        assert said["simulated"]
        assert abs(said["utc_minus_served_s"]) + abs(said["pages_differ_s"]) < said["bound_s"] < 1e-4
        claims.add(said["claim"])
    assert "in sync" in claims
    early = format_utc(Instant.from_ns(first - 10**9), leaps)
    assert station.timeball("prove", "--at", early, "--state", str(station.state)).returncode == 3


def convicted(station: Station) -> bool:
    lease = station.status()["leases"]["observer"]
    return not lease["valid"] and "ns from TA(k) + steers" in lease["why"]


def test_a_stepper_moved_behind_the_timekeepers_back_ends_the_observers_lease(tmp_path: Path) -> None:
    with running(tmp_path, QUICK) as station:
        record = station.state / "actuator" / "stepper.record"
        last = json.loads(record.read_text().splitlines()[-1])
        lease = station.state / "run" / "page.observer"
        assert lease.exists()
        began = time.monotonic()
        with record.open("a") as file:
            file.write(
                json.dumps({**last, "id": last["id"] + 1, "epoch": last["epoch"] + 1, "phase_step_s": 20e-9}) + "\n"
            )
        wait_for(lambda: convicted(station), "the observer still renews its lease 20 ns off", 120.0)
        assert time.monotonic() - began <= 120.0
        assert unsynchronised(station)


# Two midnights lie in the past, so that UTCr has something to say of it.
BY_BULLETINS = """
[ensemble]
interval_s = 4.0
anomalies = false
[history]
days = 2.1
[steering]
law = "utcr"
interval_s = 600.0
tracking_interval_s = 3600.0
[actuator]
hard_limit_s_per_day = 1e-5
[lease]
scale_max_age_s = 60.0
[observer]
interval_s = 1.0
"""


def of_fold(station: Station, kind: str) -> list[dict[str, Any]]:
    entries = LedgerReader(station.state).entries()
    return [json.loads(entry.payload or b"") for entry in entries if entry.envelope.type == kind]


def steered(station: Station, field: str) -> dict[str, Any] | None:
    """The newest `steer` that has something to say in a field; looks back no farther than the last few."""
    reader = LedgerReader(station.state)
    entry = reader.last("steer")
    for _ in range(10):
        if entry is None or (payload := json.loads(entry.payload or b"")).get(field):
            return payload if entry is not None else None
        entry = reader.last("steer", before=entry.index)
    return None


def days_of_utcr(station: Station) -> str:
    """A series as the BIPM would give it: UTC − UTC(k) at 0 h UTC in ns, as the simulated link saw it at that hour."""
    rows = {}
    for utc in (scale["utc"] for scale in of_fold(station, "scale")):
        for epoch, x_fs in zip(utc["epochs"], utc["utck_minus_utc_fs"], strict=True):
            mjd, second = divmod(int(epoch) // 10**9 - 37, 86400)
            if second >= 82800:
                rows[mjd + 1 + 40587] = -int(x_fs) / 1e6
    return "".join(f"{mjd} {value:.1f}\n" for mjd, value in sorted(rows.items()))


def test_ctrl_c_stops_everything_and_a_new_run_answers_a_bulletin(tmp_path: Path) -> None:
    """The second run is steered by a file dropped into its folder, and the steer taken back; all of it replays."""
    folder = tmp_path / "bipm"
    folder.mkdir()
    told = f'[bulletins]\nfolder = "{folder}"\nevery_s = 1.0\n'
    with running(tmp_path, BY_BULLETINS + told) as station:
        pids = list(station.processes().values())
        assert station.stop() == 0
        assert not any(alive(pid) for pid in pids)
        size = json.loads(station.timeball("verify", str(station.state), "--json").stdout)["size"]
        brisk = station.config.read_text().replace("tracking_interval_s = 3600.0", "tracking_interval_s = 5.0")
        station.config.write_text(brisk)
        station.start()
        # the leases of the first run may still hold: sync alone does not say that the second one is up
        wait_for(lambda: station.status()["ledger"]["size"] > size, "the second run recorded nothing")
        station.wait_in_sync()
        assert not [steer for steer in of_fold(station, "steer") if steer["paper"]]
        (folder / "letter").write_text("Dear sirs,\n")
        (folder / "series").write_text(days_of_utcr(station))
        steer = wait_for(lambda: steered(station, "estimate"), "no steer by the bulletin")
        assert steer["why"].startswith("commissioned: ")
        [bulletin], [refusal] = of_fold(station, "bulletin"), of_fold(station, "refusal")
        assert len(bulletin["batch"]["epochs"]) >= 2
        assert refusal["batch"]["sha256"] == hashlib.sha256(b"Dear sirs,\n").hexdigest()
        done = station.timeball("steer", "take-back", "--state", str(station.state), "--why", "the test", "--json")
        assert done.returncode == 0, done.stderr
        back = wait_for(lambda: steered(station, "taken_back"), "not taken back")
        assert back["taken_back"] == {"epoch": steer["epoch"], "instruction": json.loads(done.stdout)["entry"]}
        assert float(back["paper"]["rate"]) == 0.0
        options = ["--state", str(station.state), "--why", "a test"]
        again = CliRunner().invoke(steer_commands, ["take-back", *options])
        assert (again.exit_code, "no steer to take back" in again.output) == (1, True)
        nothing = CliRunner().invoke(steer_commands, ["approve", "3", *options])
        assert (nothing.exit_code, "nothing of entry 3 is doubted" in nothing.output) == (1, True)
        assert station.replay().returncode == 0
