"""Attacks on Roughtime, each named: on the client by whoever stands between, on the server by its clients, by the
server on its clients, and on those who read malfeasance reports."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.fakes.roughtime_servers import NOW_S, FakeServer, noise

from timeball.protocols.roughtime import client, delegation, measuring, message, replies, reports, server, versions
from timeball.protocols.roughtime.errors import (
    CausalityBroken,
    ForgedDelegation,
    ForgedResponse,
    MalformedMessage,
    OutsideDelegation,
    SpareIndexBits,
    UnusableReport,
    UnusableTime,
    WrongNonce,
    WrongRoot,
    WrongVersion,
)
from timeball.protocols.roughtime.message import INDX, MIDP, NONC, PATH, RADI, SIG, SREP, SRV, VER, VERS, ZZZZ
from timeball.station.configuration.serving import Roughtime

FAKE = FakeServer("honest")
REQUEST = client.build_request(noise("nonce"), (1,), FAKE.public_key)
OTHERS = [client.build_request(noise(f"other {i}"), (1,), FAKE.public_key) for i in range(5)]
Fields = dict[int, bytes]


def altered(packet: bytes, change: Callable[[Fields], object]) -> bytes:
    fields = message.parse_message(message.parse_packet(packet))
    change(fields)
    return message.write_packet(message.write_message(fields))


def signed_anew(reply: bytes, change: Callable[[Fields], object], context: bytes) -> bytes:
    """The reply as a server with the online key would make it that states something else."""

    def sign(fields: Fields) -> None:
        srep = message.parse_message(fields[SREP])
        change(srep)
        fields[SREP] = message.write_message(srep)
        fields[SIG] = Ed25519PrivateKey.from_private_bytes(FAKE.online.seed).sign(context + fields[SREP])

    return altered(reply, sign)


def verify(reply: bytes, request: bytes = REQUEST) -> client.Verified:
    return client.verify_reply(request, reply, FAKE.public_key)


CONTEXT = versions.response_context(1)


# On the client, by whoever stands between


def test_replayed_reply_to_an_earlier_request() -> None:
    with pytest.raises(WrongNonce):
        verify(FAKE.answer(OTHERS[0]))


def test_replayed_reply_with_our_nonce_written_into_it() -> None:
    old = FAKE.answer(OTHERS[0])
    with pytest.raises(WrongRoot):
        verify(altered(old, lambda fields: fields.update({NONC: noise("nonce")})))


def test_reply_from_a_tree_that_does_not_hold_our_request() -> None:
    answers = FAKE.answers(OTHERS)
    assert isinstance(answers[2], bytes)
    with pytest.raises(WrongRoot):
        verify(altered(answers[2], lambda fields: fields.update({NONC: noise("nonce")})))


def test_index_of_another_leaf() -> None:
    reply = FAKE.answers([REQUEST, *OTHERS])[0]
    assert isinstance(reply, bytes)
    assert verify(reply).midpoint_s == NOW_S
    with pytest.raises(WrongRoot):
        verify(altered(reply, lambda fields: fields.update({INDX: bytes([1, 0, 0, 0])})))


@pytest.mark.parametrize("bit", [3, 7, 31])
def test_index_bits_beyond_the_path(bit: int) -> None:
    reply = FAKE.answers([REQUEST, *OTHERS])[0]
    assert isinstance(reply, bytes)
    with pytest.raises(SpareIndexBits):
        verify(altered(reply, lambda fields: fields.update({INDX: (1 << bit).to_bytes(4, "little")})))


def test_time_changed_under_the_signature() -> None:
    def later(fields: Fields) -> None:
        srep = message.parse_message(fields[SREP])
        srep[MIDP] = (NOW_S + 1).to_bytes(8, "little")
        fields[SREP] = message.write_message(srep)

    with pytest.raises(ForgedResponse):
        verify(altered(FAKE.answer(REQUEST), later))


def test_another_server_answers_for_ours() -> None:
    request = client.build_request(noise("nonce"), (1,))
    with pytest.raises(ForgedDelegation):
        verify(FakeServer("impostor").answer(request), request)


def test_delegation_that_the_online_key_made_for_itself() -> None:
    own = delegation.delegate(FAKE.online.seed, FAKE.online.seed, 0, 2**40, (1,))
    with pytest.raises(ForgedDelegation):
        verify(altered(FAKE.answer(REQUEST), lambda fields: fields.update({message.CERT: own.certificates[1]})))


@pytest.mark.parametrize("beyond_s", [-1, 1])
def test_time_outside_the_delegation(beyond_s: int) -> None:
    """An online key that was stolen after its time, or that speaks of one before it."""
    edge_s = FAKE.maxt_s if beyond_s > 0 else FAKE.mint_s
    stated = FAKE.answer(REQUEST)
    for at_s, good in ((edge_s, True), (edge_s + beyond_s, False)):
        reply = signed_anew(stated, lambda srep, at_s=at_s: srep.update({MIDP: at_s.to_bytes(8, "little")}), CONTEXT)
        if good:
            assert verify(reply).midpoint_s == edge_s
            continue
        with pytest.raises(OutsideDelegation):
            verify(reply)


def test_version_downgrade_by_striking_a_version_from_the_request() -> None:
    both = client.build_request(noise("nonce"), versions.VERSIONS, FAKE.public_key)
    struck = altered(both, lambda fields: fields.update({VER: (0x8000000C).to_bytes(4, "little")}))
    reply = FAKE.answer(struck)
    assert client.verify_reply(struck, reply, FAKE.public_key).version == 0x8000000C
    with pytest.raises(WrongRoot):
        client.verify_reply(both, reply, FAKE.public_key)


def test_reply_in_a_version_that_was_not_offered() -> None:
    draft = client.build_request(noise("nonce"), (0x8000000C,), FAKE.public_key)
    with pytest.raises(WrongVersion):
        verify(FAKE.answer(draft))


def test_reply_whose_list_of_versions_lacks_its_own() -> None:
    reply = signed_anew(
        FAKE.answer(REQUEST), lambda srep: srep.update({VERS: (0x8000000C).to_bytes(4, "little")}), CONTEXT
    )
    with pytest.raises(WrongVersion):
        verify(reply)


def test_old_context_string_under_version_1() -> None:
    old = versions.response_context(0x8000000C)
    with pytest.raises(ForgedResponse):
        verify(signed_anew(FAKE.answer(REQUEST), lambda srep: None, old))
    both = FAKE.online.certificates
    with pytest.raises(ForgedDelegation):
        verify(altered(FAKE.answer(REQUEST), lambda fields: fields.update({message.CERT: both[0x8000000C]})))


def test_radius_of_zero() -> None:
    with pytest.raises(UnusableTime):
        verify(signed_anew(FAKE.answer(REQUEST), lambda srep: srep.update({RADI: bytes(4)}), CONTEXT))


@pytest.mark.parametrize(
    ("field", "size"), [(SIG, 68), (NONC, 36), (INDX, 8), (message.TYPE, 8), (PATH, 33 * 32), (PATH, 36), (SIG, 0)]
)
def test_oversized_and_odd_fields_of_a_reply(field: int, size: int) -> None:
    with pytest.raises((MalformedMessage, ForgedDelegation)):
        verify(altered(FAKE.answer(REQUEST), lambda fields: fields.update({field: bytes(size)})))


def test_our_own_request_sent_back() -> None:
    with pytest.raises(MalformedMessage):
        verify(REQUEST)


# On the server, by its clients


def asked(request: bytes) -> server.Asked | server.Reason:
    return server.read_request(request, FAKE.identity)


def test_request_for_another_key_is_ignored() -> None:
    theirs = client.build_request(noise("nonce"), (1,), FakeServer("another").public_key)
    assert asked(theirs) is server.Reason.OTHER_KEY


@pytest.mark.parametrize(("batch", "step"), [(Roughtime().batch, 60), (1024, 300)])
def test_amplification_no_reply_is_longer_than_its_request(batch: int, step: int) -> None:
    """Every length of request, in a full batch, greased as well: nothing that gets an answer is shorter than it."""
    fake = dataclasses.replace(FAKE, batch=batch)
    least = fake.identity.least_request
    answered = 0
    for size in [*range(100, 1100, step), *range(least - 4, least + 8, 4)]:
        spare = size - len(message.write_message({VER: bytes(4), NONC: bytes(32), message.TYPE: bytes(4), ZZZZ: b""}))
        if spare < 12:
            continue
        fields = {VER: (1).to_bytes(4, "little"), NONC: noise("n"), message.TYPE: bytes(4), ZZZZ: bytes(spare - 12)}
        request = message.write_packet(message.write_message(fields))
        answers = fake.answers([request] + OTHERS[:1] * (batch - 1))
        if isinstance(answers[0], bytes):
            answered += 1
            assert len(answers[0]) + replies.GREASE_BYTES <= len(request)
        else:
            assert (answers[0], len(request) < least) == (server.Reason.TOO_SHORT, True)
    assert answered >= 2
    assert least <= 1036, "what clients ask by is answered at any batch that may be set"


@pytest.mark.parametrize("size", [server.LARGEST_REQUEST + 4, 9000, 65_000])
def test_oversized_request(size: int) -> None:
    assert asked(altered(REQUEST, lambda fields: fields.update({ZZZZ: bytes(size)}))) is server.Reason.TOO_LONG


@pytest.mark.parametrize(
    "change",
    [
        {NONC: bytes(28)},
        {NONC: bytes(64)},
        {message.TYPE: bytes([1, 0, 0, 0])},
        {message.TYPE: bytes(8)},
        {SRV: bytes(28)},
        {VER: b""},
        {VER: b"".join(i.to_bytes(4, "little") for i in range(1, 34))},
        {VER: (2).to_bytes(4, "little") + (1).to_bytes(4, "little")},
        {VER: (1).to_bytes(4, "little") * 2},
        {ZZZZ: bytes(800) + b"\1\0\0\0"},
    ],
)
def test_fields_that_the_rfc_forbids(change: Fields) -> None:
    assert asked(altered(REQUEST, lambda fields: fields.update(change))) is server.Reason.MALFORMED


def test_reply_reflected_at_a_server_gets_no_answer() -> None:
    reply = FAKE.answers([REQUEST] + OTHERS * 12)[0]
    assert isinstance(reply, bytes)
    padded = altered(reply, lambda fields: fields.update({ZZZZ: bytes(600)}))
    assert asked(padded) is server.Reason.MALFORMED


def test_versions_nobody_speaks() -> None:
    assert asked(altered(REQUEST, lambda fields: fields.update({VER: bytes([9, 0, 0, 0])}))) is server.Reason.NO_VERSION


# By a server on its clients: a lie is proven


def measured(servers: list[FakeServer]) -> measuring.Measurement:
    rands = [noise(f"rand {i}") for i in range(2 * len(servers))]
    chain = measuring.Measurement([fake.public_key for fake in servers], rands)
    for fake in servers * 2:
        step = chain.next_request()
        assert step is not None
        chain.receive(fake.answer(step.request))
    assert chain.finished
    return chain


HONEST = [FakeServer(name) for name in "abc"]


@pytest.mark.parametrize("liar", [0, 1, 2])
@pytest.mark.parametrize("ahead_s", [-3600, 3600])
def test_a_lie_is_proven_wherever_the_liar_stands(liar: int, ahead_s: int) -> None:
    servers = [fake.at(NOW_S + ahead_s) if i == liar else fake for i, fake in enumerate(HONEST)]
    chain = measured(servers)
    with pytest.raises(CausalityBroken) as caught:
        measuring.check_causality([exchange.verified for exchange in chain.exchanges])
    finding = reports.check_report(reports.write_report(chain.exchanges))
    assert list(finding.pairs) == caught.value.pairs
    assert all(liar in (first % 3, second % 3) for first, second in finding.pairs), "nobody else is accused"


def test_honest_servers_are_consistent_and_cannot_be_reported() -> None:
    chain = measured([fake.at(NOW_S + i) for i, fake in enumerate(HONEST)])
    measuring.check_causality([exchange.verified for exchange in chain.exchanges])
    with pytest.raises(UnusableReport, match="proves nothing"):
        reports.check_report(reports.write_report(chain.exchanges))


def test_a_wrong_reply_in_a_measurement_changes_nothing() -> None:
    chain = measuring.Measurement([fake.public_key for fake in HONEST], [noise(f"{i}") for i in range(6)])
    step = chain.next_request()
    assert step is not None
    with pytest.raises(ForgedDelegation):
        chain.receive(HONEST[1].answer(client.build_request(client.request_nonce(step.request))))
    assert chain.next_request() == step
    chain.receive(HONEST[0].answer(step.request))
    assert len(chain.exchanges) == 1


# On those who read reports: an honest server is framed


LIE = measured([HONEST[0].at(NOW_S + 3600), *HONEST[1:]]).exchanges


def framed(change: Callable[[list[dict[str, str]]], object]) -> str:
    document = json.loads(reports.write_report(LIE))
    change(document["responses"])
    return json.dumps(document)


def test_report_with_the_order_of_replies_turned_around() -> None:
    with pytest.raises(WrongNonce):
        reports.check_report(framed(lambda rows: rows.reverse()))


def test_report_of_replies_that_were_never_chained() -> None:
    early, late = (fake.at(NOW_S + ahead) for fake, ahead in ((HONEST[0], 3600), (HONEST[1], 0)))
    exchanges = []
    for fake in (early, late):
        request = client.build_request(noise(fake.name), (1,), fake.public_key)
        reply = fake.answer(request)
        verified = client.verify_reply(request, reply, fake.public_key)
        exchanges.append(measuring.Exchange(fake.public_key, noise("rand"), request, reply, verified))
    with pytest.raises(WrongNonce):
        reports.check_report(reports.write_report(exchanges))


def test_report_with_the_key_of_somebody_else() -> None:
    theirs = delegation.encode_base64(HONEST[1].public_key)
    with pytest.raises(ForgedDelegation):
        reports.check_report(framed(lambda rows: rows[0].update(publicKey=theirs)))


@pytest.mark.parametrize("name", ["request", "response", "publicKey", "rand"])
def test_report_with_a_part_missing_or_cut(name: str) -> None:
    with pytest.raises(UnusableReport):
        reports.check_report(framed(lambda rows: rows[1].pop(name)))
    with pytest.raises((UnusableReport, MalformedMessage, WrongNonce)):
        reports.check_report(framed(lambda rows: rows[1].update({name: rows[1][name][:-8]})))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"responses": 3}', '{"responses": [1, 2]}', '{"responses": []}', "[" * 9999]
)
def test_report_that_is_none(text: str) -> None:
    with pytest.raises(UnusableReport):
        reports.check_report(text)


def test_report_of_more_replies_than_anybody_reads() -> None:
    with pytest.raises(UnusableReport, match="are read"):
        reports.check_report(framed(lambda rows: rows.extend(rows[1:] * 300)))


def test_stolen_draft_certificate_does_not_serve_version_1() -> None:
    """A delegation for one version is none for another, also for who holds the online key."""
    swapped = dataclasses.replace(FAKE.online, certificates={1: FAKE.online.certificates[0x8000000C]})
    reply = server.answer_batch([REQUEST], FAKE.identity, replies.Signer(swapped), FAKE.moment)[0][0]
    assert isinstance(reply, bytes)
    with pytest.raises(ForgedDelegation):
        verify(reply)
