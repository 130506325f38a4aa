"""`timeball ledger serve` as a process: headers, what it refuses, who reads what; and that any web server will do."""

from __future__ import annotations

import hashlib
import http.client
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgers import build_small
from served import files_served, timeball_serves
from starlette.requests import Request

from timeball.cli import root
from timeball.ledger import canonical
from timeball.ledger.errors import TileError
from timeball.ledger.payload import WITHHELD
from timeball.ledger.tiles import parse_tile_path
from timeball.station.publishing.access import Access
from timeball.station.publishing.app import _Pages
from timeball.station.publishing.files import LedgerFiles
from timeball.station.recording.store import NewEntry, Store

TOKEN = "a-token-of-some-length"
CONFIG = f'[[ledger.reader]]\nname = "ministry"\ntoken_sha256 = "{hashlib.sha256(TOKEN.encode()).hexdigest()}"\n'
COUNT = 300


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "state"
    with Store(folder) as store:
        entries = [NewEntry("collector", n, "readings", 1, canonical.encode({"n": n})) for n in range(1, COUNT)]
        store.append_many([*entries, NewEntry("people", 1, "approval", 1, canonical.encode({"who": "Ada"}))], 5)
        store.integrate()
    (folder / "ledger" / "secret").symlink_to(folder / "keys" / "log.key")
    (folder / "ledger" / "tile" / "2").symlink_to(folder / "keys")
    return folder


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "server.log"


@pytest.fixture(scope="module")
def url(state: Path, log: Path) -> Iterator[str]:
    config = log.with_name("config.toml")
    config.write_text(CONFIG + 'types = ["approval"]\n')
    with timeball_serves(state, "--config", str(config), log=log) as address:
        yield address


def ask(url: str, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


@pytest.mark.parametrize(
    ("path", "file", "kind", "caching"),
    [
        ("/checkpoint", "ledger/checkpoint", "text/plain; charset=utf-8", "public, max-age=1"),
        ("/checkpoint.head", "ledger/checkpoint", "text/plain; charset=utf-8", "public, max-age=1"),
        ("/log.vkey", "ledger/log.vkey", "text/plain; charset=utf-8", "public, max-age=1"),
        ("/tile/0/000", "ledger/tile/0/000", "application/octet-stream", "public, max-age=31536000, immutable"),
        (
            "/tile/0/001.p/44",
            "ledger/tile/0/001.p/44",
            "application/octet-stream",
            "public, max-age=31536000, immutable",
        ),
        (
            "/tile/entries/000",
            "ledger/tile/entries/000",
            "application/octet-stream",
            "public, max-age=31536000, immutable",
        ),
        ("/payloads/000", "payloads/000", "application/octet-stream", "private, no-cache"),
    ],
)
def test_files_and_their_headers(url: str, state: Path, path: str, file: str, kind: str, caching: str) -> None:
    expected = (state / file).read_bytes()
    answer, body = ask(url, path)
    assert (answer.status, body) == (200, expected)
    told = {name: answer.headers[name] for name in ("Content-Type", "Cache-Control", "X-Content-Type-Options")}
    assert list(told.values()) == [kind, caching, "nosniff"]
    assert answer.headers["Last-Modified"].endswith("GMT")
    bare, nothing = ask(url, path, "HEAD")
    assert (bare.status, nothing, bare.headers["Content-Length"]) == (200, b"", str(len(expected)))
    for tag in (answer.headers["ETag"], "W/" + answer.headers["ETag"], '"other", ' + answer.headers["ETag"], "*"):
        again, nothing = ask(url, path, If_None_Match=tag)
        assert (again.status, nothing, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])
    assert ask(url, path, If_None_Match='"other"')[0].status == 200


def test_a_narrower_tile_comes_out_of_a_wider_one(url: str, state: Path) -> None:
    assert not (state / "ledger/tile/0/000.p").exists()
    assert ask(url, "/tile/0/000.p/7")[1] == (state / "ledger/tile/0/000").read_bytes()[: 7 * 32]
    assert ask(url, "/tile/0/001.p/3")[1] == (state / "ledger/tile/0/001.p/44").read_bytes()[: 3 * 32]
    narrow = ask(url, "/tile/entries/001.p/3")[1]
    assert len(narrow) > 100
    assert (state / "ledger/tile/entries/001.p/44").read_bytes().startswith(narrow)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/tile/0/002",
        "/tile/0/001",
        "/tile/0/001.p/45",
        "/tile/1/000.p/2",
        "/tile/63/000",
        "/tile/64/000",
        "/tile/0/0",
        "/tile/0/x000/000",
        "/tile/0/000.p/256",
        "/tile/2/log.key",
        "/tile/../../keys/log.key",
        "/tile/..%2f..%2fkeys/log.key",
        "/tile/%2e%2e/%2e%2e/keys/log.key",
        "//checkpoint",
        "/secret",
        "/keys/log.key",
        "/journal",
        "/ledger/checkpoint",
        "/payloads/002",
        "/payloads/x000/000",
        "/payloads/../keys/log.key",
        "/payloads/",
        "/tile/0/000\\..",
        "/checkpoint%00",
    ],
)
def test_what_no_head_covers_is_not_there(url: str, path: str) -> None:
    answer, body = ask(url, path)
    assert answer.status == 404
    assert b"PRIVATE" not in body


