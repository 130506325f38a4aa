"""Verification and proofs of large logs, for the ledger's figures: how fast, how it grows, and what memory it takes.

`python -m bench.ledger_verifying verify|prove STATE` does the work once in a process of its own and says what memory
that took at most.
"""

from __future__ import annotations

import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figure import Figure, Skip
from bench.gochecker import MISSING, build_checker, can_build, run_checker
from bench.ledger_logs import entry_of, write_log, write_tiles
from bench.measure import Work, medians, peak_kib
from timeball.ledger import canonical
from timeball.ledger.checkpoint import open_checkpoint
from timeball.ledger.log import TiledLog, prove_consistency, prove_inclusion
from timeball.ledger.merkle import hash_leaf, range_root, verify_consistency, verify_inclusion
from timeball.ledger.tiles import WIDTH
from timeball.ledger.verify import read_head
from timeball.station.recording.logfolder import LogFolder, verify_folder

ROOM = "ledger"
PAYLOAD = canonical.encode({"fill": "x" * 289})
SIZES = (10_000, 100_000, 1_000_000)
LEAST_RATE = 2e6
ROUNDS = 5
# A log whose tiles fill three levels, and how many of its entries are asked for
MANY = 10_000_000
ASKED = 300
LONGEST_PROOF_S = 5e-3
SEED = 20261122
# What counts as flat: peak memory at ten times, or a hundred times, the size
FLAT = 1.1


def verification_figures(root: Path) -> Iterator[Figure | Skip]:
    """Logs of 10⁴ to 10⁶ entries with payloads of 300 bytes, page cache warm: rate, growth, peak memory."""
    for size in SIZES:
        write_log(root / str(size), size, PAYLOAD)
    yield from _rates(root / str(SIZES[-1]))
    works = {str(size): _verifying(root / str(size)) for size in SIZES}
    seconds = list(medians(works, 3).values())
    exponent = math.log(seconds[2] / seconds[1]) / math.log(SIZES[2] / SIZES[1])
    told = ", ".join(f"{size}: {taken:.3g} s" for size, taken in zip(SIZES, seconds, strict=True))
    name = f"verification: how it grows from {SIZES[1]} to {SIZES[2]} entries"
    yield Figure(name, ROOM, exponent, "exponent", told, None, "< 1.1", exponent < 1.1)
    yield _memory("verification", "verify", root / str(SIZES[1]), root / str(SIZES[2]))


def proof_figures(root: Path) -> Iterator[Figure]:
    """Proofs from tiles of a log of 10⁷ entries, nothing kept from one to the next."""
    rng = random.Random(SEED)
    for size in (SIZES[1], MANY):
        write_tiles(root / f"tiles-{size}", size, _asked(size))
    state = root / f"tiles-{MANY}"
    _prove(state, 0)
    # each entry thrice, and the shortest of them: what else runs on the machine for a moment is not the proof's cost
    taken = sorted(min(_prove(state, index) for _ in range(3)) for index in _asked(MANY))
    median = statistics.median(taken) * 1e3
    told = f"slowest of {ASKED} entries at random (seed {SEED}); median {median:.2g} ms"
    name = f"inclusion proof at {MANY} entries, made and verified"
    yield Figure(name, ROOM, taken[-1] * 1e3, "ms", told, None, "<= 5 ms", taken[-1] <= LONGEST_PROOF_S)
    heads = [rng.randrange(1, MANY) for _ in range(100)]
    taken = sorted(min(_prove_extension(state, old) for _ in range(3)) for old in heads)
    told = f"slowest of 100 older heads; median {statistics.median(taken) * 1e3:.2g} ms"
    name = f"consistency proof at {MANY} entries, made and verified"
    yield Figure(name, ROOM, taken[-1] * 1e3, "ms", told)
    yield _memory("proofs", "prove", root / f"tiles-{SIZES[1]}", state)


def _rates(state: Path) -> Iterator[Figure | Skip]:
    folder = LogFolder.find(state)
    assert folder is not None
    works = {"tree": _verifying(state, with_payloads=False), "all": _verifying(state)}
    with tempfile.TemporaryDirectory() as place:
        if can_build():
            program = build_checker(Path(place))
            works["go"] = lambda: run_checker(program, folder.log, folder.key(None).vkey, ["-all"])
        rate = {name: SIZES[-1] / seconds for name, seconds in medians(works, ROUNDS).items()}
    if "go" not in rate:
        yield Skip("verification beside Go's checker", MISSING)
    peer = f"Go sumdb checker, tree alone, one thread: {rate['go']:.3g}/s" if "go" in rate else None
    for name, words in (("tree", "entries, envelopes, all tiles"), ("all", "the same and payloads of 300 B")):
        ratio = rate[name] / rate["go"] if "go" in rate else None
        bound = (">= 2e6/s", rate[name] >= LEAST_RATE) if name == "tree" else (None, True)
        yield Figure(f"verification of {SIZES[-1]}: {words}", ROOM, rate[name], "entries/s", peer, ratio, *bound)


def _verifying(state: Path, with_payloads: bool = True) -> Work:
    folder = LogFolder.find(state)
    assert folder is not None
    whole = folder if with_payloads else LogFolder(folder.path, folder.log, None)
    return lambda: verify_folder(whole, None)


def _asked(size: int) -> list[int]:
    return [0, size - 1, *(random.Random(SEED).randrange(size) for _ in range(ASKED - 2))]


def _prove(state: Path, index: int) -> float:
    """Seconds to read an entry, prove that it is in the log, and verify the proof against the head."""
    folder = LogFolder.find(state)
    assert folder is not None
    data = folder.read("checkpoint")
    assert data is not None
    head = open_checkpoint(data, folder.key(None))
    start = time.perf_counter()
    log = TiledLog(folder.read, head.size)
    leaf = log.bundle(index // WIDTH)[index % WIDTH]
    verify_inclusion(hash_leaf(leaf), index, head.size, prove_inclusion(log, index), head.root)
    taken = time.perf_counter() - start
    assert leaf == entry_of(index)
    return taken


def _prove_extension(state: Path, old: int) -> float:
    folder = LogFolder.find(state)
    assert folder is not None
    head = read_head(folder.read, folder.key(None))
    older = range_root(0, old, TiledLog(folder.read, head.size).node)
    start = time.perf_counter()
    proof = prove_consistency(TiledLog(folder.read, head.size), old)
    verify_consistency(old, head.size, proof, older, head.root)
    return time.perf_counter() - start


def _memory(what: str, work: str, small: Path, large: Path) -> Figure:
    peaks = []
    for state in (small, large):
        command = [sys.executable, "-m", "bench.ledger_verifying", work, str(state)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks.append(int(done.stdout) / 1024)
    told = f"at {small.name}: {peaks[0]:.0f} MiB"
    ratio = peaks[1] / peaks[0]
    name = f"{what}: peak memory at {large.name}"
    return Figure(name, ROOM, peaks[1], "MiB", told, ratio, f"ratio <= {FLAT:g}", ratio <= FLAT)


def _main(work: str, state: Path) -> None:
    if work == "verify":
        _verifying(state)()
    else:
        size = int(state.name.removeprefix("tiles-"))
        for index in _asked(size):
            _prove(state, index)
    print(peak_kib())


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
