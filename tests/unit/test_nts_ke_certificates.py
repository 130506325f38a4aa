"""Certificates: the station's own, the operator's files as they change, and names as clients check them."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from timeball.station.configuration.serving import NTS
from timeball.station.nts.authority import Issued, issue_certificate, make_authority, names_of
from timeball.station.nts.certificate import CertificateError, load_chain, load_key, parse_certificate
from timeball.station.nts.keclient import certificate_is_for
from timeball.station.nts.shown import ShownCertificate, ca_file, own_names

NOW = datetime(2026, 11, 23, tzinfo=UTC)
DAY = timedelta(days=1)
SETTINGS = NTS(listen=("127.0.0.1:4460", "[::]:4460", "ntp.example:4460"), server="time.example")


@pytest.fixture(scope="module")
def authority() -> Issued:
    return make_authority("Test", NOW)


@pytest.fixture(scope="module")
def issued(authority: Issued) -> Issued:
    return issue_certificate(authority, ["time.example", "*.pool.example", "192.0.2.1", "2001:db8::1"], NOW)


def test_its_own_names_are_what_clients_ask_for() -> None:
    names = own_names(SETTINGS)
    assert names[:3] == ["time.example", "127.0.0.1", "ntp.example"]
    assert "::" not in names
    assert "localhost" in names


def test_the_stations_own_is_made_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    shown = ShownCertificate(SETTINGS, tmp_path)
    assert shown.turn(NOW)
    assert not shown.turn(NOW)
    assert (shown.taken, shown.refused) == (0, 0)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "nts").iterdir()}
    assert modes.pop("ca.pem") & 0o044
    assert set(modes.values()) == {0o600}
    assert b"PRIVATE" not in ca_file(tmp_path).read_bytes()
    again = ShownCertificate(SETTINGS, tmp_path)
    assert again.turn(NOW + DAY)
    assert again.current == shown.current
    assert shown.current is not None
    assert b"PRIVATE" not in shown.current.chain
    assert "PRIVATE" not in repr(shown.current)


def test_it_is_renewed_a_month_before_it_ends_under_the_same_authority(tmp_path: Path) -> None:
    shown = ShownCertificate(SETTINGS, tmp_path)
    shown.turn(NOW)
    first, authority = shown.current, ca_file(tmp_path).read_bytes()
    assert first is not None
    assert not shown.turn(first.not_after - 31 * DAY)
    assert shown.turn(first.not_after - 29 * DAY)
    assert shown.current is not None
    assert shown.current.not_after > first.not_after + 50 * DAY
    assert ca_file(tmp_path).read_bytes() == authority
    assert shown.taken == 1
    load_chain(shown.current.chain)[0].verify_directly_issued_by(load_chain(authority)[0])


def test_it_is_made_anew_for_other_names_and_when_a_clock_was_wrong(tmp_path: Path) -> None:
    ShownCertificate(SETTINGS, tmp_path).turn(datetime(1970, 1, 3, tzinfo=UTC))
    shown = ShownCertificate(SETTINGS, tmp_path)
    assert shown.turn(NOW)
    assert shown.current is not None
    assert shown.current.valid_at(NOW)
    other = ShownCertificate(NTS(listen=("127.0.0.1:4460",), server="other.example"), tmp_path)
    other.turn(NOW)
    assert other.current is not None
    assert "other.example" in names_of(load_chain(other.current.chain)[0])


def put(folder: Path, issued: Issued) -> NTS:
    (folder / "chain.pem").write_bytes(issued.certificate)
    (folder / "key.pem").write_bytes(issued.key)
    return NTS(certificate=str(folder / "chain.pem"), key=str(folder / "key.pem"))


def test_new_files_are_taken_and_bad_ones_leave_the_old(
    tmp_path: Path, authority: Issued, issued: Issued, caplog: pytest.LogCaptureFixture
) -> None:
    shown = ShownCertificate(put(tmp_path, issued), tmp_path)
    assert shown.turn(NOW)
    first = shown.current
    newer = issue_certificate(authority, ["time.example"], NOW + DAY)
    ended = issue_certificate(authority, ["time.example"], NOW - 200 * DAY)
    with caplog.at_level(logging.ERROR):
        for file, data in (
            ("chain.pem", newer.certificate),
            ("chain.pem", b"half"),
            ("key.pem", b""),
            ("key.pem", b"k"),
        ):
            (tmp_path / file).write_bytes(data)
            assert not shown.turn(NOW)
            assert not shown.turn(NOW), "told once"
        put(tmp_path, ended)
        assert not shown.turn(NOW)
        (tmp_path / "chain.pem").unlink()
        assert not shown.turn(NOW)
    assert (shown.current, shown.refused, shown.taken) == (first, 6, 0)
    assert len(caplog.records) == 6
    put(tmp_path, newer)
    assert shown.turn(NOW)
    assert shown.current == parse_certificate(newer.certificate, newer.key)
    assert shown.taken == 1


def test_bad_files_at_the_start_are_told_in_words(tmp_path: Path, authority: Issued, issued: Issued) -> None:
    other = issue_certificate(authority, ["time.example"], NOW)
    for bad, words in (
        (Issued(issued.certificate, other.key), "not the certificate's"),
        (Issued(b"", issued.key), "PEM"),
        (Issued(issued.certificate, b""), "PEM"),
    ):
        with pytest.raises(CertificateError, match=words):
            ShownCertificate(put(tmp_path, bad), tmp_path).turn(NOW)
    with pytest.raises(CertificateError, match="cannot read"):
        ShownCertificate(NTS(certificate="/nowhere", key="/nowhere"), tmp_path).turn(NOW)


def test_a_key_under_a_passphrase_is_refused(issued: Issued) -> None:
    private = load_key(issued.key)
    locked = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    with pytest.raises(CertificateError):
        parse_certificate(issued.certificate, locked)


def test_a_key_too_weak_for_tls_is_refused_before_it_is_shown(tmp_path: Path, authority: Issued) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    weak = rsa.generate_private_key(65537, 1024)
    name = x509.Name([])
    built = x509.CertificateBuilder(name, name, weak.public_key(), 1, NOW - DAY, NOW + DAY).sign(weak, SHA256())
    pem = weak.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(CertificateError, match="too small"):
        ShownCertificate(put(tmp_path, Issued(built.public_bytes(Encoding.PEM), pem)), tmp_path).turn(NOW)


@pytest.mark.parametrize(
    ("host", "fits"),
    [
        ("time.example", True),
        ("TIME.example.", True),
        ("a.pool.example", True),
        ("a.b.pool.example", False),
        ("pool.example", False),
        ("other.example", False),
        ("192.0.2.1", True),
        ("192.0.2.2", False),
        ("2001:DB8:0::1", True),
        ("example", False),
        ("", False),
    ],
)
def test_a_certificate_is_for_its_names_and_no_others(issued: Issued, host: str, fits: bool) -> None:
    assert certificate_is_for(load_chain(issued.certificate)[0], host) is fits


def test_a_common_name_counts_for_nothing(authority: Issued) -> None:
    assert not certificate_is_for(load_chain(authority.certificate)[0], "Test")
