"""The console's addresses, headers, host rule and command, over a station of invented figures; no browser."""

from __future__ import annotations

import gzip
import http.client
import importlib.util
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from timeball.console import __main__ as command
from timeball.console import charts
from timeball.console.answers import Answers
from timeball.console.guard import HEADERS, HostRule, host_name

_spec = importlib.util.spec_from_file_location(
    "console_station_unit", Path(__file__).resolve().parent.parent / "fakes" / "console_station.py"
)
fake = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fake)


@pytest.fixture
def station():
    return fake.FakeStation()


@pytest.fixture
def ask(station):
    """Ask the console over a real socket; gives (status code, headers in lower case, body)."""
    with fake.serve(station, names=("console.lab.example",)) as (address, _server):
        host, port = address.removeprefix("http://").split(":")

        def asked(path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
            connection = http.client.HTTPConnection(host, int(port), timeout=10)
            connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
            for name, value in headers.items():
                if value:
                    connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body

        yield asked


def test_status_is_what_the_reader_says(ask, station):
    station.frozen = True
    code, headers, body = ask("/api/status")
    assert code == 200
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "no-store"
    assert json.loads(body) == json.loads(json.dumps(station.status()))


def test_history_takes_up_where_the_page_left_off(ask):
    whole = json.loads(ask("/api/history")[2])
    assert whole["through"] > 10_000
    assert len(whole["epoch_s"]) > 1000
    later = json.loads(ask(f"/api/history?since={whole['through'] - 3}")[2])
    assert later["epoch_s"][:3] == whole["epoch_s"][-3:]
    assert None in whole["clocks"]["HM3"], "NaN becomes null"


@pytest.mark.parametrize("since", ["-1", "x", "1.5", "", "99999999999999999999", "%D9%A1", "9007199254740993"])
def test_a_since_that_is_no_index_is_refused(ask, station, since):
    code, _, body = ask(f"/api/history?since={since}")
    assert code == 400
    assert "whole number" in json.loads(body)["error"]
    assert station.calls["history"] == 0


def test_deviations_are_answered(ask):
    answer = json.loads(ask("/api/deviations")[2])
    assert answer["type"] == "oadev"
    assert answer["confidence"] == 0.683
    assert set(answer["clocks"]["Cs1"]) == {"tau_s", "sigma", "low", "high"}


PATHS = ["/", "/api/status", "/api/history?since=x", "/static/main.js", "/static/none.js", "/plotly.min.js", "/nowhere"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_strict_headers(ask, path):
    _, headers, _ = ask(path)
    assert {name: headers.get(name) for name in HEADERS} == HEADERS
    assert "server" not in headers or "uvicorn" in headers["server"]  # the command switches it off
    assert "access-control-allow-origin" not in headers


def test_the_policy_allows_no_inline_code_no_eval_and_no_frame():
    policy = HEADERS["content-security-policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    for part in (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ):
        assert part in policy.split("; ")


HOSTS = [
    ("127.0.0.1:8123", 200),
    ("localhost", 200),
    ("LOCALHOST:1", 200),
    ("[::1]:8123", 200),
    ("127.9.9.9", 200),
    ("console.lab.example:8123", 200),
    ("attacker.example", 421),
    ("localhost.attacker.example", 421),
    ("127.0.0.1.attacker.example", 421),
    ("192.0.2.7:8123", 421),
    ("[2001:db8::1]", 421),
    ("", 421),
    ("console.lab.example@attacker.example", 421),
    ("0x7f000001", 421),
]


@pytest.mark.parametrize(("host", "code"), HOSTS)
def test_attack_dns_rebinding_a_foreign_host_name_gets_nothing(ask, host, code):
    got, headers, body = ask("/api/status", Host=host)
    # An empty or missing Host may already be refused by the HTTP parser.
    assert got == code or (host == "" and got in (400, 421))
    assert (b"verdict" in body) == (code == 200)
    if got != 400:
        assert headers["content-security-policy"] == HEADERS["content-security-policy"]


def test_a_wildcard_address_takes_any_literal_address_but_no_foreign_name():
    rule = HostRule(["0.0.0.0"])
    assert rule.allows("192.0.2.7:8123")
    assert rule.allows("[2001:db8::1]:8123")
    assert not rule.allows("attacker.example")
    assert not HostRule(["192.0.2.7"]).allows("192.0.2.8")
    assert HostRule(["192.0.2.7"]).allows("192.0.2.7")


def test_host_names_are_read_without_their_port():
    assert [host_name(h) for h in ("A.b:80", "[::1]:80", "[::1]", "x", "")] == ["a.b", "::1", "::1", "x", ""]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"])
def test_nothing_but_get_is_answered(ask, station, method):
    code, headers, _ = ask("/api/status", method)
    assert code == 405
    assert headers["allow"] == "GET"
    assert station.calls["status"] == 0


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2f..%2fapp.py", "/static/"])
def test_attack_path_traversal_leaves_the_static_folder_closed(ask, path):
    code, _, body = ask(path)
    assert code in (404, 405)
    assert b"Starlette" not in body


def test_a_reader_that_fails_is_a_503_with_its_words_and_not_kept(ask, station, capfd):
    station.failure = OSError("no space left on device")
    for _ in range(3):
        code, _, body = ask("/api/status")
        assert code == 503
        assert json.loads(body) == {"error": "no space left on device"}
    assert capfd.readouterr().err.count("no space left on device") == 1
    station.failure = None
    assert ask("/api/status")[0] == 200


def test_many_pages_cost_one_reading(ask, station):
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: ask("/api/status"), range(36)))
    assert {code for code, _, _ in answers} == {200}
    # 36 questions within moments; half a second passes at most a few times even on a loaded machine.
    assert station.calls["status"] < 12


def test_an_answer_says_how_old_it_is(ask, station):
    first = ask("/api/status")
    time.sleep(0.15)
    second = ask("/api/status")
    assert float(first[1]["timeball-age-s"]) >= 0
    if second[2] == first[2]:  # the same reading, kept
        assert float(second[1]["timeball-age-s"]) >= 0.15
    else:
        assert station.calls["status"] == 2


def test_answers_are_kept_read_once_and_never_concurrently():
    import asyncio

    now, running, most, reads = [0.0], [0], [0], []
    release = threading.Event()

    def read() -> dict:
        running[0] += 1
        most[0] = max(most[0], running[0])
        release.wait(5)
        reads.append(now[0])
        running[0] -= 1
        return {"n": len(reads), "x": np.float64("nan"), "a": np.arange(2)}

    async def scenario() -> None:
        answers = Answers(clock=lambda: now[0], room=2)
        waiting = [asyncio.create_task(answers.get(key, 0.5, read)) for key in ("a", "a", "b", "a")]
        await asyncio.sleep(0.05)
        waiting[0].cancel()  # one page goes away: the others still get theirs
        release.set()
        got = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(got[0], asyncio.CancelledError)
        assert got[1] is got[3]
        assert json.loads(got[1].body) == {"n": 1, "x": None, "a": [0, 1]}
        now[0] = 0.49
        assert (await answers.get("a", 0.5, read)) is got[1]
        now[0] = 0.51
        assert (await answers.get("a", 0.5, read)) is not got[1]
        for key in ("c", "d", "e"):
            await answers.get(key, 0.5, read)
        assert len(answers._kept) == 2
        answers.close()

    asyncio.run(scenario())
    assert most[0] == 1


def test_the_chart_script_is_the_packages_own_and_kept_by_version(ask):
    page = ask("/")[2].decode()
    address = re.search(r'data-charts="([^"]+)"', page)[1]
    assert address == charts.chart_address()
    assert re.fullmatch(r"/plotly\.min\.js\?v=[\w.]+", address)
    code, headers, body = ask(address)
    assert code == 200
    assert headers["content-type"].startswith("text/javascript")
    assert "immutable" in headers["cache-control"]
    assert body.lstrip().startswith(b"/**\n* plotly.js v")
    _, headers, packed = ask(address, Accept_Encoding="gzip")
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed) == body
    assert len(packed) < len(body) / 2


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_has_no_inline_code_and_points_nowhere_else(ask):
    parsed = _Page()
    parsed.feed(ask("/")[2].decode())
    assert len(parsed.tags) > 100
    for tag, attributes in parsed.tags:
        assert tag != "style"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag != "script" or attributes.get("src", "").startswith("/static/")
        for name in ("src", "href"):
            assert (attributes.get(name) or "/").startswith(("/", "#")), attributes
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in parsed.tags:
        for name in ("aria-labelledby", "aria-describedby"):
            assert set((attributes.get(name) or "").split()) <= set(ids)


