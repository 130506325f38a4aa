"""The key exchange as a process: real clients, kills, changes of keys and certificates, and what the ledger is told."""

from __future__ import annotations

import base64
import os
import pwd
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from exchanging import PATIENCE_S, Exchange, exchanging, key_of
from stations import alive, free_port, wait_for

from clients import needs_root, program
from timeball.ledger import canonical
from timeball.protocols.nts.asking import build_request
from timeball.station.configuration.serving import NTS
from timeball.station.configuration.settings import Config
from timeball.station.keyexchange import work
from timeball.station.nts.authority import Issued, issue_certificate, make_authority
from timeball.station.nts.keclient import KeyExchangeError, exchange_keys
from timeball.station.nts.keyfile import KeySet, Moment, StoredKey, keys_file, write_keys
from timeball.station.nts.saying import KIND, STREAM
from timeball.station.nts.shown import ca_file
from timeball.station.recording.ledger_reader import LedgerReader
from timeball.station.supervision.process import CannotStartError, Process

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """One that goes on through the tests that only ask: two workers, and a certificate of its own."""
    with exchanging(tmp_path_factory.mktemp("quiet"), {"processes": 2, "handshake_s": 20.0}) as one:
        yield one


def chrony_conf(folder: Path, lines: str) -> Path:
    folder.mkdir(mode=0o700)
    conf = folder / "conf"
    conf.write_text(f"{lines}\ncmdport 0\nbindcmdaddress {folder}/sock\npidfile {folder}/pid\n")
    return conf


