"""Time-stamp tokens over a checkpoint: OpenSSL's `ts` is the authority, over real HTTP; every lie is refused."""

from __future__ import annotations

import builtins
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from proofs import LEAPS, build_life, utc

from timeball.cli import root
from timeball.station.proving import der, timestamps
from timeball.station.proving.errors import TimestampError, UnreachableError
from timeball.station.proving.making import make_proof
from timeball.station.proving.source import FolderSource
from timeball.station.proving.timestamps import (
    TimestampsMissingError,
    load_certificates,
    make_request,
    read_token,
    verify_token,
)
from timeball.station.proving.tsaclient import ask_token

CHECKPOINT = b"a.example/log\n7\nroot\n\n\xe2\x80\x94 a.example/log AAAA\n"
# no `certs`: OpenSSL would write the chain as an unsorted SET
CONFIGURATION = """
[tsa]
default_tsa = the_tsa
[the_tsa]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = millisecs:500
clock_precision_digits = 6
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@dataclass
class Authority:
    """OpenSSL's time-stamp authority behind a loopback address; `answer` may be set to lie with."""

    folder: Path
    url: str = ""
    answer: bytes | None = None

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    def reply(self, query: bytes) -> bytes:
        (self.folder / "query.tsq").write_bytes(query)
        run("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query.tsq", "-out", "reply.tsr", cwd=self.folder)
        return (self.folder / "reply.tsr").read_bytes()


def run(*arguments: str, cwd: Path) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def make_authority(folder: Path, name: str) -> Authority:
    folder.mkdir()
    subject = ["-subj", f"/CN={name}", "-nodes", "-newkey", "rsa:2048", "-days", "3650"]
    run(
        "req",
        "-x509",
        *subject,
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        cwd=folder,
    )
    run("req", "-new", *subject[:-2], "-keyout", "tsa.key", "-out", "tsa.csr", cwd=folder)
    (folder / "ext").write_text("extendedKeyUsage=critical,timeStamping\nbasicConstraints=critical,CA:FALSE\n")
    run(
        "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3650",
        "-extfile", "ext", "-out", "tsa.pem", cwd=folder,
    )  # fmt: skip
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder))
    return Authority(folder)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: there is no time-stamp authority to ask")
    pytest.importorskip("rfc3161_client", reason="the extra `timestamps` is not installed")
    made = make_authority(tmp_path_factory.mktemp("tsa") / "a", "a tsa.example")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/timestamp-query"
            answer = made.reply(body) if made.answer is None else made.answer
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/"
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def response(authority: Authority) -> bytes:
    return ask_token(authority.url, CHECKPOINT)


def certificates(authority: Authority) -> list[Any]:
    return load_certificates(authority.certificate.read_bytes(), "ca.pem")


