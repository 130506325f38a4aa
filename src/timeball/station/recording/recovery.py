"""Opening a store: is what lies on the disk one log, signed by this key, and where does it end?

Nothing is written over what is there: a contradiction is StoreDamagedError, and a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from timeball.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from timeball.ledger.entry import parse_envelope, verify_payload
from timeball.ledger.errors import EntryError, LedgerError, TileError
from timeball.ledger.log import TiledLog
from timeball.ledger.merkle import EMPTY_ROOT, hash_children, hash_leaf, range_root
from timeball.ledger.note import Signer, parse_vkey
from timeball.ledger.payload import parse_frame
from timeball.ledger.tiles import ENTRIES, WIDTH, index_path, parse_bundle, write_bundle
from timeball.station.recording.errors import StoreDamagedError
from timeball.station.recording.filesystem import FileSystem, replace
from timeball.station.recording.group import Group, make_block
from timeball.station.recording.integration import LEDGER, PAYLOADS, Frontier, payload_path
from timeball.station.recording.journal import JOURNAL

CHECKPOINT = f"{LEDGER}/checkpoint"
VKEY = f"{LEDGER}/log.vkey"
# tiles that share a folder
_GROUPED = 1000


@dataclass(frozen=True, slots=True)
class LocalHead(Checkpoint):
    """The signed head found at open, before anything is signed, and the entries acknowledged beyond it.

    `root_at(size)` gives the root of the first `size` ≤ `acknowledged` entries: what a head seen elsewhere must be,
    also one that a power cut took back here while the journal kept its entries.
    """

    acknowledged: int = 0
    root_at: Callable[[int], bytes] = lambda _: EMPTY_ROOT


# judges the local head before the first signature of this life; whatever it raises stops the store from opening
Guard = Callable[[LocalHead], None]


def read_head(fs: FileSystem, signer: Signer) -> Checkpoint | None:
    """Read the signed head, None where there is nothing at all yet; raises StoreDamagedError."""
    _check_vkey(fs, signer)
    data = fs.read(CHECKPOINT)
    if data is None:
        _expect_nothing(fs, CHECKPOINT)
        return None
    try:
        return open_checkpoint(data, signer.verifier)
    except LedgerError as error:
        raise StoreDamagedError(f"{CHECKPOINT}: {error}") from error


def found_log(fs: FileSystem, signer: Signer) -> Checkpoint:
    """Write what a log begins with: its verifier key and the signed head of an empty tree; raises OSError."""
    fs.make_dirs(LEDGER)
    if fs.read(VKEY) is None:
        replace(fs, VKEY, (signer.verifier.vkey + "\n").encode())
    head = Checkpoint(signer.name, 0, EMPTY_ROOT)
    replace(fs, CHECKPOINT, sign_checkpoint(head, [signer]))
    return head


def local_head(head: Checkpoint, log: TiledLog, pending: Sequence[Group]) -> LocalHead:
    """What a guard judges: the signed head, the log under it, and what is acknowledged beyond it."""
    block = make_block(pending) if pending else None

    def node(level: int, index: int) -> bytes:
        if (index + 1) << level <= head.size:
            return log.node(level, index)
        if level == 0 and block is not None:
            return hash_leaf(block.leaf(index - head.size))
        return hash_children(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

    acknowledged = head.size + (block.count if block else 0)
    return LocalHead(
        head.origin, head.size, head.root, head.extensions, acknowledged, lambda size: range_root(0, size, node)
    )


def open_frontier(fs: FileSystem, head: Checkpoint) -> tuple[Frontier, TiledLog]:
    """Read the open end of the log and compare it with the head; raises StoreDamagedError."""
    log = TiledLog(lambda path: fs.read(f"{LEDGER}/{path}"), head.size)
    try:
        edge = log.edge()
        number, width = divmod(head.size, WIDTH)
        bundle = log.bundle(number) if width else []
    except LedgerError as error:
        raise StoreDamagedError(f"{LEDGER}/{error}") from error
    if edge.root() != head.root:
        raise StoreDamagedError(f"{LEDGER}/tile: the tiles do not lead to the root of the signed head of {head.size}")
    for position, leaf in enumerate(bundle):
        if hash_leaf(leaf) != edge.levels[0][position]:
            raise StoreDamagedError(
                f"{LEDGER}/{log.tile_path(None, number)}, entry {number * WIDTH + position}: "
                "the entry does not hash to the leaf in the tree"
            )
    return Frontier(edge, write_bundle(bundle), _measure_payloads(fs, number, bundle)), log


def pending_groups(groups: Sequence[Group], frontier: Frontier) -> list[Group]:
    """Groups of the journal that the head does not cover yet; raises StoreDamagedError when they do not fit it."""
    size = frontier.edge.size
    if groups and groups[0].first > size:
        raise StoreDamagedError(
            f"{JOURNAL}: it begins with entry {groups[0].first}, but the signed head covers only {size} entries"
        )
    leaves = parse_bundle(frontier.bundle, size % WIDTH)
    for group in groups:
        # what the head covers, it covers whole: groups are integrated as they were acknowledged
        if group.first < size < group.end:
            raise StoreDamagedError(f"{JOURNAL}: the signed head of {size} entries ends inside a group of entries")
        if size - len(leaves) < group.end <= size:
            _compare(group, leaves, size - len(leaves))
    return [group for group in groups if group.first >= size]


def remove_uncovered(fs: FileSystem, size: int, end: int) -> None:
    """Remove, durably, the partial tiles that an interrupted integration left beyond a head of `size` entries.

    They may be torn, and once a wider head stands nothing would tell them from evidence. No integration went beyond
    `end` entries, those that the journal holds. Raises OSError; no head may be signed before this is done.
    """
    level = 0
    while end >> (8 * level):
        covered = size >> (8 * level)
        for tile in range(covered // WIDTH, (end >> (8 * level)) // WIDTH + 1):
            for kind in [ENTRIES, "0"] if level == 0 else [str(level)]:
                _remove_wider(fs, f"{LEDGER}/tile/{kind}/{index_path(tile)}.p", covered - tile * WIDTH)
        level += 1


def _remove_wider(fs: FileSystem, folder: str, width: int) -> None:
    names = fs.list(folder)
    wider = [name for name in names if name.isdecimal() and int(name) > width]
    for name in wider:
        fs.unlink(f"{folder}/{name}")
    if wider:
        fs.sync_dir(folder)
    if names == wider:
        fs.remove_dir(folder)


def sweep_partial_tiles(fs: FileSystem, frontier: Frontier) -> None:
    """Remove the partial tiles of which the complete tile exists, left by an interrupted life; raises OSError.

    It looks where the last complete tiles lie: earlier lives have looked elsewhere.
    """
    size = frontier.edge.size
    for kind, level in [(ENTRIES, 0), *((str(level), level) for level in range(len(frontier.edge.levels)))]:
        open_tile = size >> (8 * (level + 1))
        complete = {index_path(index) for index in range(max(0, open_tile - 2 * _GROUPED), open_tile)}
        for folder in {path.rpartition("/")[0] for path in complete}:
            base = f"{LEDGER}/tile/{kind}" + (f"/{folder}" if folder else "")
            for name in fs.list(base):
                path = f"{folder}/{name}".removeprefix("/").removesuffix(".p")
                if name.endswith(".p") and path in complete:
                    sweep_folder(fs, f"{base}/{name}")


def sweep_folder(fs: FileSystem, folder: str) -> None:
    """Remove the partial tiles of one tile, and their folder; raises OSError."""
    for name in fs.list(folder):
        fs.unlink(f"{folder}/{name}")
    fs.remove_dir(folder)


def _compare(group: Group, leaves: Sequence[bytes], first: int) -> None:
    block = make_block([group])
    for position in range(max(0, first - group.first), block.count):
        index = group.first + position
        if block.leaf(position) != leaves[index - first]:
            raise StoreDamagedError(f"{JOURNAL}: entry {index} differs from the one in the tree")


def _check_vkey(fs: FileSystem, signer: Signer) -> None:
    data = fs.read(VKEY)
    if data is None:
        _expect_nothing(fs, VKEY)
        return
    try:
        found = parse_vkey(data.decode())
    except (LedgerError, UnicodeDecodeError) as error:
        raise StoreDamagedError(f"{VKEY}: {error}") from error
    if found != signer.verifier:
        raise StoreDamagedError(f"{VKEY}: the log is {found.vkey}, but the key at hand is {signer.verifier.vkey}")


def _expect_nothing(fs: FileSystem, missing: str) -> None:
    for path in (f"{LEDGER}/tile", PAYLOADS):
        if fs.list(path):
            raise StoreDamagedError(f"{missing} is missing although {path} is there")
    if fs.read(JOURNAL) or (missing == VKEY and fs.read(CHECKPOINT)):
        raise StoreDamagedError(f"{missing} is missing although something was recorded")


def _measure_payloads(fs: FileSystem, number: int, bundle: Sequence[bytes]) -> int:
    path = payload_path(number)
    data = fs.read(path) or b""
    offset = 0
    for position, leaf in enumerate(bundle):
        try:
            frame = parse_frame(data, offset)
            if frame.payload is not None:
                verify_payload(parse_envelope(leaf), frame.salt, frame.payload)
        except (TileError, EntryError) as error:
            raise StoreDamagedError(f"{path}, entry {number * WIDTH + position}, byte {offset}: {error}") from error
        offset = frame.end
    return offset