def test_chronyd_gets_its_cookies_and_goes_where_it_is_told(quiet: Exchange, tmp_path: Path) -> None:
    needs_root()
    conf = chrony_conf(
        tmp_path / "c",
        f"server localhost nts ntsport {quiet.port} iburst\nntstrustedcerts {ca_file(quiet.state)}\nport 0",
    )
    before = quiet.page().agreed
    command = [program("chronyd"), "-Q", "-d", "-u", "root", "-t", "60", "-f", str(conf)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as chronyd:
        assert chronyd.stdout is not None
        said = ""
        for line in chronyd.stdout:
            said += line
            if "changed port to 11123" in line:
                break
        chronyd.terminate()
    assert "changed port to 11123" in said, said
    quiet.until(lambda page: page.agreed > before)


def test_our_client_gets_cookies_from_chronyd(tmp_path: Path) -> None:
    needs_root()
    port, authority = free_port(), make_authority("Test", NOW)
    issued = issue_certificate(authority, ["localhost"], NOW)
    ca = put(tmp_path, issued, authority)
    conf = chrony_conf(
        tmp_path / "c",
        f"port {free_port()}\nntsport {port}\n"
        f"ntsservercert {tmp_path}/chain.pem\nntsserverkey {tmp_path}/key.pem\n"
        "bindaddress 127.0.0.1\nallow 127.0.0.1\nntsprocesses 1",
    )
    log = (tmp_path / "log").open("wb")
    chronyd = subprocess.Popen([program("chronyd"), "-x", "-d", "-u", "root", "-f", str(conf)], stdout=log, stderr=log)
    try:

        def attempt() -> object:
            try:
                return exchange_keys("localhost", port, ca, timeout_s=PATIENCE_S)
            except KeyExchangeError:
                return None

        agreement = wait_for(attempt, f"chronyd gives no keys {(tmp_path / 'log').read_text()}", PATIENCE_S)
    finally:
        chronyd.terminate()
        chronyd.wait(PATIENCE_S)
        log.close()
    assert (agreement.aead, len(agreement.cookies), len(agreement.c2s)) == (15, 8, 32)
    assert {len(cookie) for cookie in agreement.cookies} == {100}


def s_client(quiet: Exchange, *options: str, request: bytes = b"") -> str:
    """What `openssl s_client` says of a connection."""
    done = subprocess.run(
        [
            program("openssl"),
            "s_client",
            "-connect",
            f"127.0.0.1:{quiet.port}",
            "-CAfile",
            str(ca_file(quiet.state)),
            *options,
        ],
        input=request,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return (done.stdout + done.stderr).decode("latin-1")


def test_openssl_finds_what_the_standard_asks(quiet: Exchange) -> None:
    name = ("-alpn", "ntske/1", "-verify_hostname", "localhost", "-verify_return_error")
    said = s_client(quiet, *name, "-ign_eof", request=build_request((15,)))
    assert "TLSv1.3" in said
    assert "ALPN protocol: ntske/1" in said
    assert "Verified peername: localhost" in said
    assert "alert protocol version" in s_client(quiet, "-alpn", "ntske/1", "-tls1_2")
    assert "alert no application protocol" in s_client(quiet, "-alpn", "http/1.1")
    page = quiet.until(lambda page: page.no_alpn and page.tls_failed)
    assert "No ALPN negotiated" in s_client(quiet, "-ign_eof", request=build_request((15,)))
    quiet.until(lambda later: later.no_alpn > page.no_alpn)


def test_every_connection_is_counted_once(quiet: Exchange) -> None:
    before = quiet.page()
    for _ in range(5):
        quiet.exchange()
    page = quiet.until(lambda page: page.agreed == before.agreed + 5 and page.open == 0)
    ended = page.agreed + page.no_protocol + page.no_aead + page.unknown_critical + page.bad_request + page.tls_failed
    ended += (
        page.no_alpn + page.timed_out + page.hung_up + page.evicted + page.crowded + page.limited + page.internal_errors
    )
    assert page.accepted == ended
    assert page.cookies == 8 * page.agreed
    assert page.key_id == quiet.keys().current.id
    assert 80 * 86400 < page.certificate_left_s <= 90 * 86400
    assert (page.workers, page.worker_deaths, page.cluster_age_s) == (2, 0, -1)


def test_a_worker_that_is_killed_is_replaced_and_one_alone_goes_on(quiet: Exchange) -> None:
    victim = quiet.workers()[0]
    os.kill(victim, signal.SIGKILL)
    quiet.exchange()
    page = quiet.until(lambda page: page.worker_deaths == 1 and page.workers == 2)
    assert page.accepted >= page.agreed > 0, "the counts of the dead are kept"
    quiet.exchange()


def test_killed_it_takes_its_workers_along_and_goes_on_with_its_keys(tmp_path: Path) -> None:
    with exchanging(tmp_path / "one") as one:
        keys, workers = one.keys(), one.workers()
        first = one.exchange()
        one.kill()
        wait_for(lambda: not any(alive(pid) for pid in workers), "a worker outlives it", PATIENCE_S)
        one.start()
        again = one.wait()
        assert one.keys() == keys
        assert {key_of(cookie) for cookie in (*first.cookies, *again.cookies)} == {keys.current.id}
        one.stop()
        assert (one.state / "nts" / "ca.pem").exists()


def test_started_by_root_its_workers_are_somebody_else_and_so_is_who_may_read_the_keys(tmp_path: Path) -> None:
    needs_root()
    nobody = pwd.getpwnam("nobody")
    one = Exchange(tmp_path, {}, user="nobody")
    write_keys(keys_file(one.state), KeySet(current=StoredKey(7, "07" * 32), used=Moment(0.0, 0.0, "")))
    one.start()
    try:
        one.wait()
        (worker,) = one.workers()
        status = dict(line.split(":", 1) for line in Path(f"/proc/{worker}/status").read_text().splitlines())
        assert set(status["Uid"].split()) == {str(nobody.pw_uid)}
        assert set(status["Gid"].split()) == {str(nobody.pw_gid)}
        assert (status["Groups"].split(), status["NoNewPrivs"].strip(), int(status["CapEff"], 16)) == ([], "1", 0)
        keys = one.state / "nts" / "keys"
        assert (keys.stat().st_uid, keys.stat().st_mode & 0o777) == (nobody.pw_uid, 0o600)
        assert {path.stat().st_uid for path in keys.parent.glob("*.pem")} == {0}
        assert keys.parent.stat().st_mode & 0o777 == 0o710
    finally:
        one.stop()


def put(folder: Path, issued: Issued, authority: Issued) -> Path:
    (folder / "chain.pem").write_bytes(issued.certificate)
    (folder / "key.pem").write_bytes(issued.key)
    (folder / "ca.pem").write_bytes(authority.certificate)
    return folder / "ca.pem"


def test_a_certificate_is_renewed_without_dropping_a_request(tmp_path: Path) -> None:
    authority = make_authority("Test", NOW)
    first, second = (issue_certificate(authority, ["localhost"], NOW, days) for days in (10, 20))
    ca = put(tmp_path, first, authority)
    files = {"certificate": str(tmp_path / "chain.pem"), "key": str(tmp_path / "key.pem")}
    one = Exchange(tmp_path, files)
    one.start()
    try:
        old = one.until(lambda page: page.workers == 1).certificate_expires_unix_s
        failed: list[Exception] = []
        done, stop = [0], threading.Event()

        def ask() -> None:
            while not stop.wait(0.1):
                try:
                    one.exchange(ca)
                    done[0] += 1
                except (KeyExchangeError, OSError) as error:
                    failed.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        wait_for(lambda: done[0] > 3, "nothing is asked", PATIENCE_S)
        (tmp_path / "key.pem").write_bytes(second.key)  # half of the pair: it does not fit
        one.until(lambda page: page.certificates_refused == 1)
        put(tmp_path, second, authority)
        new = one.until(lambda page: page.certificates_taken == 1).certificate_expires_unix_s
        so_far = done[0]
        wait_for(lambda: done[0] > so_far + 3, "nothing is asked any more", PATIENCE_S)
        stop.set()
        asking.join()
        assert not failed
        assert new - old == 10 * 86400
        assert "goes on" in one.say()
    finally:
        one.stop()


def test_keys_change_while_they_are_used_and_the_ledger_knows_their_numbers(tmp_path: Path) -> None:
    one = Exchange(tmp_path, {"rotate_s": 2.0, "kept": 2})
    one.start("recorder")
    try:
        one.wait_recorder()
        one.start()
        one.wait()
        seen: list[int] = []

        def changed() -> bool:
            time.sleep(0.2)
            known = one.keys()
            cookie = one.exchange().cookies[0]
            assert key_of(cookie) in known.ids(), "a cookie under a key that was not on the disk before it"
            if key_of(cookie) not in seen:
                seen.append(key_of(cookie))
            return len(seen) == 2

        wait_for(changed, "the keys do not change", PATIENCE_S)
        wait_for(lambda: seen[1] in currents(one), "not recorded", PATIENCE_S)
        assert [number for number in currents(one) if number in seen] == seen
        secrets = [key.key for key in (one.keys().current, *one.keys().older)]
        one.stop()
    finally:
        for process in one.running.values():
            process.kill()
            process.wait()
    whole = b"".join(path.read_bytes() for path in one.state.rglob("*") if path.is_file() and path.name != "keys")
    for secret in secrets:
        raw = bytes.fromhex(secret)
        for form in (raw, secret.encode(), base64.b64encode(raw)[:40]):
            assert form not in whole, "a key has left its file"


def currents(one: Exchange) -> list[int]:
    """The keys in use, in the order in which the ledger was told."""
    told: list[int] = []
    for entry in LedgerReader(one.state).entries():
        if (entry.envelope.by, entry.envelope.type) == (STREAM, KIND):
            payload = canonical.decode(entry.payload or b"")
            assert set(payload) == {"current", "next", "older", "source", "why"}
            if not told or told[-1] != payload["current"]:
                told.append(payload["current"])
    return told


def test_what_cannot_be_started_is_told_in_one_sentence(tmp_path: Path, quiet: Exchange) -> None:
    free, (taken,) = f"127.0.0.1:{free_port()}", quiet.settings["listen"]
    missing = NTS(listen=(free,), certificate="/nowhere/c", key="/nowhere/k")
    for settings, words in ((missing, "cannot read /nowhere/c"), (NTS(listen=(taken,)), f"cannot listen on {taken}")):
        with pytest.raises(CannotStartError, match=words):
            work(Process("keyexchange", tmp_path, Config(nts=settings)))
