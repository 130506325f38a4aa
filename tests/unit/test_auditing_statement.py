"""Statements of an audit: one way to write each, and nothing else is read."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.ledger.errors import NoteError
from timeball.ledger.note import make_signer
from timeball.station.auditing.statement import (
    MOST_LINES,
    VERDICTS,
    Finding,
    Statement,
    StatementError,
    Unchecked,
    one_line,
    open_statement,
    parse_statement,
    shorten,
    shorten_unchecked,
    sign_statement,
)

AUDITOR = make_signer("witness.example.org/audit", bytes(range(32)))
PLAIN = Statement(
    "log.example",
    9,
    bytes(32),
    1_795_390_302,
    "contradiction",
    "it does not follow",
    7,
    9,
    3,
    1,
    2,
    (Unchecked(2, 4, "erased"),),
    (Finding(5, "look at this"), Finding(None, "and at all")),
)
NUMBERS = st.integers(0, 10**18)
WORDS = st.text(max_size=700).map(one_line)
STATEMENTS = st.builds(
    Statement,
    st.just("log.example"),
    NUMBERS,
    st.binary(min_size=32, max_size=32),
    NUMBERS,
    st.sampled_from(VERDICTS),
    WORDS,
    st.none() | NUMBERS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    st.lists(st.builds(lambda a, b, w: Unchecked(a, a + b, w), NUMBERS, st.integers(0, 9), WORDS), max_size=3).map(
        tuple
    ),
    st.lists(st.builds(Finding, st.none() | NUMBERS, WORDS), max_size=3).map(tuple),
)


def test_the_text_as_the_guide_shows_it() -> None:
    assert PLAIN.text == (
        "timeball audit v1\norigin log.example\nsize 9\nroot AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
        "time 1795390302\nverdict contradiction\nindex 7\nwords it does not follow\nentries 9\nagreed 3\npending 1\n"
        "bounds 2\nunchecked 2-4 erased\nfinding 5 look at this\nfinding - and at all\n"
    )
    assert open_statement(sign_statement(PLAIN, AUDITOR), AUDITOR.verifier) == PLAIN


@given(STATEMENTS)
def test_written_and_read_again(statement: Statement) -> None:
    assert open_statement(sign_statement(statement, AUDITOR), AUDITOR.verifier) == statement


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("audit v1", "audit v2"),
        ("verdict contradiction", "verdict perhaps"),
        ("size 9", "size 09"),
        ("size 9", "size -9"),
        ("index 7", "index seven"),
        ("root AAAA", "root AAA"),
        ("agreed 3\n", ""),
        ("agreed 3", "disagreed 3"),
        ("unchecked 2-4", "unchecked 4-2"),
        ("unchecked 2-4 erased", "unchecked 2 erased"),
        ("finding 5 look at this", "finding 5  look at this"),
        ("finding 5 look at this\n", "finding 5 look at this\nunchecked 2-4 erased\n"),
        ("finding - and at all", "finding -"),
        ("finding - and at all", "surprise"),
    ],
)
def test_what_is_written_otherwise_is_refused(old: str, new: str) -> None:
    assert PLAIN.text.count(old) == 1
    with pytest.raises(StatementError):
        parse_statement(PLAIN.text.replace(old, new))


@given(st.text() | st.text().map(lambda text: PLAIN.text[: len(text)] + text + PLAIN.text[len(text) :]))
def test_nothing_but_its_own_error_escapes(text: str) -> None:
    with suppress(StatementError):
        assert parse_statement(text).text == text


def test_a_forged_one_is_no_statement() -> None:
    forged = sign_statement(PLAIN, make_signer(AUDITOR.name, bytes(32)))
    mended = sign_statement(PLAIN, AUDITOR).replace(b"contradiction", b"agrees")
    for note in (forged, mended):
        with pytest.raises(NoteError):
            open_statement(note, AUDITOR.verifier)


def test_long_lists_are_cut_and_say_so() -> None:
    ranges = [Unchecked(3 * n, 3 * n + 1, "gone") for n in range(MOST_LINES + 5)]
    found = shorten_unchecked(ranges)
    assert (len(found), found[-1].last, found[-1].words) == (MOST_LINES, ranges[-1].last, "6 ranges in here")
    assert shorten_unchecked(ranges[:MOST_LINES]) == tuple(ranges[:MOST_LINES])
    findings = shorten([Finding(n, "x") for n in range(MOST_LINES + 5)])
    assert (len(findings), findings[-1]) == (MOST_LINES, Finding(None, "and 6 more"))
    long = replace(PLAIN, unchecked=found, findings=findings, words="w\n" * 999)
    assert parse_statement(long.text).text == long.text
