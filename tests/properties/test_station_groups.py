"""Columns against single entries: frames and envelopes are the bytes that the ledger's own writers give."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from timeball.ledger import canonical
from timeball.ledger.canonical import MAX_INTEGER
from timeball.ledger.entry import make_envelope, write_envelope
from timeball.ledger.errors import CanonicalError
from timeball.ledger.merkle import hash_leaf
from timeball.ledger.payload import parse_frame, write_frame
from timeball.ledger.tiles import Edge, TilePath, parse_bundle
from timeball.station.recording.errors import StoreDamagedError
from timeball.station.recording.group import SALT_BYTES, Group, Run, make_block, make_group
from timeball.station.recording.integration import Frontier, extend_edge, payload_path, plan_integration
from timeball.station.recording.journal import scan_journal, write_group_head
from timeball.station.recording.payloadcheck import find_refused

NAMES = st.from_regex(r"[a-z][a-z0-9_.:/-]{0,63}", fullmatch=True)
COUNTS = st.integers(1, MAX_INTEGER - 100)


@st.composite
def runs_of_entries(draw: st.DrawFn) -> list[tuple[Run, list[bytes]]]:
    found = []
    for _ in range(draw(st.integers(1, 4))):
        payloads = draw(st.lists(st.binary(max_size=300), min_size=1, max_size=12))
        run = Run(
            draw(NAMES), draw(COUNTS), len(payloads), draw(NAMES), draw(COUNTS),
            draw(st.none() | st.integers(0, MAX_INTEGER)), draw(st.integers(0, 2**63 - 1)),
        )  # fmt: skip
        found.append((run, payloads))
    return found


def groups_of(runs: list[tuple[Run, list[bytes]]], first: int, split: int) -> list[Group]:
    groups = []
    for part in (runs[:split], runs[split:]):
        if part:
            payloads = [payload for _, of_run in part for payload in of_run]
            groups.append(make_group(first, [run for run, _ in part], payloads, os.urandom))
            first = groups[-1].end
    return groups


def expected(runs: list[tuple[Run, list[bytes]]], salts: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    leaves, frames = [], []
    for run, payloads in runs:
        for position, payload in enumerate(payloads):
            salt = salts[len(leaves)]
            envelope = make_envelope(
                by=run.stream, seq=run.first_seq + position, time_ns=run.time_ns, type=run.type,
                version=run.version, salt=salt, payload=payload, supersedes=run.supersedes,
            )  # fmt: skip
            leaves.append(write_envelope(envelope))
            frames.append(write_frame(salt, payload))
    return leaves, frames


@given(runs_of_entries(), st.integers(0, 4), st.integers(0, 2**40))
def test_leaves_and_frames_are_those_of_single_entries(
    runs: list[tuple[Run, list[bytes]]], split: int, first: int
) -> None:
    groups = groups_of(runs, first, split)
    block = make_block(groups)
    bounds = block.frame_starts.tolist()
    frames = [block.frames[start:end].tobytes() for start, end in itertools.pairwise(bounds)]
    leaves, wanted = expected(runs, [parse_frame(frame).salt for frame in frames])
    assert frames == wanted
    assert parse_bundle(block.leaves.tobytes(), block.count) == leaves
    assert [block.leaf(position) for position in range(block.count)] == leaves
    singles = [(group, position) for group in groups for position in range(group.count)]
    assert [write_envelope(group.envelope(position)) for group, position in singles] == leaves
    assert [write_frame(frame[5:21], group.payload(position)) for frame, (group, position) in zip(
        frames, singles, strict=True
    )] == frames  # fmt: skip


@given(runs_of_entries(), st.integers(0, 4), st.integers(0, 2**40), st.data())
def test_the_journal_gives_back_what_was_written(
    runs: list[tuple[Run, list[bytes]]], split: int, first: int, data: st.DataObject
) -> None:
    written, ends = b"", [0]
    for group in (groups := groups_of(runs, first, split)):
        written += write_group_head(group, len(written)) + group.frames.tobytes()
        ends.append(len(written))
    found, end = scan_journal(written)
    assert end == len(written)
    assert [(group.first, group.runs, group.frames.tobytes()) for group in found] == [
        (group.first, group.runs, group.frames.tobytes()) for group in groups
    ]
    # cut anywhere: the groups before the cut, never a part of one
    cut = data.draw(st.integers(0, len(written)))
    found, end = scan_journal(written[:cut])
    assert end == max(known for known in ends if known <= cut)
    # a byte spoiled in a group that was durable when the next was begun is damage, in the last one it is a torn tail
    place = data.draw(st.integers(0, len(written) - 1))
    spoiled = written[:place] + bytes([written[place] ^ 0xFF]) + written[place + 1 :]
    try:
        found, end = scan_journal(spoiled)
    except StoreDamagedError:
        assert len(groups) == 2
        assert place < ends[1]
    else:
        assert end == (0 if len(groups) == 1 else ends[1]) <= place


@given(st.integers(0, 1100), st.integers(0, 1100), st.integers(0, 2**32))
def test_an_edge_grows_in_columns_as_leaf_by_leaf(before: int, count: int, seed: int) -> None:
    hashes = np.frombuffer(np.random.default_rng(seed).bytes(32 * (before + count)), np.uint8).reshape(-1, 32)
    edge, _ = extend_edge(Edge(), hashes[:before])
    found, tiles = extend_edge(edge, hashes[before:])
    single = Edge()
    completed: list[tuple[TilePath, bytes]] = []
    for number, leaf in enumerate(hashes):
        new = single.append(leaf.tobytes())
        completed += new if number >= before else []
    assert (found.size, found.levels, found.root()) == (single.size, single.levels, single.root())
    assert sorted(tiles, key=str) == sorted(completed, key=str)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=4))
def test_files_do_not_depend_on_how_entries_arrived(counts: list[int]) -> None:
    salts = bytes(SALT_BYTES)
    files: dict[str, bytes] = {}
    frontier, total = Frontier(), 0
    payloads = [b'"%d"' % number for number in range(sum(counts))]
    for count in counts:
        run = Run("bench", total + 1, count, "bench", 1, None, 5)
        part = payloads[total : total + count]
        plan = plan_integration(frontier, make_block([make_group(total, [run], part, bytes)]))
        for path, offset, data in plan.writes:
            assert offset == len(files.get(path, b"")) or path.startswith("ledger/")
            files[path] = files.get(path, b"")[:offset] + bytes(data)
        frontier, total = plan.frontier, total + count
    whole = Run("bench", 1, total, "bench", 1, None, 5)
    leaves, frames = expected([(whole, payloads)], [salts] * total)
    edge = Edge()
    for leaf in leaves:
        edge.append(hash_leaf(leaf))
    assert frontier.edge.root() == edge.root()
    for number in range((total + 255) // 256):
        part = slice(256 * number, 256 * (number + 1))
        assert files[payload_path(number)] == b"".join(frames[part])
        width = len(leaves[part])
        assert parse_bundle(files[f"ledger/{TilePath(None, number, width)}"], width) == leaves[part]


_PROGRAM = """
from timeball.station.recording.group import Run, make_block, make_group
from timeball.station.recording.integration import Frontier, plan_integration
from timeball.station.recording.journal import write_group_head
runs = [Run("a", 98, 5, "t", 1, None, 7), Run("b:1", 1, 300, "t", 10**15, 3, 2**63 - 1)]
group = make_group(0, runs, [bytes([n % 251]) * n for n in range(305)], lambda n: bytes(i % 256 for i in range(n)))
plan = plan_integration(Frontier(), make_block([group]))
import hashlib
print(hashlib.sha256(write_group_head(group, 9) + group.frames.tobytes()).hexdigest())
for path, offset, data in sorted(plan.writes, key=lambda write: write[0]):
    print(path, offset, hashlib.sha256(data).hexdigest())
"""


def test_the_bytes_are_the_same_without_the_jit() -> None:
    answers = []
    for extra in ({}, {"NUMBA_DISABLE_JIT": "1"}):
        ran = subprocess.run(
            [sys.executable, "-c", _PROGRAM], env=os.environ | extra, capture_output=True, text=True, check=True,
            cwd=Path(__file__).parent,
        )  # fmt: skip
        answers.append(ran.stdout)
    assert answers[0] == answers[1]
    assert "ledger/tile/entries/001.p/49" in answers[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab\n", max_size=3), inner, max_size=3),
    max_leaves=8,
)


def decides(payload: bytes) -> str | None:
    try:
        canonical.decode(payload)
    except CanonicalError as error:
        return str(error)
    return None


@given(st.lists(st.binary(max_size=12) | JSON.map(msgspec.json.encode), max_size=6))
def test_the_first_payload_that_is_not_canonical_is_named(payloads: list[bytes]) -> None:
    reasons = [decides(payload) for payload in payloads]
    bad = [(number, reason) for number, reason in enumerate(reasons) if reason is not None]
    found = find_refused(payloads)
    assert (found and (found[0], str(found[1]))) == (bad[0] if bad else None)
