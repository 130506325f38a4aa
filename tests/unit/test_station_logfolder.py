"""What a folder gives to a verification: partial tiles by name, files into buffers, spans in threads and in order."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from timeball.ledger.bundles import MISSING
from timeball.station.recording import logfolder
from timeball.station.recording.logfolder import LogFolder, map_in_threads


@pytest.fixture
def folder(tmp_path: Path) -> LogFolder:
    for name in ("tile/0/x001/234", "tile/0/x001/235.p/7", "tile/0/x001/235.p/9", "tile/entries/000.p/1", "checkpoint"):
        path = tmp_path / "ledger" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "ledger/tile/entries/001.p").mkdir()
    found = LogFolder.find(tmp_path)
    assert found is not None
    return found


def test_partial_tiles_and_nothing_else(folder: LogFolder) -> None:
    assert sorted(folder.partial_tiles()) == ["tile/0/x001/235.p/7", "tile/0/x001/235.p/9", "tile/entries/000.p/1"]


def test_a_folder_without_tiles(tmp_path: Path) -> None:
    assert list(LogFolder(tmp_path, tmp_path / "nowhere", None).partial_tiles()) == []


def test_a_folder_of_partial_tiles_that_is_removed_meanwhile(folder: LogFolder) -> None:
    names: Iterator[str] = folder.partial_tiles()
    first = next(names)
    for place in ("tile/0/x001/235.p", "tile/entries/000.p", "tile/entries/001.p"):
        if not first.startswith(place):
            for path in (folder.log / place).iterdir():
                path.unlink()
            (folder.log / place).rmdir()
    assert {first, *names} <= {"tile/0/x001/235.p/7", "tile/0/x001/235.p/9", "tile/entries/000.p/1"}


@pytest.mark.parametrize("compiled", [True, False])
def test_files_into_rows(folder: LogFolder, compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not compiled:
        monkeypatch.setattr(logfolder, "COMPILED", False)
    name = "tile/0/x001/234"
    whole = name.encode()
    names = [name, "tile/0/x001/233", name, "tile/0/x001", "checkpoint/below", "checkpoint"]
    table = np.full((len(names), 3), 77, np.int64)
    for length in (1, len(whole) - 1, len(whole) + 1, 4096):
        rows = np.zeros((len(names) + 1, length), np.uint8)
        folder.fill(names, rows, table[:, 1])
        there, below = table[[0, 2], 1], table[5, 1]
        # a row that is filled does not say that this was all
        assert (there > length).all() if length <= len(whole) else (there == len(whole)).all()
        assert below == len(b"checkpoint") if length > len(b"checkpoint") else below > length
        assert table[[1, 3, 4], 1].tolist() == [MISSING] * 3
        if length > len(whole):
            assert rows[0, : len(whole)].tobytes() == rows[2, : len(whole)].tobytes() == whole
        assert not rows[1].any()
        assert not rows[len(names)].any()
    assert (table[:, [0, 2]] == 77).all()
    for missing in ("tile/0/x001/233", "tile/0/x001", "checkpoint/below"):
        assert folder.read(missing) is None
    assert folder.read(name) == whole
    LogFolder(folder.path, folder.log, None).fill_payloads(names, rows, table[:, 0])
    assert (table[:, 0] == MISSING).all()


def test_threads_keep_the_order_and_stay_near() -> None:
    begun = 0
    lock = threading.Lock()

    def work(number: int) -> int:
        nonlocal begun
        with lock:
            begun += 1
        return number

    for taken, result in enumerate(map_in_threads(work, range(200)), start=1):
        assert result == taken - 1
        assert begun <= taken + 2 * logfolder._THREADS
    assert begun == 200
    # an endless input is possible, and leaving it ends the threads
    before = threading.active_count()
    results = map_in_threads(work, itertools.count())
    assert [next(results) for _ in range(5)] == list(range(5))
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_what_a_thread_raises_is_raised_in_its_turn() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise PermissionError("three")
        return number

    results = map_in_threads(work, range(10))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(PermissionError, match="three"):
        next(results)