def test_everything_that_the_station_serves_has_its_panel(ask, station):
    parsed = _Page()
    parsed.feed(ask("/")[2].decode())
    shown = {attributes.get("data-path") for _, attributes in parsed.tags}
    status = station.status()
    for part in ("nts", "roughtime", "ntp"):
        assert {f"{part}.{key}" for key in status[part] if key != "smear"} <= shown
    assert "outputs" in {attributes.get("data-rows") for _, attributes in parsed.tags}


def test_the_page_is_kept_free_of_the_chart_packages_own_style_sheet(ask):
    page = ask("/")[2].decode()
    assert charts.chart_style_marks(), "the package no longer carries one: take the precaution out"
    assert all(f'<template id="{mark}">' in page for mark in charts.chart_style_marks())


def test_static_files_name_no_other_host():
    folder = Path(command.__file__).parent / "static"
    for file in folder.iterdir():
        foreign = [url for url in re.findall(r"https?://[^\s\"')]+", file.read_text()) if "www.w3.org" not in url]
        assert foreign == [], file.name


def _state(folder: Path, listen: str) -> Path:
    (folder / "run").mkdir()
    (folder / "run" / "config.json").write_text(json.dumps({"console": {"listen": listen}, "ntp": {"listen": "x"}}))
    return folder


