"""`timeball clients`: a real table of sources, by address and by network, sorted, and the words about it."""

from __future__ import annotations

import ipaddress
import json
import stat
from pathlib import Path

import pytest

from timeball.cli import root
from timeball.station import paths
from timeball.station.hosttime.hostclocks import UNKNOWN_BOOT, BootId, boot_id, raw_ns
from timeball.station.reporting.clients import SORTS, Client, clients_of, networks_of, sort_clients
from timeball.station.serving.sources import create_sources, read_sources, sources_file, words_of

S = 10**9
# address, requests, limited, nts, first and last seen (s before now)
ASKED = (
    ("192.0.2.7", 101, 90, 0, 110.0, 10.0),
    ("192.0.2.8", 11, 0, 11, 40.0, 0.0),
    ("2001:db8:1:2::9", 50, 1, 3, 2.0, 1.0),
    ("198.51.100.1", 1, 0, 0, 500.0, 500.0),
)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder in which four addresses have asked."""
    write_table(tmp_path, boot_id())
    return tmp_path


def write_table(state: Path, boot: BootId) -> None:
    paths.run_dir(state).mkdir(parents=True, exist_ok=True)
    rows, now = create_sources(sources_file(state), 1024, boot), raw_ns()
    for place, (address, requests, limited, nts, first_s, last_s) in enumerate(ASKED):
        seen = (now - int(first_s * S), now - int(last_s * S))
        rows[17 * place, :7] = (*words_of(ipaddress.ip_address(address)), requests, limited, nts, *seen)


def read(state: Path) -> list[Client]:
    return clients_of(read_sources(sources_file(state)), boot_id(), raw_ns())


def test_a_row_an_address(state: Path) -> None:
    found = {client.address: client for client in read(state)}
    assert set(found) == {row[0] for row in ASKED}
    one = found["192.0.2.7"]
    assert (one.prefix, one.addresses, one.requests, one.limited, one.nts) == ("192.0.2.0/24", 1, 101, 90, 0)
    assert one.rate_hz == pytest.approx(1.0)
    assert one.seen_s == pytest.approx(10.0, abs=5)
    assert found["198.51.100.1"].rate_hz is None  # one request has no rate


def test_a_row_a_network(state: Path) -> None:
    found = {one.address: one for one in networks_of(read_sources(sources_file(state)), boot_id(), raw_ns())}
    assert set(found) == {"192.0.2.0/24", "2001:db8:1::/48", "198.51.100.0/24"}
    both = found["192.0.2.0/24"]
    assert (both.addresses, both.requests, both.limited, both.nts) == (2, 112, 90, 11)
    assert both.rate_hz == pytest.approx(111 / 110)


@pytest.mark.parametrize(
    ("by", "first"),
    [
        ("requests", "192.0.2.7"),
        ("limited", "192.0.2.7"),
        ("nts", "192.0.2.8"),
        ("rate", "2001:db8:1:2::9"),
        ("seen", "192.0.2.8"),
        ("address", "192.0.2.7"),
    ],
)
def test_orders(state: Path, by: str, first: str) -> None:
    ordered = sort_clients(read(state), by)
    assert ordered[0].address == first
    assert len(ordered) == len(ASKED)
    assert by in SORTS


def test_orders_differ(state: Path) -> None:
    found = read(state)
    assert len({tuple(one.address for one in sort_clients(found, by)) for by in SORTS}) >= 4


@pytest.mark.parametrize("boot", [BootId(1, 2), UNKNOWN_BOOT])
def test_of_another_boot_no_age_can_be_told(tmp_path: Path, boot: BootId) -> None:
    write_table(tmp_path, boot)
    assert all(client.seen_s is None for client in read(tmp_path))


def test_the_file_is_its_owners_alone(state: Path) -> None:
    assert stat.S_IMODE(sources_file(state).stat().st_mode) == 0o600


def test_the_command_shows_the_first_rows(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["clients", "--state", str(state), "--top", "2"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "4 addresses, 163 requests since the server started"
    assert [line.split()[0] for line in shown[2:]] == ["address", "192.0.2.7", "2001:db8:1:2::9"]
    assert root.run(["clients", "--state", str(state), "--prefix", "--sort", "nts"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("3 networks, 163 requests")
    assert shown[3].split()[:3] == ["192.0.2.0/24", "2", "112"]


def test_the_command_in_json(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["clients", "--state", str(state), "--json", "--top", "1"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["known"], document["requests"], len(document["clients"])) == (4, 163, 1)
    assert set(document["clients"][0]) == set(Client.__dataclass_fields__)


def test_without_a_table_there_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["clients", "--state", str(tmp_path)]) == 2
    assert "the server writes it while it runs" in capsys.readouterr().err
    sources_file(tmp_path).parent.mkdir(parents=True)
    sources_file(tmp_path).write_bytes(b"TBALL-SO" + bytes(100))
    assert root.run(["clients", "--state", str(tmp_path)]) == 2
    assert "no table of sources" in capsys.readouterr().err
