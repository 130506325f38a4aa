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
from timeball.ledger.tiles import ENTRIES, WIDTH, index_path
from timeball.station.recording.errors import StoreDamagedError
from timeball.station.recording.filesystem import FileSystem, replace
from timeball.station.recording.integration import LEDGER, PAYLOADS, Frontier, payload_path
from timeball.station.recording.journal import JOURNAL, JournalFrame

CHECKPOINT = f"{LEDGER}/checkpoint"
VKEY = f"{LEDGER}/log.vkey"


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


def local_head(head: Checkpoint, log: TiledLog, leaves: Sequence[bytes]) -> LocalHead:
    """What a guard judges: the signed head, the log under it, and the leaves acknowledged beyond it."""

    def node(level: int, index: int) -> bytes:
        if (index + 1) << level <= head.size:
            return log.node(level, index)
        if level == 0:
            return hash_leaf(leaves[index - head.size])
        return hash_children(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

    acknowledged = head.size + len(leaves)
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
    return Frontier(edge, bundle, _measure_payloads(fs, number, bundle)), log


def pending_frames(frames: Sequence[JournalFrame], frontier: Frontier) -> list[JournalFrame]:
    """Frames of the journal that the head does not cover yet; raises StoreDamagedError when they do not fit it."""
    size = frontier.edge.size
    if frames and frames[0].index > size:
        raise StoreDamagedError(
            f"{JOURNAL}: it begins with entry {frames[0].index}, but the signed head covers only {size} entries"
        )
    first = size - len(frontier.bundle)
    for frame in frames:
        if first <= frame.index < size and frontier.bundle[frame.index - first] != frame.leaf:
            raise StoreDamagedError(f"{JOURNAL}: entry {frame.index} differs from the one in the tree")
    return [frame for frame in frames if frame.index >= size]


def sweep_partial_tiles(fs: FileSystem, frontier: Frontier) -> None:
    """Remove the partial tiles that an interrupted integration left beside the present ones; raises OSError."""
    keep = set(frontier.partial_paths())
    size = frontier.edge.size
    for kind, level in [(ENTRIES, 0), *((str(level), level) for level in range(len(frontier.edge.levels)))]:
        last = size >> (8 * (level + 1))
        for index in range(max(0, last - 1), last + 1):
            _sweep_folder(fs, f"{LEDGER}/tile/{kind}/{index_path(index)}.p", keep)


def _sweep_folder(fs: FileSystem, folder: str, keep: set[str]) -> None:
    for name in fs.list(folder):
        if f"{folder}/{name}" not in keep:
            fs.unlink(f"{folder}/{name}")
    if not any(path.startswith(folder + "/") for path in keep):
        fs.remove_dir(folder)


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
