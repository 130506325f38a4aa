"""The add-checkpoint vectors of torchwood's litewitness, driven through the pure judgement, in their order.

They are requests and answers of one running witness, so what one leaves behind the next one finds. One answer is not
followed: to an unknown origin litewitness says 403, tlog-witness v1.0.0 demands 404.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from timeball.ledger.checkpoint import Checkpoint
from timeball.ledger.cosignature import add_cosignatures, cosign, make_cosigner
from timeball.ledger.errors import Refusal
from timeball.ledger.note import Verifier, open_note, parse_note
from timeball.ledger.witnessing import judge, parse_add_checkpoint, write_add_checkpoint

ORIGIN = "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562"
LOG = Verifier(ORIGIN, bytes.fromhex("ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f"))
WITNESS = make_cosigner("example.com/witness", bytes(32))
_CASE = re.compile(
    r"^POST \S+\n```\n(.*?)```\nHTTP (\d+)\n\[Asserts\]\nbody (contains|==) \"(.*?)\"\n", re.DOTALL | re.M
)
pytestmark = pytest.mark.data


@dataclass(frozen=True)
class Case:
    """A request and what the answer must be."""

    body: bytes
    status: int
    exact: bool
    words: str


def cases_of(path: Path) -> list[Case]:
    """Read the vectors: POST requests in Hurl's form, each with a status and one assertion on the body."""
    found = _CASE.findall(path.read_text(encoding="utf-8"))
    return [
        Case(body.encode(), int(status), relation == "==", words.replace("\\n", "\n"))
        for body, status, relation, words in found
    ]


def answer(case: Case, known: dict[str, Checkpoint]) -> tuple[int, str]:
    """What a witness with these heads answers; an accepted head is remembered."""
    try:
        request = parse_add_checkpoint(case.body)
        head = judge(request, known.get(request.origin), [LOG] if request.origin == ORIGIN else [])
    except Refusal as refusal:
        return refusal.status, refusal.body
    known[request.origin] = head
    return 200, cosign(parse_note(request.note).text, WITNESS, 1_700_000_000)


def test_every_answer_is_as_they_say(shared: Callable[[str], Path]) -> None:
    cases = cases_of(shared("ledger/witness_vectors/add-checkpoint.hurl"))
    assert [case.status for case in cases] == [200, 403, 403, 422, 422, 200, 409, 200, 409]
    known: dict[str, Checkpoint] = {}
    for number, case in enumerate(cases):
        status, body = answer(case, known)
        expected = 404 if case.words == "unknown log" else case.status
        assert status == expected, f"request {number}: {body}"
        assert body == case.words if case.exact else case.words in body, f"request {number}"
    assert known[ORIGIN].size == 5


def test_what_they_accept_is_cosigned(shared: Callable[[str], Path]) -> None:
    known: dict[str, Checkpoint] = {}
    for case in cases_of(shared("ledger/witness_vectors/add-checkpoint.hurl")):
        status, line = answer(case, known)
        if status == 200:
            request = parse_add_checkpoint(case.body)
            assert write_add_checkpoint(request.old_size, request.proof, request.note) == case.body
            cosigned = add_cosignatures(request.note, [line])
            assert open_note(cosigned, [LOG])[1] == (LOG,)
            assert open_note(cosigned, [WITNESS.verifier])[1] == (WITNESS.verifier,)
