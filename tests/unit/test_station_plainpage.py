"""Pages written and read without compiled code: the same words as compiled code writes and reads, and never torn."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from timeball.station.hosttime.hostclocks import boot_id
from timeball.station.page import kernels
from timeball.station.page.clockpage import ObserverPage, PageReader, PageWriter, TimekeeperPage
from timeball.station.page.pagefile import MappedPage, encode
from timeball.station.page.pagelayout import OBSERVER_WORDS
from timeball.station.serving.arrays_page import PlainPair


def observer(k: int) -> ObserverPage:
    return ObserverPage(boot_id().words, k, 2 * k, 3 * k)


MAPPED: list[MappedPage] = []
"""Held for as long as anything may read from their addresses."""


def mapped(path: Path, magic: bytes = ObserverPage.MAGIC) -> MappedPage:
    page = MappedPage.open(path, magic)
    assert page is not None
    MAPPED.append(page)
    return page


def test_plain_and_compiled_writers_and_readers_read_each_other(tmp_path: Path) -> None:
    path = tmp_path / "page"
    for k, plain in enumerate((False, True, True, False), start=1):
        writer = PageWriter(path, ObserverPage, plain=plain)
        writer.write(observer(k))
        writer.close()
        for reads_plain in (False, True):
            assert PageReader(path, ObserverPage, plain=reads_plain).read() == observer(k)
        words = np.zeros(OBSERVER_WORDS, np.int64)
        assert kernels.read_page(mapped(path).address, words) == 2 * k
        assert words.tolist() == encode(observer(k)).tolist()


def test_plain_pair_sees_what_compiled_code_sees_and_when_it_changes(tmp_path: Path) -> None:
    writer = PageWriter(tmp_path / "page", ObserverPage, plain=True)
    writer.write(observer(1))
    page, pair, boot = mapped(tmp_path / "page"), PlainPair(), np.array(boot_id().words)
    addresses = np.array([0, page.address])
    assert not pair.unchanged(addresses)
    pair.read(addresses, boot)
    assert (pair.timekeeper, pair.observer, pair.sequences) == (None, observer(1), [-1, 2])
    assert pair.unchanged(addresses)
    assert not pair.torn(addresses)
    writer.write(observer(2))
    assert not pair.unchanged(addresses)
    pair.read(addresses, boot)
    assert pair.observer == observer(2)
    pair.read(addresses, boot + 1)
    assert pair.observer is None
    addresses[1] = 0
    assert not pair.unchanged(addresses)
    writer.close()


def test_a_writer_that_stopped_in_the_middle_is_a_torn_page(tmp_path: Path) -> None:
    writer = PageWriter(tmp_path / "page", ObserverPage, plain=True)
    writer.write(observer(1))
    page = mapped(tmp_path / "page")
    with (tmp_path / "page").open("r+b") as file:
        file.seek(7 * 8)
        file.write((3).to_bytes(8, "little"))
    pair, addresses = PlainPair(), np.array([0, page.address])
    pair.read(addresses, np.array(boot_id().words))
    assert pair.observer is None
    assert pair.torn(addresses)
    assert not page.copy(np.zeros(OBSERVER_WORDS, np.int64))
    writer.close()


def test_no_reader_sees_a_page_half_written(tmp_path: Path) -> None:
    writer = PageWriter(tmp_path / "page", ObserverPage, plain=True)
    writer.write(observer(1))
    addresses, boot = np.array([0, mapped(tmp_path / "page").address]), np.array(boot_id().words)
    done = threading.Event()

    def write() -> None:
        for k in range(2, 4000):
            writer.write(observer(k))
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    pair, seen = PlainPair(), 0
    while not done.is_set() or seen == 0:
        pair.read(addresses, boot)
        if pair.observer is not None:
            seen += 1
            assert pair.observer == observer(pair.observer.lease_raw_ns)
    thread.join()
    pair.read(addresses, boot)
    assert pair.observer == observer(3999)
    writer.close()


def test_decoded_timekeeper_page_is_the_one_written(tmp_path: Path) -> None:
    page = TimekeeperPage(boot_id().words, 1, 2, 3, 4, 1e-9, 1e-6, 1e-12, 0.0, 0.0, 37, 0, 0, 1, 0x47505300, 0, 10, 20)
    writer = PageWriter(tmp_path / "page", TimekeeperPage, plain=True)
    writer.write(page)
    found = mapped(tmp_path / "page", TimekeeperPage.MAGIC)
    pair = PlainPair()
    pair.read(np.array([found.address, 0]), np.array(boot_id().words))
    assert pair.timekeeper == page
    writer.close()
