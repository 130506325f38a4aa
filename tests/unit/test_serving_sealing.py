"""Whether NTS is sealed by compiled code: only what has passed its test serves, and the log says why not."""

from __future__ import annotations

import logging

import pytest

from timeball.protocols.nts.selftest import SelfTestFailed
from timeball.protocols.nts.siv import libcrypto
from timeball.station.serving import sealing

LOG = logging.getLogger("server")


def test_what_passes_its_test_serves(caplog: pytest.LogCaptureFixture) -> None:
    assert not sealing.why_not_compiled(LOG)
    assert caplog.text == ""


def test_a_libcrypto_that_gives_other_bytes_does_not_serve(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(_seed: bytes) -> None:
        raise SelfTestFailed("not the bytes of RFC 5297")

    monkeypatch.setattr(sealing, "self_test", failing)
    assert sealing.why_not_compiled(LOG)
    assert "cryptography answers: not the bytes of RFC 5297" in caplog.text


def test_without_libcrypto_the_library_answers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(libcrypto, "FOUND", False)
    assert sealing.why_not_compiled(LOG)
    assert "no libcrypto is found" in caplog.text
