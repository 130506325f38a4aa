"""Roughtime bytes that somebody else made: the malfeasance report of appendix B, and one reply of our own, frozen.

Appendix B stands for version 1 but was signed with the drafts' contexts (its README, and ADR 0020): it verifies with
`old_contexts` and must not without.
"""

from __future__ import annotations

import hashlib

import pytest
from tests.fakes.roughtime_servers import FakeServer, noise

from timeball.protocols.roughtime import client, message, reports
from timeball.protocols.roughtime.errors import ForgedDelegation


@pytest.mark.data
def test_appendix_b_proves_what_it_was_made_to_prove(shared) -> None:
    finding = reports.check_report(
        shared("roughtime/appendixB_malfeasance_report.json").read_bytes(), old_contexts=True
    )
    assert [(one.midpoint_s, one.radius_s) for one in finding.replies] == [
        (1773685571, 3),
        (1773599171, 3),
        (1773599171, 3),
    ]
    assert finding.pairs == ((0, 1), (0, 2)), "the first server is a day ahead"
    assert all(one.version == 1 for one in finding.replies)


@pytest.mark.data
def test_appendix_b_does_not_hold_under_the_contexts_of_the_rfc(shared) -> None:
    with pytest.raises(ForgedDelegation):
        reports.check_report(shared("roughtime/appendixB_malfeasance_report.json").read_bytes())


@pytest.mark.parametrize(
    ("name", "number"),
    [("SIG", 0x00474953), ("VER", 0x00524556), ("NONC", 0x434E4F4E), ("ZZZZ", 0x5A5A5A5A), ("MAXT", 0x5458414D)],
)
def test_tags_are_those_of_the_registry(name: str, number: int) -> None:
    """RFC 10049, 13.3."""
    assert message.tag(name) == number
    assert message.tag_name(number) == name


def test_our_reply_has_not_changed() -> None:
    """Keys, nonces and times are fixed, and Ed25519 signs without randomness: the bytes stay the same."""
    fake = FakeServer("frozen")
    requests = [client.build_request(noise(f"frozen {i}"), (1,), fake.public_key) for i in range(3)]
    replies = fake.answers(requests)
    digest = hashlib.sha256(b"".join(reply for reply in replies if isinstance(reply, bytes))).hexdigest()
    assert digest == "913d5bef90b49f3d874895727e20729ad7c7d2b19e77549675491e8669a6ed1a"
