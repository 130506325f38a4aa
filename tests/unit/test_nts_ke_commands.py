"""`timeball nts`: numbers and never keys, requests that the key exchange takes, a cluster's files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from timeball.cli.root import root
from timeball.station.configuration.serving import NTS
from timeball.station.hosttime.leaps import load_leap_table
from timeball.station.nts.certificate import load_chain, read_certificate
from timeball.station.nts.cluster import cluster_context
from timeball.station.nts.keeper import KeyKeeper, request_file
from timeball.station.nts.keyfile import KeySet, Moment, StoredKey, keys_file, write_keys
from timeball.station.nts.moments import Clock
from timeball.station.nts.rotation import Rules, announced, first_keys


def call(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(root, ["nts", *arguments])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def keeper(tmp_path: Path) -> KeyKeeper:
    keeper = KeyKeeper(tmp_path, Rules(1000.0, 2, 10.0), Clock(tmp_path, load_leap_table()))
    assert keeper.turn()
    return keeper


def test_keys_are_shown_by_number(tmp_path: Path, keeper: KeyKeeper) -> None:
    assert keeper.keys is not None
    both = announced(keeper.keys, keeper.keys.used, lambda count: bytes(count - 1) + b"\x09")
    write_keys(keys_file(tmp_path), both)
    assert "no keys of cookies" in call("keys", "--state", str(tmp_path / "none"), code=2)
    shown, told = call("keys", "--state", str(tmp_path)), json.loads(call("keys", "--state", str(tmp_path), "--json"))
    assert str(both.current.id) in shown
    assert "in use" in shown
    assert (told["current"], told["next"], told["older"]) == (both.current.id, 9, [])
    assert 0 <= told["used_s"] < 600
    assert both.current.key not in shown + str(told)


def test_a_rotation_is_asked_for_and_done(tmp_path: Path, keeper: KeyKeeper) -> None:
    before = keeper.keys
    call("rotate", "--state", str(tmp_path))
    assert keeper.turn()
    assert keeper.keys is not None
    assert keeper.keys.next is not None
    assert json.loads(call("rotate", "--state", str(tmp_path), "--replace", "--json"))["asked"] == "replace"
    assert keeper.turn()
    assert before is not None
    assert before.current.id not in keeper.keys.ids()
    assert not request_file(tmp_path).exists()


def test_where_there_is_nobody_to_ask(tmp_path: Path) -> None:
    call("rotate", "--state", str(tmp_path), code=2)
    fetched = KeySet(current=StoredKey(7, "00" * 32), used=Moment(0.0, 0.0, ""), source="a.example:4461")
    write_keys(keys_file(tmp_path), fetched)
    assert "a.example:4461" in call("rotate", "--state", str(tmp_path), code=2)
    assert "fetched from a.example:4461" in call("keys", "--state", str(tmp_path))
    assert first_keys(Moment(0.0, 0.0, ""), bytes).source == ""


def test_a_cluster_has_an_authority_and_can_grow(tmp_path: Path) -> None:
    folder = tmp_path / "cluster"
    call("cluster", str(folder), "a.example", "192.0.2.1")
    authority = (folder / "authority.pem").read_bytes()
    call("cluster", str(folder), "c.example", "--json")
    assert (folder / "authority.pem").read_bytes() == authority
    for name in ("a.example", "192.0.2.1", "c.example"):
        found = read_certificate(folder / f"{name}.pem", folder / f"{name}.key")
        load_chain(found.chain)[0].verify_directly_issued_by(load_chain(authority)[0])
        files = {"cluster_certificate": str(folder / f"{name}.pem"), "cluster_key": str(folder / f"{name}.key")}
        for leads in (True, False):
            assert cluster_context(NTS(**files, cluster_ca=str(folder / "authority.pem")), leads=leads)
    assert {path.stat().st_mode & 0o077 for path in folder.glob("*.key")} == {0}
    for bad in ("../x", "authority", ".."):
        call("cluster", str(folder), bad, code=2)