def test_listen_is_read_strictly():
    assert command.parse_listen("127.0.0.1:8123") == ("127.0.0.1", 8123)
    assert command.parse_listen("[::1]:80") == ("::1", 80)
    for wrong in ("", "8123", ":8123", "localhost:", "localhost:x", "localhost:65536", "localhost:-1"):
        with pytest.raises(ValueError, match="host:port"):
            command.parse_listen(wrong)


def test_without_a_configuration_the_defaults_hold(tmp_path):
    assert command.read_config(tmp_path) == command.ConsoleConfig("127.0.0.1:8123", [])
    assert command.read_config(_state(tmp_path, "127.0.0.1:9")).listen == "127.0.0.1:9"


@pytest.mark.parametrize("text", ["{", '{"console": {"listen": 5}}', '{"console": {"listen": "nowhere"}}'])
def test_a_configuration_that_cannot_be_read_is_one_sentence_and_exit_code_1(tmp_path, text, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(text)
    assert command.main(["--state", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert err.startswith("console: ")
    assert err.count("\n") == 1


def test_a_taken_port_is_one_sentence_and_exit_code_2(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-m", "timeball.console", "--state", str(_state(tmp_path, listen))],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == f"console: cannot listen on {listen}: Address already in use\n"


def test_it_serves_quietly_and_stops_cleanly_on_sigterm(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "timeball.console", "--state", str(_state(tmp_path, f"127.0.0.1:{port}"))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        answer = None
        for _ in range(300):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/")
                answer = connection.getresponse()
                break
            except OSError:
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.1)
        assert answer is not None
        assert answer.status == 200
        assert answer.getheader("server") is None
        answer.read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            process.kill()
    assert process.stdout.read() == ""
    assert process.stderr.read() == ""


def test_the_reader_is_made_at_the_first_question(tmp_path, monkeypatch):
    made = []

    class Reader:
        def __init__(self, state: Path) -> None:
            if not (state / "ledger").exists():
                raise FileNotFoundError("no ledger yet")
            made.append(state)

        def status(self) -> dict:
            return {"a": 1}

        def history(self, since_index: int = 0) -> dict:
            return {"since": since_index}

        def deviations(self) -> dict:
            return {"b": 2}

    module = type(sys)("timeball.station.reporting.status")
    module.StatusReader = Reader
    monkeypatch.setitem(sys.modules, "timeball.station.reporting.status", module)
    late = command.LateReader(tmp_path)
    with pytest.raises(FileNotFoundError):
        late.status()
    (tmp_path / "ledger").mkdir()
    assert (late.status(), late.history(7), late.deviations()) == ({"a": 1}, {"since": 7}, {"b": 2})
    assert made == [tmp_path]
