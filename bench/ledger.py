"""The ledger: durable appends beside SQLite and beside bare writes, bulk recording, verification, proofs."""

from __future__ import annotations

import itertools
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import Figure, Skip, medians
from bench.ledger_verifying import proof_figures, verification_figures
from timeball.ledger import canonical
from timeball.station.recording.store import EntryBatch, NewEntry, Store

ROOM = "ledger"
BATCH = 1000
PAYLOAD = canonical.encode({"fill": "x" * 289})
HISTORY = 3000
LARGE = canonical.encode({"fill": "x" * 30_000})


def figures() -> Iterator[Figure | Skip]:
    """Appends (every batch durable before it counts), the bulk build of a history, verification, and proofs."""
    # on the disk of the project: what is measured is its sync
    with tempfile.TemporaryDirectory(dir=Path(__file__).resolve().parent.parent / ".venv") as folder:
        root = Path(folder)
        yield from _appends(root)
        yield _bulk(root / "bulk")
        yield from verification_figures(root)
        yield from proof_figures(root)


def _appends(root: Path) -> Iterator[Figure]:
    assert len(PAYLOAD) == 300
    # each its own, so that none signs a head over another's entries
    stores = {name: Store(root / name) for name in ("ours", "single", "head")}
    numbers = {name: itertools.count(1, BATCH) for name in stores}
    base = sqlite3.connect(root / "peer.sqlite", isolation_level=None)
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("PRAGMA synchronous=FULL")
    base.execute("CREATE TABLE entry (seq INTEGER PRIMARY KEY, type TEXT, payload BLOB)")
    descriptor = os.open(root / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def append(name: str) -> None:
        batch = EntryBatch("bench", next(numbers[name]), "bench", 1, [PAYLOAD] * BATCH)
        stores[name].append_many(batch, 0)

    def one_by_one() -> None:
        first = next(numbers["single"])
        entries = [NewEntry("bench", seq, "bench", 1, PAYLOAD) for seq in range(first, first + BATCH)]
        stores["single"].append_many(entries, 0)

    def to_the_head() -> None:
        append("head")
        stores["head"].integrate()

    def sqlite() -> None:
        base.execute("BEGIN")
        base.executemany("INSERT INTO entry (type, payload) VALUES (?, ?)", [("bench", PAYLOAD)] * BATCH)
        base.execute("COMMIT")

    def raw() -> None:
        os.write(descriptor, PAYLOAD * BATCH)
        os.fdatasync(descriptor)

    works = {"ours": lambda: append("ours"), "single": one_by_one, "head": to_the_head, "sqlite": sqlite, "raw": raw}
    rate = {name: BATCH / seconds for name, seconds in medians(works, 31).items()}
    for store in stores.values():
        store.close()
    base.close()
    os.close(descriptor)
    against_sqlite = f"SQLite WAL synchronous=FULL: {rate['sqlite']:.0f}/s"
    ratio = rate["ours"] / rate["sqlite"]
    yield Figure(
        "durable append, 1000 x 300 B", ROOM, rate["ours"], "entries/s", against_sqlite, ratio,
        target="ratio >= 1.5", ok=ratio >= 1.5,
    )  # fmt: skip
    raw_peer = f"one write + fdatasync, no envelope or tree: {rate['raw']:.0f}/s"
    yield Figure("the same beside a bare write", ROOM, rate["ours"], "entries/s", raw_peer, rate["ours"] / rate["raw"])
    ratio = rate["single"] / rate["sqlite"]
    yield Figure("the same, an object for each entry", ROOM, rate["single"], "entries/s", against_sqlite, ratio)
    ratio = rate["head"] / rate["sqlite"]
    yield Figure("the same, to the signed head", ROOM, rate["head"], "entries/s", against_sqlite, ratio)


def _bulk(state: Path) -> Figure:
    with Store(state) as store:
        entries = [NewEntry("history", number, "bench", 1, LARGE) for number in range(1, HISTORY + 1)]
        start = time.perf_counter()
        store.append_many(entries, 0)
        store.integrate()
        seconds = time.perf_counter() - start
    return Figure("3000 entries of 30 kB, to the signed head", ROOM, seconds, "s", target="< 3 s", ok=seconds < 3)
