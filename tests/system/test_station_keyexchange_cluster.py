"""Two servers of one name: one makes the cookie keys, the other fetches them; strangers get none."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from exchanging import PATIENCE_S, Exchange, key_of
from stations import free_port, wait_for

from timeball.station.configuration.serving import NTS
from timeball.station.nts import cluster
from timeball.station.nts.authority import Issued, issue_certificate, make_authority
from timeball.station.nts.cluster import ClusterError, Leader, fetch_keys
from timeball.station.nts.keeper import ROTATE, request_file
from timeball.station.nts.keyfile import KeySet, Moment, StoredKey

KEYS = KeySet(current=StoredKey(7, "07" * 32), used=Moment(0.0, 0.0, ""))


class Files:
    """An authority of the cluster, and certificates under it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, datetime.now(UTC)
        self.authority = make_authority("Cluster", self.now)
        (folder / "ca.pem").write_bytes(self.authority.certificate)

    def settings(self, *names: str, authority: Issued | None = None, **more: Any) -> dict[str, Any]:
        """The settings of a server with these names."""
        issued = issue_certificate(authority or self.authority, names, self.now)
        path = self.folder / names[0]
        path.with_suffix(".pem").write_bytes(issued.certificate)
        path.with_suffix(".key").write_bytes(issued.key)
        return {
            "cluster_certificate": str(path.with_suffix(".pem")),
            "cluster_key": str(path.with_suffix(".key")),
            "cluster_ca": str(self.folder / "ca.pem"),
            **more,
        }


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_a_follower_knows_each_key_before_it_is_used_and_goes_on_alone(tmp_path: Path, files: Files) -> None:
    port = free_port()
    # a quarter of a key's life is the lead, and a quarter of that the time between two fetches
    leading = files.settings("a", "localhost", cluster_listen=f"127.0.0.1:{port}", cluster_peers=["b"], rotate_s=4.0)
    following = files.settings("b", cluster_leader=f"localhost:{port}", rotate_s=4.0)
    (tmp_path / "A").mkdir()
    (tmp_path / "B").mkdir()
    leader, follower = Exchange(tmp_path / "A", leading), Exchange(tmp_path / "B", following)
    try:
        follower.start()
        leader.start()
        first = key_of(follower.wait().cookies[0])
        assert first == leader.keys().current.id == follower.keys().current.id
        assert follower.keys().source == f"localhost:{port}"

        def changed() -> bool:
            time.sleep(0.3)
            cookie = leader.exchange().cookies[0]
            assert key_of(cookie) in follower.keys().ids(), "the follower would refuse a cookie of the leader"
            return key_of(cookie) != first

        wait_for(changed, "the leader's keys do not change", PATIENCE_S)
        follower.until(lambda page: page.key_id != first)
        leader.until(lambda page: page.cluster_served)
        leader.stop()
        alone = follower.until(lambda page: page.cluster_failures)
        assert key_of(follower.exchange().cookies[0]) == alone.key_id
        leader.start()
        follower.until(lambda page: page.cluster_fetched > alone.cluster_fetched)
        request_file(follower.state).write_text(ROTATE)
        follower.stop()
        assert request_file(follower.state).exists(), "only the leader makes keys"
    finally:
        for one in (leader, follower):
            for process in one.running.values():
                process.kill()
                process.wait()


@pytest.fixture
def leader_settings(files: Files) -> dict[str, Any]:
    port = free_port()
    return files.settings("a", "localhost", cluster_listen=f"127.0.0.1:{port}", cluster_peers=["b"])


def ask(files: Files, leading: dict[str, Any], *names: str, host: str = "localhost", **more: Any) -> KeySet:
    port = leading["cluster_listen"].rpartition(":")[2]
    return fetch_keys(NTS(**files.settings(*names, cluster_leader=f"{host}:{port}", **more)))


def test_keys_are_given_to_named_servers_of_the_cluster_alone(files: Files, leader_settings: dict[str, Any]) -> None:
    keys: list[KeySet] = []
    leader = Leader(NTS(**leader_settings), lambda: keys[0] if keys else None)
    leader.start()
    try:
        with pytest.raises(ClusterError):
            ask(files, leader_settings, "b")
        keys.append(KEYS)
        given = ask(files, leader_settings, "b")
        assert given.current == KEYS.current
        with pytest.raises(ClusterError):
            ask(files, leader_settings, "c")  # of the cluster, and not named
        stranger = make_authority("Stranger", files.now)
        with pytest.raises(ClusterError):
            ask(files, leader_settings, "b", authority=stranger)  # named, and not of the cluster
        with pytest.raises(ClusterError, match="verify failed"):
            ask(files, leader_settings, "b", host="127.0.0.1")  # the leader's certificate is for localhost
        wait_for(lambda: leader.refused == 4, "not all were refused", PATIENCE_S)
        assert leader.served == 1
    finally:
        leader.stop()
    with pytest.raises(ClusterError, match="no keys from the leader"):
        ask(files, leader_settings, "b")


def test_a_member_that_may_fetch_cannot_pass_for_the_leader(files: Files, leader_settings: dict[str, Any]) -> None:
    false = files.settings("b", cluster_listen=leader_settings["cluster_listen"], cluster_peers=["b"])
    leader = Leader(NTS(**false), lambda: KEYS)
    leader.start()
    try:
        with pytest.raises(ClusterError, match="verify failed"):
            ask(files, leader_settings, "b")
    finally:
        leader.stop()


def test_strangers_who_hold_connections_in_silence_keep_no_member_out(
    files: Files, leader_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "AT_ONCE", 4)
    leader = Leader(NTS(**leader_settings), lambda: KEYS)
    leader.start()
    host, _, port = leader_settings["cluster_listen"].rpartition(":")
    silent = [socket.create_connection((host, int(port)), PATIENCE_S) for _ in range(40)]
    try:
        assert ask(files, leader_settings, "b").current == KEYS.current
        wait_for(lambda: leader.refused >= 36, "strangers were not let go for others", PATIENCE_S)
    finally:
        leader.stop()
        for each in silent:
            each.close()