def test_nothing_can_be_written(url: str) -> None:
    assert [ask(url, "/checkpoint", method)[0].status for method in ("POST", "PUT", "DELETE")] == [405] * 3


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = build_small(tmp_path / "outside", hours=1)
    state = tmp_path / "state"
    state.mkdir()
    for name in ("ledger", "payloads"):
        (state / name).symlink_to(outside / name)
    files = LedgerFiles(state)
    assert (files.head(), files.newest(), files.payloads(0)) == (None, None, None)
    assert LedgerFiles(outside).payloads(0) is not None
    assert LedgerFiles(tmp_path / "nowhere").head() is None


def test_private_payloads_go_to_their_readers_and_all_is_logged(url: str, state: Path, log: Path) -> None:
    whole = (state / "payloads/001").read_bytes()
    _, everybody = ask(url, "/payloads/001")
    answer, ministry = ask(url, "/payloads/001", Authorization=f"Bearer {TOKEN}")
    assert ministry == whole
    assert answer.headers["Vary"] == "Authorization"
    assert everybody.endswith(WITHHELD)
    assert whole.startswith(everybody.removesuffix(WITHHELD))
    refused, body = ask(url, "/payloads/001", Authorization="Bearer guess")
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert b"Ada" not in body + everybody
    lines = log.read_text()
    assert "payloads/001 read by anybody (127.0.0.1), withheld: approval\n" in lines
    assert "payloads/001 read by ministry (127.0.0.1)\n" in lines
    assert "payloads refused to 127.0.0.1: the token is nobody's\n" in lines
    assert TOKEN not in lines
    assert "guess" not in lines


@given(st.text(st.characters(codec="utf-8"), max_size=40) | st.from_regex(r"[0-9a-z./]{0,30}"))
def test_no_path_gives_anything_but_a_tile(path: str) -> None:
    pages = _Pages(LedgerFiles(Path("/nonexistent")), Access())
    for endpoint in (pages.tile, pages.payloads):
        request = Request({"type": "http", "method": "GET", "headers": [], "path_params": {"path": path}})
        assert endpoint(request).status_code == 404
    try:
        assert str(parse_tile_path("tile/" + path)) == "tile/" + path
    except TileError:
        return


def test_any_static_server_serves_a_log_that_verifies(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m http.server` over STATE/ledger: the same tree; of payloads it knows nothing."""
    command = [
        sys.executable,
        "-u",
        "-m",
        "http.server",
        "0",
        "--bind",
        "127.0.0.1",
        "--directory",
        str(state / "ledger"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        port = server.stdout.readline().split("port ")[1].split()[0]
        try:
            assert root.run(["ledger", "mirror", f"http://127.0.0.1:{port}", str(tmp_path / "mirror")]) == 0
        finally:
            server.terminate()
    assert f"{COUNT} payloads were withheld" in capsys.readouterr().out
    key = (state / "ledger/log.vkey").read_text().strip()
    assert root.run(["verify", str(tmp_path / "mirror"), "--key", key]) == 0
    assert f"0 erased, {COUNT} withheld from whoever fetched this copy" in capsys.readouterr().out


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["ledger", "serve", "--state", str(tmp_path / "none")]) == 2
    assert root.run(["ledger", "serve", "--state", str(tmp_path), "--listen", "nowhere"]) == 1
    with files_served(tmp_path) as url:
        assert root.run(["ledger", "serve", "--state", str(tmp_path), "--listen", urlsplit(url).netloc]) == 2
    assert "cannot listen" in capsys.readouterr().err


def test_what_was_moved_to_cold_storage_is_served_from_there(tmp_path: Path) -> None:
    state, cold = tmp_path / "state", tmp_path / "cold"
    with Store(state) as store:
        made = [NewEntry("collector", n, "readings", 1, canonical.encode({"n": n})) for n in range(1, 600)]
        store.append_many(made, 5)
        store.integrate()
    before = [(state / "payloads" / name).read_bytes() for name in ("000", "001")]
    archived = root.run(["ledger", "archive", "--state", str(state), "--to", str(cold), "--before", "2026-01-01"])
    assert archived == 0
    assert not (state / "payloads" / "000").exists(), "control: it was moved"
    with timeball_serves(state) as url:
        assert [ask(url, f"/payloads/{name}")[1] for name in ("000", "001")] == before
        assert root.run(["ledger", "mirror", url, str(tmp_path / "mirror")]) == 0
        cold.rename(tmp_path / "away")
        assert ask(url, "/payloads/000")[0].status == 503, "not 404: a mirror would take it for withheld"
    assert root.run(["verify", str(tmp_path / "mirror")]) == 0