def test_a_token_of_openssl_is_read_to_the_microsecond_and_verified(authority: Authority, response: bytes) -> None:
    info = verify_token(response, CHECKPOINT, certificates(authority), "token")
    (authority.folder / "kept.tsr").write_bytes(response)
    text = subprocess.run(
        ["openssl", "ts", "-reply", "-in", "kept.tsr", "-text"],
        cwd=authority.folder, capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    stamp = re.search(r"Time stamp: (\w+ +\d+ \d+:\d+:(\d+)\.(\d+) \d+ GMT)", text)
    assert stamp is not None, text
    assert info.utc.rstrip("0Z").endswith(f":{stamp[2]}.{stamp[3]}".rstrip("0"))
    serial = re.search(r"Serial number: 0x(\w+)", text)
    assert serial is not None
    assert info.serial == int(serial[1], 16)


def test_a_tampered_token_is_refused(authority: Authority, response: bytes) -> None:
    # the last bytes are the signature's
    for place in (-1, -100, -200):
        bad = bytearray(response)
        bad[place] ^= 1
        with pytest.raises(TimestampError, match="does not verify"):
            verify_token(bytes(bad), CHECKPOINT, certificates(authority), "token")


def test_a_changed_time_is_refused(authority: Authority, response: bytes) -> None:
    stamp = re.search(rb"20\d{12}\.\d+Z", response)
    assert stamp is not None
    bad = response[: stamp.start()] + b"1" + response[stamp.start() + 1 :]
    assert read_token(bad, CHECKPOINT, "token").utc.startswith("10")
    with pytest.raises(TimestampError, match="does not verify"):
        verify_token(bad, CHECKPOINT, certificates(authority), "token")


def test_another_authority_is_refused(authority: Authority, response: bytes, tmp_path: Path) -> None:
    stranger = make_authority(tmp_path / "b", "b tsa.example")
    with pytest.raises(TimestampError, match="does not verify"):
        verify_token(response, CHECKPOINT, certificates(stranger), "token")


def test_a_token_of_another_checkpoint_is_refused(response: bytes) -> None:
    with pytest.raises(TimestampError, match="which is not this checkpoint"):
        read_token(response, CHECKPOINT + b"\n", "token")


def test_a_digest_of_another_kind_is_refused(authority: Authority) -> None:
    (authority.folder / "data").write_bytes(CHECKPOINT)
    run("ts", "-query", "-data", "data", "-sha512", "-out", "other.tsq", cwd=authority.folder)
    other = authority.reply((authority.folder / "other.tsq").read_bytes())
    with pytest.raises(TimestampError, match="another kind than SHA-256"):
        read_token(other, CHECKPOINT, "token")


def test_an_answer_to_somebody_else_is_refused(authority: Authority, response: bytes) -> None:
    authority.answer = response
    try:
        with pytest.raises(TimestampError, match="answers another request"):
            ask_token(authority.url, CHECKPOINT)
    finally:
        authority.answer = None


def test_a_refusal_and_rubbish_are_refused(authority: Authority, response: bytes) -> None:
    refusal = authority.reply(make_request(CHECKPOINT)[0][:-3])
    for bad in (refusal, b"", b"no", b"\x30\x80", response[:-1], response + b"\0", b"\x30\x03\x02\x01\x00"):
        with pytest.raises(TimestampError, match="no time-stamp response"):
            read_token(bad, CHECKPOINT, "token")


def test_an_authority_that_does_not_answer(authority: Authority) -> None:
    with pytest.raises(UnreachableError):
        ask_token("http://127.0.0.1:9/", CHECKPOINT)
    with pytest.raises(UnreachableError, match="not an http"):
        ask_token("file:///etc/passwd", CHECKPOINT)


def test_without_the_extra_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name.startswith("rfc3161"):
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(TimestampsMissingError, match=r"timeball\[timestamps\]"):
        timestamps.make_request(CHECKPOINT)


@pytest.mark.parametrize(
    ("text", "posix_ns"),
    [
        (b"20261122093107Z", 1795339867 * 10**9),
        (b"20261122093107.123456Z", 1795339867123456000),
        (b"20261122093107.5Z", 1795339867500000000),
    ],
)
def test_times_with_and_without_fractions(text: bytes, posix_ns: int) -> None:
    assert der._parse_time(text) == posix_ns


@pytest.mark.parametrize(
    "text", [b"20261122093107", b"261122093107Z", b"20261322093107Z", b"20261122093107.Z", b"20261122093160Z"]
)
def test_other_times_are_refused(text: bytes) -> None:
    with pytest.raises(der.DERError):
        der._parse_time(text)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_life(tmp_path_factory.mktemp("life"))


def test_a_proof_carries_the_token_and_verify_judges_it(
    authority: Authority, state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.tlog-proof"
    ask = ["prove", "--state", str(state), "-o", str(out), "--at", utc(30.0)]
    assert root.run([*ask, "--timestamp-url", authority.url]) == 0
    assert "signature not checked" in capsys.readouterr().out
    assert root.run(["verify", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["timestamps"][0]["signature_checked"] is False
    assert root.run(["verify", str(out), "--tsa-certificate", str(authority.certificate), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["timestamps"][0]["signature_checked"] is True
    stranger = make_authority(tmp_path / "b", "b tsa.example")
    assert root.run(["verify", str(out), "--tsa-certificate", str(stranger.certificate)]) == 4
    assert root.run(["verify", str(out), "--tsa-certificate", str(state / "ledger/log.vkey")]) in (1, 4)
    assert root.run([*ask, "--timestamp-url", "http://127.0.0.1:9/"]) == 2


def test_a_token_held_in_a_file_is_taken_when_it_is_of_this_checkpoint(
    authority: Authority, state: Path, tmp_path: Path, response: bytes
) -> None:
    kept, token, out = state / "ledger/checkpoint", tmp_path / "kept.tsr", tmp_path / "x.tlog-proof"
    token.write_bytes(ask_token(authority.url, kept.read_bytes()))
    ask = ["prove", "--state", str(state), "-o", str(out), "--at", utc(30.0), "--checkpoint", str(kept)]
    assert root.run([*ask, "--tsa-token", str(token)]) == 0
    assert root.run(["verify", str(out), "--tsa-certificate", str(authority.certificate)]) == 0
    token.write_bytes(response)
    assert root.run([*ask, "--tsa-token", str(token)]) == 4


def test_a_proof_without_a_token_does_not_pass_for_a_stamped_one(
    authority: Authority, state: Path, tmp_path: Path
) -> None:
    out = tmp_path / "x.tlog-proof"
    out.write_bytes(make_proof(FolderSource(state), utc(30.0), LEAPS).data)
    assert root.run(["verify", str(out), "--tsa-certificate", str(authority.certificate)]) == 4
