"""The settings of NTS: what does not fit together is told with the key it stands under."""

from __future__ import annotations

import pytest

from timeball.station.configuration.config import ConfigError, parse_config
from timeball.station.configuration.configwords import explain

LISTEN = 'listen = ["127.0.0.1:4460"]\n'
CLUSTER = 'cluster_certificate = "c"\ncluster_key = "k"\ncluster_ca = "a"\n'


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (LISTEN, []),
        (LISTEN + CLUSTER + 'cluster_listen = "127.0.0.1:4461"\ncluster_peers = ["b.example"]', []),
        (LISTEN + CLUSTER + 'cluster_leader = "a.example:4461"', []),
        ('listen = ["127.0.0.1:0"]', ["nts.listen[0]"]),
        ('listen = ["127.0.0.1:4460", "127.0.0.1:4460"]', ["nts.listen[1]"]),
        (LISTEN + "aeads = [15, 16]", ["nts.aeads"]),
        (LISTEN + "aeads = [30, 30]", ["nts.aeads"]),
        (LISTEN + 'certificate = "c"', ["nts.key"]),
        (LISTEN + 'key = "k"', ["nts.certificate"]),
        (LISTEN + 'server = "ä"', ["nts.server"]),
        (LISTEN + 'server = "a b"', ["nts.server"]),
        (LISTEN + CLUSTER + 'cluster_listen = "127.0.0.1:4460"\ncluster_peers = ["b"]', ["nts.cluster_listen"]),
        (LISTEN + CLUSTER + 'cluster_listen = "127.0.0.1:4461"', ["nts.cluster_peers"]),
        (LISTEN + CLUSTER + 'cluster_leader = "a:0"', ["nts.cluster_leader"]),
        (
            LISTEN + CLUSTER + 'cluster_listen = "b:1"\ncluster_peers = ["b"]\ncluster_leader = "a:1"',
            ["nts.cluster_leader"],
        ),
        (LISTEN + 'cluster_leader = "a:1"', ["nts.cluster_certificate", "nts.cluster_key", "nts.cluster_ca"]),
        (CLUSTER + 'cluster_leader = "a:1"', ["nts.listen"]),
    ],
)
def test_rules(text: str, paths: list[str]) -> None:
    try:
        parse_config(f"[nts]\n{text}")
        found = []
    except ConfigError as error:
        found = [path for path, _ in error.errors]
    assert found == paths


def test_in_words() -> None:
    def words(text: str) -> str:
        return next((line for line in explain(parse_config(text)) if line.startswith("NTS")), "")

    assert words("") == ""
    assert "its own making" in words(f"[nts]\n{LISTEN}")
    assert "b.example may fetch on 127.0.0.1:4461" in words(
        f'[nts]\n{LISTEN}{CLUSTER}cluster_listen = "127.0.0.1:4461"\ncluster_peers = ["b.example"]'
    )
    assert "fetches its cookie keys from a.example:4461" in words(
        f'[nts]\n{LISTEN}{CLUSTER}cluster_leader = "a.example:4461"'
    )
