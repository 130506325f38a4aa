"""The checks of `timeball diag`: each state of each check, by a station whose pages the test has written."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from page_writers import S, write_clock, write_counts

from timeball.cli import root
from timeball.cli.diag import figure
from timeball.station import paths
from timeball.station.configuration.config import parse_config
from timeball.station.hosttime.hostclocks import boottime_ns
from timeball.station.page.feedpage import NOT_YET, FeedPage, Outcome, feed_page
from timeball.station.page.keyexchangepage import KeyExchangePage, keyexchange_page
from timeball.station.page.roughtimepage import RoughtimePage, roughtime_page
from timeball.station.page.serverpage import ServerPage, server_page
from timeball.station.page.watchpage import CANNOT_JUDGE, FOUND, NOTHING_FOUND, WatchPage, watch_page
from timeball.station.page.watchpage import NOT_YET as NOT_LOOKED
from timeball.station.reporting.checks import CHECKS, host, ledger, public, serving, timekeeping, watching
from timeball.station.reporting.diag import FAIL, OK, STATES, UNKNOWN, WARN, Check, Looks, diagnose, worst
from timeball.station.reporting.hostfacts import ProcessFacts, SocketFacts, process_facts, udp_sockets
from timeball.station.reporting.view import View, Viewer

DAY_S = 86400
SETTINGS = """
[nts]
listen = ["127.0.0.1:2"]
rotate_s = 1000
[[output]]
kind = "chrony-sock"
path = "/run/chrony.sock"
every_s = 2
"""
CLOCK = {"name": "A", "kind": "5071A", "weight": 0.5, "state": "in use"}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    configured(tmp_path, SETTINGS)
    return tmp_path


def configured(state: Path, settings: str) -> Path:
    paths.run_dir(state).mkdir(parents=True, exist_ok=True)
    paths.config_file(state).write_bytes(parse_config(settings).to_json())
    return state


@pytest.fixture
def view(state: Path) -> View:
    write_clock(state)
    write_counts(server_page(state), ServerPage)
    return Viewer(state).look()


def changed(view: View, status: dict[str, Any] | None = None, **fields: Any) -> View:
    """A look in which some keys of the status (`a.b`) and some fields are otherwise."""
    told = copy.deepcopy(view.status)
    for path, value in (status or {}).items():
        *way, last = path.split(".")
        place = told
        for key in way:
            place = place[key]
        place[last] = value
    return dataclasses.replace(view, status=told, **fields)


def looks(now: View, before: View | None = None) -> Looks:
    return Looks(now if before is None else before, now)


def states(checks: Any) -> list[str]:
    return [check.state for check in checks]


def test_time_and_leases(view: View, state: Path) -> None:
    assert states(timekeeping.served(looks(view))) == [OK]
    assert states(timekeeping.leases(looks(view))) == [OK, OK]
    late = changed(view, {"leases.observer": {"valid": True, "remaining_s": 1.0, "why": "w"}})
    assert states(timekeeping.leases(looks(late))) == [OK, WARN]
    write_clock(state, lease_s=-1.0)
    gone = Viewer(state).look()
    [served] = timekeeping.served(looks(gone))
    assert (served.state, served.value, served.limit) == (FAIL, 0.0, 1.0)
    assert served.sentence == "time is withdrawn: the timekeeper's lease has ended"
    assert states(timekeeping.leases(looks(gone))) == [FAIL, FAIL]


@pytest.mark.parametrize(("bound_s", "verdict"), [(1e-6, OK), (6e-5, WARN), (2e-4, FAIL), (None, UNKNOWN)])
def test_the_bound(view: View, bound_s: float | None, verdict: str) -> None:
    assert states(timekeeping.bound(looks(changed(view, {"time.bound_s": bound_s})))) == [verdict]


@pytest.mark.parametrize(("age_s", "verdict"), [(1.0, OK), (150.0, WARN), (700.0, FAIL)])
def test_the_age_of_the_page(view: View, age_s: float, verdict: str) -> None:
    assert view.timekeeper is not None
    old = dataclasses.replace(view.timekeeper, raw_ns=view.raw_ns - int(age_s * S))
    assert states(timekeeping.page_age(looks(changed(view, timekeeper=old)))) == [verdict]
    assert states(timekeeping.page_age(looks(changed(view, timekeeper=None)))) == [FAIL]


def test_clocks_that_carry_the_scale(view: View) -> None:
    def told(*rows: dict[str, Any]) -> Check:
        return next(timekeeping.clocks(looks(changed(view, {"clocks": list(rows)}))))

    out = {**CLOCK, "kind": "output signal", "weight": 0.0}
    assert told().state == UNKNOWN
    assert told(CLOCK, CLOCK, CLOCK, out).state == OK
    assert (told(CLOCK, CLOCK, out).state, told(CLOCK, CLOCK, out).value) == (WARN, 2.0)
    missing = {**CLOCK, "name": "B", "weight": 0.0, "state": "missing"}
    assert told(CLOCK, CLOCK, CLOCK, missing).state == WARN
    assert "B missing" in told(CLOCK, CLOCK, CLOCK, missing).sentence
    assert told(missing).state == FAIL


@pytest.mark.parametrize(("share", "verdict"), [(0.1, OK), (-0.7, WARN), (-1.5, FAIL)])
def test_the_output(view: View, share: float, verdict: str) -> None:
    limit = view.status["output"]["limit_s"]
    moved = changed(view, {"output.residual_s": share * limit})
    assert states(timekeeping.output(looks(moved))) == [verdict]
    assert states(timekeeping.output(looks(view))) == [UNKNOWN]


@pytest.mark.parametrize(("expires", "verdict"), [("2999-01-01T00:00:00Z", OK), ("1999-01-01T00:00:00Z", FAIL)])
def test_the_table_of_leap_seconds(view: View, expires: str, verdict: str) -> None:
    assert states(timekeeping.leap_table(looks(changed(view, {"time.leap.table_expires_utc": expires})))) == [verdict]
    assert states(timekeeping.leap_table(looks(view))) in ([OK], [WARN], [FAIL])  # as the table of this machine says


@pytest.mark.parametrize(("age_s", "verdict"), [(1.0, OK), (200.0, WARN), (5000.0, FAIL), (None, FAIL)])
def test_the_ledger_grows(view: View, age_s: float | None, verdict: str) -> None:
    assert states(ledger.growth(looks(changed(view, {"ledger.checkpoint_age_s": age_s})))) == [verdict]


def test_the_recorder_takes_entries_or_not(view: View, state: Path) -> None:
    assert states(ledger.recorder(looks(view))) == [FAIL]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(paths.recorder_socket(state)))
        listener.listen()
        assert states(ledger.recorder(looks(view))) == [OK]
    assert states(ledger.recorder(looks(view))) == [FAIL]  # the file is still there, nobody listens


@pytest.mark.parametrize(("free", "verdict"), [(5e9, OK), (5e8, WARN), (1e6, FAIL)])
def test_the_disk(view: View, monkeypatch: pytest.MonkeyPatch, free: float, verdict: str) -> None:
    monkeypatch.setattr(ledger, "free_bytes_of", lambda _folder: int(free))
    assert states(ledger.disk(looks(view))) == [verdict]


def test_witnesses(view: View) -> None:
    def told(size: int, age_s: float | None, why: str = "", verdict: str = "cosigned") -> str:
        row = {"name": "w1", "url": None, "size": size, "age_s": age_s, "why": why}
        part = {"policy": "/p", "state": verdict, "quorum": "w1", "size": size, "age_s": age_s, "why": ""}
        part["witnesses"] = [row]
        asked = changed(view, {"witnessing": part, "ledger.size": 10})
        return next(ledger.witnesses(looks(asked))).state

    assert states(ledger.witnesses(looks(view))) == [UNKNOWN]  # nobody is asked
    assert told(10, 5000.0) == OK  # old, and nothing new to cosign
    assert told(9, 5.0) == OK
    assert told(9, 5000.0) == told(0, None) == FAIL
    assert told(9, 5.0, verdict="missing") == FAIL
    assert told(9, 5.0, why="it does not answer") == WARN


def test_the_host_clock_warns_and_never_fails(view: View) -> None:
    assert states(host.clock(looks(view))) == [OK]
    ahead = dataclasses.replace(view.pair, realtime_ns=view.pair.realtime_ns + 10 * 365 * DAY_S * S)
    [check] = host.clock(looks(changed(view, pair=ahead)))
    assert (check.state, check.value) == (WARN, pytest.approx(10 * 365 * DAY_S, abs=1))


def test_processes_restarts_and_processor(view: View) -> None:
    busy = ProcessFacts(10**6, 100.0, 10, 3)

    def rows(restarts: int, up_s: float | None) -> dict[str, Any]:
        return {"processes": [{"name": "server", "pid": 1, "up_s": up_s, "restarts": restarts}]}

    assert states(host.processes(looks(changed(view, facts={})))) == [FAIL]
    assert states(host.processes(looks(changed(view, facts={"server": busy})))) == [OK]
    [down] = host.processes(looks(changed(view, facts={"server": None, "recorder": busy})))
    assert (down.state, down.value, down.limit, down.sentence) == (FAIL, 1.0, 2.0, "down: server")
    assert states(host.restarts(looks(changed(view, rows(0, 10.0))))) == [OK]
    assert states(host.restarts(looks(changed(view, rows(3, 10.0))))) == [WARN]
    assert states(host.restarts(looks(changed(view, rows(3, 2 * 3600.0))))) == [OK]

    def share(cpu_s: float) -> list[str]:
        before = changed(view, facts={"server": busy}, boottime_ns=view.boottime_ns - 10 * S)
        now = changed(view, facts={"server": dataclasses.replace(busy, cpu_s=busy.cpu_s + cpu_s)})
        return states(host.cpu(looks(now, before)))

    assert [share(1.0), share(8.0), share(9.9), share(-1.0)] == [[OK], [WARN], [FAIL], [UNKNOWN]]


def test_the_server_turns(view: View) -> None:
    assert view.server is not None
    assert states(serving.counters(looks(view))) == [OK]
    for age_s, state in ((2.0, WARN), (9.0, FAIL)):
        still = dataclasses.replace(view.server, updated_boottime_ns=view.boottime_ns - int(age_s * S))
        assert states(serving.counters(looks(changed(view, server=still)))) == [state]
    assert states(serving.counters(looks(changed(view, server=None)))) == [FAIL]


@pytest.mark.parametrize(("raw", "verdict"), [(0, OK), (14, OK), (34, WARN), (814, FAIL)])
def test_kernel_stamps(view: View, raw: int, verdict: str) -> None:
    assert view.server is not None
    # of the 14 before there was a page none had one
    page = dataclasses.replace(view.server, replies_in_sync=1000, replies_unsynchronised=14, raw_stamps=raw)
    assert states(serving.stamps(looks(changed(view, server=page)))) == [verdict]
    assert states(serving.stamps(looks(changed(view, server=None)))) == [UNKNOWN]


def test_datagrams_that_the_kernel_lost(view: View) -> None:
    def told(before: int, now: int) -> str:
        first, second = (changed(view, sockets=[SocketFacts(123, 4, 0, drops)]) for drops in (before, now))
        return next(serving.drops(looks(second, first))).state

    assert (told(0, 0), told(1, 1), told(1, 2), told(10**6, 10**6)) == (OK, OK, WARN, WARN)
    assert states(serving.drops(looks(changed(view, sockets=[])))) == [UNKNOWN]


@pytest.mark.parametrize(
    ("settings", "limited", "verdict"),
    [
        ("", 0, OK),
        ('listen = ["0.0.0.0:123"]', 0, WARN),
        ('listen = ["[::]:123"]', 0, WARN),
        ('listen = ["[::1]:123", "localhost:124"]', 0, OK),
        ("source_rate = 10", 10, OK),
        ("prefix_rate = 10", 900, WARN),
    ],
)
def test_the_limiter(tmp_path: Path, settings: str, limited: int, verdict: str) -> None:
    zeros = {field.name: 0 for field in dataclasses.fields(ServerPage)[2:]}
    configured(tmp_path, f"[ntp]\n{settings}\n")
    write_counts(
        server_page(tmp_path), ServerPage, **{**zeros, "replies_in_sync": 1000 - limited, "dropped_limited": limited}
    )
    assert states(serving.limiter(looks(Viewer(tmp_path).look()))) == [verdict]


@pytest.mark.parametrize(
    ("left_s", "refused", "verdict"),
    [(30 * DAY_S, 0, OK), (30 * DAY_S, 2, WARN), (7 * DAY_S, 0, WARN), (DAY_S, 2, FAIL)],
)
def test_the_certificate(state_of: Any, left_s: int, refused: int, verdict: str) -> None:
    told = state_of(certificate_left_s=left_s, certificates_refused=refused)
    assert told["certificate"] == verdict


@pytest.mark.parametrize(
    ("age_s", "failures", "verdict"), [(900, 0, OK), (1500, 0, WARN), (5000, 0, FAIL), (900, 1, FAIL)]
)
def test_the_cookie_key(state_of: Any, age_s: int, failures: int, verdict: str) -> None:
    assert state_of(key_age_s=age_s, key_failures=failures)["cookie key"] == verdict


@pytest.fixture
def state_of(state: Path) -> Any:
    """Writes a page of the key exchange, and gives the state of each check of it by name."""

    def told(**known: Any) -> dict[str, str]:
        write_counts(keyexchange_page(state), KeyExchangePage, **known)
        return {check.name: check.state for check in public.exchange(looks(Viewer(state).look()))}

    return told


def test_without_a_key_exchange_nothing_is_said_of_it(view: View, tmp_path: Path) -> None:
    assert states(public.exchange(looks(view))) == [FAIL]
    none = configured(tmp_path / "none", "")
    assert states(public.exchange(looks(Viewer(none).look()))) == []


def test_no_certificate_is_unknown(state_of: Any) -> None:
    assert state_of(certificate_expires_unix_s=0)["certificate"] == UNKNOWN


def test_the_watchdog_looks_and_what_it_found(tmp_path: Path) -> None:
    assert states(watching.watchdog(looks(Viewer(configured(tmp_path, "")).look()))) == [], "no pool is named"
    state = configured(tmp_path, '[khronos]\nservers = ["a.example:1", "b.example:1", "c.example:1"]\nevery_s = 10\n')

    def told(**known: Any) -> Check:
        write_counts(watch_page(state), WatchPage, **{"measured": 1, "offset_s": 0.002, "code": 0, **known})
        [check] = watching.watchdog(looks(Viewer(state).look()))
        assert check.name == "watchdog"
        return check

    assert states(watching.watchdog(looks(Viewer(state).look()))) == [FAIL], "none of this boot has run"
    assert (told(code=NOTHING_FOUND).state, told(code=NOTHING_FOUND).value) == (OK, 0.002)
    assert (told(code=FOUND, offset_s=-2.0).state, told(code=FOUND, offset_s=-2.0).value) == (FAIL, -2.0)
    blind = told(code=CANNOT_JUDGE, measured=0, asked=9, answered=2)
    assert (blind.state, blind.value) == (WARN, None)
    assert "2 of 9 servers" in blind.sentence
    assert "served time is not known" in told(code=CANNOT_JUDGE, measured=0, asked=0, answered=0).sentence
    assert told(code=NOT_LOOKED).state == UNKNOWN
    still = told(code=NOTHING_FOUND, updated_boottime_ns=boottime_ns() - 100 * S)
    assert (still.state, "stands still" in still.sentence) == (FAIL, True)


def test_roughtime_turns_and_its_key_holds(tmp_path: Path) -> None:
    def told(settings: str, left_s: float) -> dict[str, str]:
        state = configured(tmp_path, f'[roughtime]\nlisten = ["127.0.0.1:2"]\n{settings}')
        write_counts(roughtime_page(state), RoughtimePage, key_maxt_s=int(time.time() + left_s) if left_s else 0)
        return {check.name: check.state for check in public.roughtime(looks(Viewer(state).look()))}

    for settings, left_s, verdict in (
        ("", 20_000, OK),
        ("", 9_000, WARN),
        ('delegation = "/d"', 9_000, WARN),
        ('delegation = "/d"', 300_000, OK),
        ("", -5, FAIL),
        ("", 0, UNKNOWN),
    ):
        assert told(settings, left_s) == {"roughtime": OK, "roughtime key": verdict}
    none = configured(tmp_path / "none", '[roughtime]\nlisten = ["127.0.0.1:2"]\n')
    assert states(public.roughtime(looks(Viewer(none).look()))) == [FAIL]
    assert states(public.roughtime(looks(Viewer(configured(none, "")).look()))) == []


@pytest.mark.parametrize(
    ("outcome", "age_s", "verdict"),
    [
        (Outcome.GIVEN, 0, OK),
        (Outcome.WITHHELD, 0, WARN),
        (Outcome.ABSENT, 0, FAIL),
        (Outcome.GIVEN, 60, FAIL),
        (NOT_YET, 0, FAIL),
    ],
)
def test_an_output_beside_the_signal(state: Path, outcome: int, age_s: int, verdict: str) -> None:
    known = {"outcome": int(outcome), "offset_s": 1e-6, "bound_s": 2e-6, "rate": 0.0}
    write_counts(feed_page(state, 0), FeedPage, **known, updated_boottime_ns=boottime_ns() - age_s * S)
    assert states(public.outputs(looks(Viewer(state).look()))) == [verdict]


def test_every_check_has_a_state_and_a_sentence(view: View) -> None:
    checks = diagnose(view, view)
    assert {check.state for check in checks} <= set(STATES)
    assert all(check.sentence and check.name for check in checks)
    assert len({check.name for check in checks}) == len(checks) >= 20


def test_a_check_that_breaks_is_unknown_and_ends_nothing(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_looks: Looks) -> Any:
        raise OSError("gone")

    monkeypatch.setitem(CHECKS, "disk", broken)
    checks = {check.name: check for check in diagnose(view, view)}
    assert checks["disk"].state == UNKNOWN
    assert "gone" in checks["disk"].sentence
    assert "ledger" in checks


def test_the_worst_state() -> None:
    def of(*words: str) -> str:
        return worst([Check("n", word, None, None, "", "s") for word in words])

    assert [of(OK, WARN, FAIL), of(OK, WARN, UNKNOWN), of(UNKNOWN, OK), of(UNKNOWN)] == [FAIL, WARN, OK, UNKNOWN]


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "s", "-"),
        (1.5e-6, "s", "1.5 µs"),
        (3 * 86400.0, "s", "3 d"),
        (200.0, "s", "3.33 min"),
        (0.0042, "ratio", "0.42 %"),
        (2.5e9, "B", "2.5 GB"),
        (12.0, "B", "12 B"),
        (8.0, "", "8"),
    ],
)
def test_figures_for_people(value: float | None, unit: str, words: str) -> None:
    assert figure(value, unit) == words


def test_the_command(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_clock(state)
    assert root.run(["diag", "--state", str(state), "--seconds", "0"]) == 3  # no process runs here
    shown = capsys.readouterr().out
    assert "fail     processes" in shown
    assert root.run(["diag", "--state", str(state), "--seconds", "0", "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["state"] == FAIL
    assert set(document["checks"][0]) == {"name", "state", "value", "limit", "unit", "sentence"}
    assert [check["name"] for check in document["checks"] if check["state"] == OK][:1] == ["time"]
    assert root.run(["diag", "--state", str(state / "nowhere")]) == 2
    assert "no station has run here" in capsys.readouterr().err


def test_the_kernels_words_on_this_very_process() -> None:
    facts = process_facts(os.getpid())
    assert facts is not None
    assert facts.resident_bytes > 10**6
    assert (facts.descriptors or 0) > 2
    assert facts.threads >= 1
    assert facts.cpu_s > 0
    assert process_facts(None) is process_facts(2**22 + 1) is None


def test_a_full_buffer_is_seen() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert [(one.drops, one.waiting_bytes) for one in udp_sockets({port})] == [(0, 0)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for _ in range(100):
                client.sendto(bytes(100), ("127.0.0.1", port))
        [one] = udp_sockets({port})
        assert one.drops > 0
        assert one.waiting_bytes > 0
    assert udp_sockets({port}) == []
