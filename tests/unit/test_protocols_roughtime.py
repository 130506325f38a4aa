"""Roughtime without sockets: times and radii, keys and their files, versions, server lists, retries."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from tests.fakes.roughtime_servers import NOW_S, FakeServer, noise

from timeball.protocols.roughtime import client, delegation, merkle, message, replies, server, serverlist, versions
from timeball.protocols.roughtime.errors import KeyFileError, MalformedMessage, ServerListError
from timeball.protocols.roughtime.grease import NOISE_BYTES, Grease, grease_reply
from timeball.protocols.roughtime.moment import moment_of

S = 1_000_000_000
OFFSET_S = 37
LEAP_TAI_NS = (NOW_S + OFFSET_S) * S


# Moments


@pytest.mark.parametrize(
    ("fraction_ns", "bound_s", "radius_s"),
    [
        (0, 0.0, 1),
        (0, 1e-6, 1),
        (999_000_000, 1e-4, 1),
        (999_999_999, 1e-6, 2),
        (500_000_000, 0.5, 2),
        (0, 1.0, 2),
        (1, 15.0, 16),
    ],
)
def test_radius_is_the_bound_and_the_fraction_rounded_up(fraction_ns: int, bound_s: float, radius_s: int) -> None:
    tai_ns = (NOW_S + OFFSET_S) * S + fraction_ns
    moment = moment_of(tai_ns, OFFSET_S, bound_s, 0, 0, leaps_known=True)
    assert (moment.midpoint_s, moment.radius_s) == (NOW_S, radius_s)
    assert NOW_S - radius_s < NOW_S + fraction_ns / S - bound_s
    assert NOW_S + fraction_ns / S + bound_s < NOW_S + radius_s


def test_radius_is_at_least_three_when_leap_seconds_are_not_known() -> None:
    tai_ns = (NOW_S + OFFSET_S) * S
    assert moment_of(tai_ns, OFFSET_S, 1e-6, 0, 0, leaps_known=False).radius_s == 3
    assert moment_of(tai_ns, OFFSET_S, 5.0, 0, 0, leaps_known=False).radius_s == 6


@pytest.mark.parametrize("bound_s", [math.inf, math.nan, -1.0])
def test_a_bound_that_is_none_gives_no_moment(bound_s: float) -> None:
    with pytest.raises(ValueError, match="no radius"):
        moment_of(LEAP_TAI_NS, OFFSET_S, bound_s, 0, 0, leaps_known=True)


def test_a_time_before_1970_gives_no_moment() -> None:
    with pytest.raises(ValueError, match="before 1970"):
        moment_of(0, OFFSET_S, 0.0, 0, 0, leaps_known=True)


@pytest.mark.parametrize("step_ms", range(-1500, 1501, 125))
def test_interval_contains_every_reading_of_utc_around_an_inserted_second(step_ms: int) -> None:
    """UTC(k) counts 23:59:59 twice; others count 00:00:00 twice. Both, read anywhere in the bound, lie inside."""
    bound_s, tai_ns = 0.25, LEAP_TAI_NS + step_ms * 1_000_000
    offset_s = OFFSET_S + (1 if tai_ns >= LEAP_TAI_NS - S else 0)
    moment = moment_of(tai_ns, offset_s, bound_s, LEAP_TAI_NS, 1, leaps_known=True)
    for error_s in (-bound_s, 0.0, bound_s):
        true_ns = tai_ns + int(error_s * S)
        for changes_ns in (LEAP_TAI_NS - S, LEAP_TAI_NS):
            count_s = true_ns / S - OFFSET_S - (1 if true_ns >= changes_ns else 0)
            assert moment.midpoint_s - moment.radius_s < count_s < moment.midpoint_s + moment.radius_s


def test_radius_is_no_wider_far_from_a_leap_second() -> None:
    tai_ns = LEAP_TAI_NS - 10 * S
    assert moment_of(tai_ns, OFFSET_S, 1e-6, LEAP_TAI_NS, 1, leaps_known=True).radius_s == 1
    assert moment_of(LEAP_TAI_NS, OFFSET_S + 1, 1e-6, LEAP_TAI_NS, 1, leaps_known=True).radius_s == 2


# The server


def test_batch_is_split_by_version_and_each_reply_verifies() -> None:
    fake = FakeServer("a")
    requests = [client.build_request(noise(f"n{i}"), (versions.VERSIONS[i % 2],), fake.public_key) for i in range(13)]
    answers = fake.answers(requests)
    roots = set()
    for i, (request, reply) in enumerate(zip(requests, answers, strict=True)):
        assert isinstance(reply, bytes)
        verified = client.verify_reply(request, reply, fake.public_key)
        assert (verified.version, verified.midpoint_s) == (versions.VERSIONS[i % 2], NOW_S)
        assert verified.versions == tuple(sorted(versions.VERSIONS))
        signed = message.parse_message(message.parse_message(message.parse_packet(reply))[message.SREP])
        roots.add((verified.version, signed[message.ROOT]))
    assert len(roots) == 2, "one tree a version"


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 33, 64])
def test_every_leaf_of_every_size_of_tree_verifies(count: int) -> None:
    fake = FakeServer("a")
    requests = [client.build_request(noise(f"{count} {i}"), (1,)) for i in range(count)]
    for request, reply in zip(requests, fake.answers(requests), strict=True):
        assert isinstance(reply, bytes)
        assert len(reply) <= fake.identity.least_request <= len(request)
        client.verify_reply(request, reply, fake.public_key)


def test_first_version_of_the_preference_is_taken() -> None:
    request = client.build_request(noise("n"))
    for preference in (versions.VERSIONS, versions.VERSIONS[::-1]):
        fake = FakeServer("a", versions=preference)
        assert client.verify_reply(request, fake.answer(request), fake.public_key).version == preference[0]


def test_nobody_is_answered_without_sync_or_key() -> None:
    fake = FakeServer("a")
    request, signer = client.build_request(noise("n")), replies.Signer(fake.online)
    assert server.answer_batch([request], fake.identity, signer, None) == ([server.Reason.UNSYNCHRONISED], [0, 0])
    assert server.answer_batch([request], fake.identity, None, fake.moment) == ([server.Reason.NO_KEY], [0, 0])
    late = dataclasses.replace(fake.moment, midpoint_s=fake.maxt_s + 1)
    assert server.answer_batch([request], fake.identity, signer, late) == ([server.Reason.NO_KEY], [0, 0])


def test_template_is_the_reply_written_whole() -> None:
    fake = FakeServer("a")
    signer, root = replies.Signer(fake.online), noise("root")
    for leaves in (1, 5, 64):
        srep = replies.write_srep(1, fake.versions, fake.moment, root)
        path = bytes(32 * merkle.depth_of(leaves))
        whole = replies.write_reply(signer.sign(1, srep), bytes(32), path, srep, fake.online.certificates[1], 0)
        assert replies.reply_template(fake.versions, 1, signer, fake.moment, root, leaves) == whole


# Grease


@pytest.mark.parametrize("kind", Grease)
def test_greased_replies_are_refused_or_harmless_and_short(kind: Grease) -> None:
    fake = FakeServer("a")
    request = client.build_request(noise("n"), (1,), fake.public_key)
    for i in range(20):
        wrong = grease_reply(fake.answer(request), kind, noise(f"{kind} {i}", NOISE_BYTES))
        assert len(wrong) <= fake.identity.least_request
        if kind is Grease.UNDEFINED_TAG:
            assert client.verify_reply(request, wrong, fake.public_key).midpoint_s == NOW_S
        else:
            with pytest.raises(Exception) as caught:  # noqa: PT011 (which error depends on what was made wrong)
                client.verify_reply(request, wrong, fake.public_key)
            assert type(caught.value).__module__ == "timeball.protocols.roughtime.errors"


# Keys and their files


def test_files_of_keys_are_read_as_written() -> None:
    seed, fake = noise("a long-term"), FakeServer("a")
    assert delegation.parse_long_term_key(delegation.write_long_term_key(seed) + "\n") == seed
    text = delegation.write_delegations(fake.public_key, [fake.online])
    assert delegation.parse_delegations(text) == (fake.public_key, (fake.online,))
    assert fake.online.seed.hex() not in repr(fake.online)


@pytest.mark.parametrize(
    "text", ["", "x", "ROUGHTIME+LONG+TERM+KEY+", "ROUGHTIME+LONG+TERM+KEY+AAAA", "PRIVATE+KEY+AA=="]
)
def test_other_text_is_no_long_term_key(text: str) -> None:
    with pytest.raises(KeyFileError) as caught:
        delegation.parse_long_term_key(text)
    assert "AA" not in str(caught.value), "the text is a secret"


def altered(**changes: object) -> str:
    fake = FakeServer("a")
    document = json.loads(delegation.write_delegations(fake.public_key, [fake.online]))
    for name, value in changes.items():
        target = document if name in document else document["delegations"][0]
        target[name] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "other"},
        {"publicKey": delegation.encode_base64(noise("other"))},
        {"publicKey": "AAAA"},
        {"delegations": []},
        {"delegations": 3},
        {"onlineKey": delegation.encode_base64(noise("another online"))},
        {"maxt_s": NOW_S + 2 * 86_400},
        {"mint_s": "soon"},
        {"certificates": {}},
        {"certificates": {"2": "AAAA"}},
        {"certificates": {"1": "AAAA"}},
        {"certificates": {"0x8000000c": delegation.encode_base64(FakeServer("a").online.certificates[1])}},
    ],
)
def test_delegations_that_do_not_hold_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(KeyFileError):
        delegation.parse_delegations(altered(**changes))


@pytest.mark.parametrize("text", ["", "[]", "3", "null", '{"kind": 1}', "{" * 2000])
def test_other_text_is_no_file_of_delegations(text: str) -> None:
    with pytest.raises(KeyFileError):
        delegation.parse_delegations(text)


def test_a_delegation_that_lasts_no_time_is_not_made() -> None:
    with pytest.raises(ValueError, match="lasts no time"):
        delegation.delegate(noise("a"), noise("b"), 5, 5, versions.VERSIONS)


# Versions, addresses, lists, retries


def test_contexts_differ_by_one_letter_and_end_in_zero() -> None:
    assert versions.response_context(1) == b"Roughtime v1 response signature\0"
    assert versions.delegation_context(1) == b"Roughtime v1 delegation signature\0"
    assert versions.response_context(0x8000000C) == b"RoughTime v1 response signature\0"
    assert versions.delegation_context(0x8000000C) == b"RoughTime v1 delegation signature\0"


@pytest.mark.parametrize(("text", "version"), [("1", 1), ("0x8000000c", 0x8000000C), ("2147483660", 0x8000000C)])
def test_versions_are_read_and_written(text: str, version: int) -> None:
    assert versions.parse_version(text) == version
    assert versions.parse_version(versions.version_name(version)) == version


@pytest.mark.parametrize("text", ["", "2", "0x8000000b", "one", "-1"])
def test_other_versions_are_not_spoken(text: str) -> None:
    with pytest.raises(ValueError, match="no version spoken here"):
        versions.parse_version(text)


def test_server_lists_are_read_as_written() -> None:
    addresses = (serverlist.Address("udp", "2001:db8::1", 5319), serverlist.Address("tcp", "a.example", 5319))
    servers = tuple(serverlist.Server(name, 1, noise(name), addresses) for name in ("Ours", "Théirs"))
    for known in (
        serverlist.ServerList(servers),
        serverlist.ServerList(servers, ("https://a.example/list",), "https://a.example/report"),
    ):
        assert serverlist.parse_list(serverlist.write_list(known)) == known


def test_servers_with_keys_of_another_type_are_left_out() -> None:
    known = json.loads(serverlist.write_list(serverlist.ServerList(())))
    known["servers"] = [{"name": "q", "version": 9, "publicKeyType": "ml-dsa-44", "publicKey": "", "addresses": []}]
    assert serverlist.parse_list(json.dumps(known)).servers == ()


GOOD = {
    "name": "a",
    "version": 1,
    "publicKeyType": "ed25519",
    "publicKey": delegation.encode_base64(noise("a")),
    "addresses": [{"protocol": "udp", "address": "a.example:5319"}],
}


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        '{"servers": 3}',
        '{"servers": [3]}',
        *(
            json.dumps({"servers": [{**GOOD, **change}]})
            for change in (
                {"name": 3},
                {"version": "1"},
                {"version": True},
                {"publicKey": "AAAA"},
                {"addresses": []},
                {"addresses": [{"protocol": "sctp", "address": "a.example:1"}]},
                {"addresses": [{"protocol": "udp", "address": "a.example:65536"}]},
                {"addresses": [{"protocol": "udp", "address": "fe80::1%eth0:1"}]},
                {"addresses": [{"protocol": "udp", "address": 3}]},
            )
        ),
        json.dumps({"servers": [GOOD], "reports": "http://a.example"}),
        json.dumps({"servers": [GOOD], "sources": "https://a.example"}),
    ],
)
def test_lists_that_are_none_are_refused(document: str) -> None:
    with pytest.raises(ServerListError):
        serverlist.parse_list(document)


def test_retries_wait_longer_each_time_and_at_most_a_day() -> None:
    assert [client.retry_delay_s(n) for n in (0, 1, 2, 3)] == [0.0, 1.0, 1.5, 2.25]
    assert client.retry_delay_s(2, client.FIRST_REPORT_RETRY_S) == 15.0
    assert client.retry_delay_s(10_000) == 86_400.0


@pytest.mark.parametrize("size", [0, 3, 5])
def test_tags_and_sizes_are_told_in_words(size: int) -> None:
    with pytest.raises(MalformedMessage, match="TYPE"):
        message.value_of({message.TYPE: bytes(size)}, message.TYPE, 4)
    with pytest.raises(MalformedMessage, match="NONC: is missing"):
        message.value_of({}, message.NONC)
