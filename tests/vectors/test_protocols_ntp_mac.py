"""AES-CMAC of NTP against the vectors of RFC 4493 and NIST SP 800-38B, and files of keys in chrony's syntax."""

from __future__ import annotations

import pytest

from timeball.protocols.ntp.mac import (
    KeyFileError,
    SymmetricKey,
    UnknownKey,
    WrongMAC,
    parse_keys,
    seal_mac,
    tag_of,
    verify_mac,
)

MESSAGE = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
KEY128 = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
KEY256 = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")


@pytest.mark.parametrize(
    ("key", "length", "tag"),
    [
        # RFC 4493 section 4
        (KEY128, 0, "bb1d6929e95937287fa37d129b756746"),
        (KEY128, 16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (KEY128, 40, "dfa66747de9ae63030ca32611497c827"),
        (KEY128, 64, "51f0bebf7e3b9d92fc49741779363cfe"),
        # NIST SP 800-38B appendix D.3
        (KEY256, 0, "028962f61b7bf89efc6b551f4667d983"),
        (KEY256, 16, "28a7023f452e8f82bd4bf28d8c37c35c"),
        (KEY256, 40, "aaf3d8f1de5640c232f5b169b9c911e6"),
        (KEY256, 64, "e1992190549f6ed5696a2c056c315410"),
    ],
)
def test_tag_of_the_standards(key: bytes, length: int, tag: str) -> None:
    assert tag_of(SymmetricKey(1, "AES", key), MESSAGE[:length]).hex() == tag


FILE = f"""# keys of the north
1 AES128 HEX:{KEY128.hex()}
  ; another comment
7 AES256 HEX:{KEY256.hex().upper()}

4294967295 aes128 ASCII:sixteen-letters!
12 AES128 0123456789abcdef
"""


def test_keys_of_a_file_in_chronys_syntax() -> None:
    keys = parse_keys(FILE)
    assert {number: (key.kind, key.key) for number, key in keys.items()} == {
        1: ("AES128", KEY128),
        7: ("AES256", KEY256),
        4294967295: ("AES128", b"sixteen-letters!"),
        12: ("AES128", b"0123456789abcdef"),
    }


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("1 MD5 HEX:" + "00" * 16, "MD5 is not used"),
        ("1 SHA1 HEX:" + "00" * 20, "SHA1 is not used"),
        ("1 SHA256 HEX:" + "00" * 32, "SHA256 is not used"),
        ("1 secretpassword", "would be MD5"),
        ("1 hunter2 AES128", "this type is not used"),
        ("1 AES128 HEX:" + "00" * 15, "has 16 bytes, not 15"),
        ("1 AES256 HEX:" + "00" * 16, "has 32 bytes, not 16"),
        ("1 AES128 HEX:0g", "pairs of hex digits"),
        ("1 AES128 HEX:000", "pairs of hex digits"),
        ("1 AES128 ASCII:schlüsselwörter1", "in ASCII"),
        ("0 AES128 HEX:" + "00" * 16, "a number from 1"),
        ("4294967296 AES128 HEX:" + "00" * 16, "a number from 1"),
        ("-1 AES128 HEX:" + "00" * 16, "a number from 1"),
        ("1 AES128 HEX:" + "00" * 16 + " more", "id, AES128 or AES256"),
    ],
)
def test_a_line_that_is_no_key_is_told_by_number_and_never_shown(line: str, why: str) -> None:
    with pytest.raises(KeyFileError, match=why) as raised:
        parse_keys("# first\n" + line)
    assert "line 2" in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_key_given_twice_is_refused() -> None:
    line = "5 AES128 HEX:" + "00" * 16
    with pytest.raises(KeyFileError, match="key 5 stands in an earlier line"):
        parse_keys(line + "\n" + line)


def test_a_key_is_not_shown_by_its_text() -> None:
    key = SymmetricKey(1, "AES128", b"do not print me!")
    assert "print" not in repr(key) + str(key)


def test_what_is_sealed_verifies_and_nothing_else_does() -> None:
    keys = {key.id: key for key in (SymmetricKey(3, "AES128", KEY128), SymmetricKey(4, "AES256", KEY256))}
    for key in keys.values():
        sealed = seal_mac(key, bytes(48))
        assert len(sealed) == 48 + 20
        assert verify_mac(keys, sealed[:48], sealed[48:]) is key
        for k in range(8 * len(sealed)):
            forged = bytearray(sealed)
            forged[k // 8] ^= 1 << k % 8
            with pytest.raises((UnknownKey, WrongMAC)):
                verify_mac(keys, bytes(forged[:48]), bytes(forged[48:]))
        with pytest.raises(UnknownKey):
            verify_mac({}, sealed[:48], sealed[48:])
        with pytest.raises(UnknownKey):
            verify_mac(keys, sealed[:48], sealed[48:] + bytes(4))
        with pytest.raises(UnknownKey):
            verify_mac(keys, sealed[:48], sealed[48:60])
