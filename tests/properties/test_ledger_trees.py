"""Trees: the textbook recursion of RFC 6962 is the oracle for roots, proofs, and the tiled edge."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeball.ledger import merkle
from timeball.ledger.errors import EvidenceError, ProofError, TileError
from timeball.ledger.log import (
    AttestedLog,
    MissingTileError,
    TiledLog,
    prove_consistency,
    prove_inclusion,
    prove_subtree,
)
from timeball.ledger.tiles import WIDTH, Edge, TilePath, tile_root, tile_width, write_bundle


def naive_root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def leaf(number: int) -> bytes:
    return b"entry %d" % number


def grow(size: int) -> merkle.MerkleTree:
    tree = merkle.MerkleTree()
    for number in range(size):
        tree.append(merkle.hash_leaf(leaf(number)))
    return tree


TREE = grow(300)
LEAVES = [merkle.hash_leaf(leaf(number)) for number in range(300)]
ROOTS = [naive_root(LEAVES[:size]) for size in range(301)]


def test_roots() -> None:
    assert [TREE.root(size) for size in range(301)] == ROOTS


@given(st.integers(1, 300), st.data())
def test_inclusion(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.make_inclusion_proof(index, size, TREE.node)
    merkle.verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size])
    merkle.verify_subtree_inclusion(LEAVES[index], index, 0, size, proof, ROOTS[size])
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        with pytest.raises(ProofError):
            merkle.verify_inclusion(LEAVES[index], other, size, proof, ROOTS[size])
    for wrong in (proof[:-1], [*proof, bytes(32)], [bytes(32), *proof]):
        if wrong != proof:
            with pytest.raises(ProofError):
                merkle.verify_inclusion(LEAVES[index], index, size, wrong, ROOTS[size])


@given(st.integers(1, 300), st.data())
def test_consistency(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    proof = merkle.make_consistency_proof(old, new, TREE.node)
    merkle.verify_consistency(old, new, proof, ROOTS[old], ROOTS[new])
    with pytest.raises(ProofError):
        merkle.verify_consistency(old, new, proof, bytes(32), ROOTS[new])
    with pytest.raises(ProofError):
        merkle.verify_consistency(old, new, proof, ROOTS[old], bytes(32))
    with pytest.raises(ProofError):
        merkle.verify_consistency(old, new, [*proof, bytes(32)], ROOTS[old], ROOTS[new])


def test_proofs_that_cannot_be() -> None:
    for index, size in ((0, 0), (5, 5), (-1, 5)):
        with pytest.raises(ProofError):
            merkle.make_inclusion_proof(index, size, TREE.node)
    for old, new in ((0, 5), (6, 5)):
        with pytest.raises(ProofError):
            merkle.make_consistency_proof(old, new, TREE.node)
    with pytest.raises(ProofError, match="32 bytes"):
        merkle.verify_inclusion(LEAVES[0], 0, 2, [b"short"], ROOTS[2])


class Files(dict[str, bytes]):
    """A log of `size` entries as files, written by the edge alone."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.edge = Edge()
        bundle: list[bytes] = []
        for number in range(size):
            bundle.append(leaf(number))
            for path, data in self.edge.append(merkle.hash_leaf(leaf(number))):
                self[str(path)] = data
            if len(bundle) == WIDTH:
                self[str(TilePath(None, number // WIDTH))] = write_bundle(bundle)
                bundle = []
        self.update((str(path), data) for path, data in self.edge.partial_tiles())
        if bundle:
            self[str(TilePath(None, size // WIDTH, len(bundle)))] = write_bundle(bundle)


SIZES = [0, 1, 2, 255, 256, 257, 511, 512, 700, 65535, 65536, 65537, 70000]


@pytest.fixture(scope="module")
def large() -> merkle.MerkleTree:
    return grow(70000)


@pytest.mark.parametrize("size", SIZES)
def test_the_edge_and_the_tiles_hold_the_same_tree(size: int, large: merkle.MerkleTree) -> None:
    files = Files(size)
    assert files.edge.root() == large.root(size)
    log = TiledLog(files.get, size)
    assert log.root() == large.root(size)
    again = log.edge()
    assert (again.size, again.levels) == (size, files.edge.levels)
    for index in {0, size // 2, size - 1} if size else set():
        proof = merkle.make_inclusion_proof(index, size, log.node)
        merkle.verify_inclusion(merkle.hash_leaf(leaf(index)), index, size, proof, large.root(size))
        assert log.bundle(index // WIDTH)[index % WIDTH] == leaf(index)


def test_widths_of_the_specification_example() -> None:
    """70 000 entries: 273 complete leaf tiles and 112 hashes; 1 and 17 above; 1 on top (tlog-tiles, partial tiles)."""
    files = Files(70000)
    assert sum(path.startswith("tile/0/") and ".p" not in path for path in files) == 273
    assert {path for path in files if ".p" in path and "entries" not in path} == {
        "tile/0/273.p/112",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    }
    assert [tile_width(0, 273, 70000), tile_width(1, 1, 70000), tile_width(2, 0, 70000), tile_width(0, 274, 70000)] == [
        112,
        17,
        1,
        0,
    ]


@settings(max_examples=40)
@given(st.integers(1, 1000), st.data())
def test_an_attested_bundle_is_under_the_head(size: int, data: st.DataObject) -> None:
    files = Files(size)
    root = files.edge.root()
    bundle = data.draw(st.integers(0, (size - 1) // WIDTH))
    expected = [leaf(number) for number in range(bundle * WIDTH, min(size, (bundle + 1) * WIDTH))]
    assert AttestedLog(files.get, size, root).attested_bundle(bundle) == expected
    path = TilePath(None, bundle, len(expected))
    spoiled = bytearray(files[str(path)])
    spoiled[data.draw(st.integers(0, len(spoiled) - 1))] ^= 1
    with pytest.raises(EvidenceError):
        AttestedLog({**files, str(path): bytes(spoiled)}.get, size, root).attested_bundle(bundle)
    with pytest.raises(EvidenceError):
        AttestedLog(files.get, size, bytes(32)).attested_bundle(bundle)


def test_a_narrow_tile_is_found_in_its_complete_successor() -> None:
    newer = Files(600)
    older = TiledLog(newer.get, 500)
    assert older.hashes(0, 1) == [merkle.hash_leaf(leaf(number)) for number in range(256, 500)]
    assert older.bundle(1) == [leaf(number) for number in range(256, 500)]
    with pytest.raises(MissingTileError):
        TiledLog(newer.get, 550).bundle(2)


def test_an_edge_must_fit_its_size() -> None:
    with pytest.raises(TileError):
        Edge(3, [[bytes(32)]])


def subtrees(size: int) -> st.SearchStrategy[tuple[int, int]]:
    """[start, end) with `start` a multiple of the power of two that covers it."""

    def of(width: int) -> st.SearchStrategy[tuple[int, int]]:
        span = 1 << (width - 1).bit_length()
        return st.integers(0, (size - width) // span).map(lambda place: (place * span, place * span + width))

    return st.integers(1, size).flatmap(of)


@settings(max_examples=200)
@given(st.integers(1, 300), st.data())
def test_subtrees(size: int, data: st.DataObject) -> None:
    start, end = data.draw(subtrees(size))
    root = naive_root(LEAVES[start:end])
    proof = merkle.make_subtree_proof(start, end, size, TREE.node)
    merkle.verify_subtree_consistency(start, end, size, proof, root, ROOTS[size])
    if start == 0:
        assert proof == merkle.make_consistency_proof(end, size, TREE.node)
    for wrong in (proof[:-1], [*proof, bytes(32)]):
        if wrong != proof:
            with pytest.raises(ProofError):
                merkle.verify_subtree_consistency(start, end, size, wrong, root, ROOTS[size])
    with pytest.raises(ProofError):
        merkle.verify_subtree_consistency(start, end, size, proof, bytes(32), ROOTS[size])


@pytest.mark.parametrize(("start", "end", "size"), [(1, 3, 8), (0, 0, 8), (0, 9, 8), (4, 4, 8), (-2, 0, 8), (8, 9, 8)])
def test_what_is_no_subtree(start: int, end: int, size: int) -> None:
    with pytest.raises(ProofError):
        merkle.make_subtree_proof(start, end, size, TREE.node)


def files_of(size: int) -> dict[str, bytes]:
    edge, files = Edge(), {}
    for number in range(size):
        for path, content in edge.append(merkle.hash_leaf(leaf(number))):
            files[str(path)] = content
    return files | {str(path): content for path, content in edge.partial_tiles()}


@settings(max_examples=25)
@given(st.sampled_from([1, 255, 256, 257, 700, 66_000]), st.data())
def test_proofs_of_a_tiled_log(size: int, data: st.DataObject) -> None:
    log = TiledLog(BIG.get, size) if size == 66_000 else TiledLog(files_of(size).get, size)
    root = log.root()
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    start, end = data.draw(subtrees(size))
    merkle.verify_inclusion(merkle.hash_leaf(leaf(index)), index, size, prove_inclusion(log, index), root)
    part = merkle.range_root(start, end, log.node)
    merkle.verify_subtree_consistency(start, end, size, prove_subtree(log, start, end), part, root)
    older = merkle.range_root(0, old, log.node)
    merkle.verify_consistency(old, size, prove_consistency(log, old), older, root)
    with pytest.raises(ProofError):
        prove_inclusion(log, size)
    with pytest.raises(EvidenceError, match="no complete subtree"):
        log.node(0, size)


BIG = files_of(66_000)


@pytest.mark.parametrize("complete", [0, 1, 3])
def test_an_edge_grown_by_tiles_is_one_grown_by_leaves(complete: int) -> None:
    slow, fast = Edge(), Edge()
    for number in range(complete * WIDTH):
        tiles = slow.append(merkle.hash_leaf(leaf(number)))
        if tiles:
            row = [tiles[0][1][i : i + 32] for i in range(0, len(tiles[0][1]), 32)]
            assert fast.append_tile(tile_root(row)) == tiles[1:]
    assert (fast.size, fast.root()) == (slow.size, slow.root())
    assert fast.partial_tiles() == slow.partial_tiles()
    fast.append(LEAVES[0])
    with pytest.raises(TileError):
        fast.append_tile(LEAVES[0])
