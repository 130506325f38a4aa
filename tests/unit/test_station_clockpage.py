"""The shared pages: what is written is read, and whatever may not be trusted reads as no page."""

from __future__ import annotations

import dataclasses
import math
import re
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import njit

from timeball.station.hosttime.hostclocks import (
    UNKNOWN_BOOT,
    BootId,
    boot_id,
    boottime_ns,
    bracket,
    parse_boot_id,
    raw_ns,
)
from timeball.station.page import kernels, pagelayout
from timeball.station.page.clockpage import (
    ObserverPage,
    PageBusy,
    PageReader,
    PageWriter,
    TimekeeperPage,
    now_from_page,
    tai_minus_utc_at,
)
from timeball.station.page.pagefile import MappedPage, encode

BOOT = BootId(-5, 7)
S = 1_000_000_000


def page(**changes: object) -> TimekeeperPage:
    values: dict[str, object] = {
        "boot_id": BOOT.words,
        "raw_ns": 100 * S,
        "boottime_ns": 130 * S,
        "tai_ns": 1_790_000_000 * S,
        "tai_frac_fs": 250_000,
        "rate": 1.5e-5,
        "bound_s": 40e-9,
        "bound_growth": 1e-9,
        "wander_s": 10e-9,
        "root_delay_s": 0.0,
        "tai_minus_utc_s": 37,
        "leap_tai_ns": 0,
        "leap_sign": 0,
        "stratum": 1,
        "refid": 0x54424C00,
        "simulated": 0,
        "lease_raw_ns": 110 * S,
        "lease_boottime_ns": 140 * S,
    }
    return TimekeeperPage(**{**values, **changes})  # type: ignore[arg-type]


def lease(**changes: int) -> ObserverPage:
    values = {"lease_raw_ns": 110 * S, "lease_boottime_ns": 140 * S, "verdict": 0}
    return ObserverPage(BOOT.words, **{**values, **changes})


# The layout


@pytest.mark.parametrize(("kind", "prefix"), [(TimekeeperPage, "TK"), (ObserverPage, "OBS")])
def test_fields_stand_at_the_words_the_kernels_read(kind: type, prefix: str) -> None:
    names = [f.name for f in dataclasses.fields(kind)]
    expected = {name: i for i, name in enumerate(names[1:], start=2)}
    constants = {k: v for k, v in vars(pagelayout).items() if k.startswith(f"{prefix}_")}
    assert len(constants) == len(expected)
    for constant, word in constants.items():
        short = constant.removeprefix(f"{prefix}_").lower()
        candidates = {short, f"{short}_ns", f"{short}_s", f"{short}_fs"}
        assert word in {expected[name] for name in expected if name in candidates}, constant
    words = {"TK": pagelayout.TIMEKEEPER_WORDS, "OBS": pagelayout.OBSERVER_WORDS}[prefix]
    assert words == len(names) + 1


def test_round_trip_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "run" / "page.timekeeper"
    written = page(rate=math.nextafter(1e-9, 1), tai_frac_fs=999_999, refid=0xFFFFFFFF, leap_sign=-1)
    PageWriter(path, TimekeeperPage).write(written)
    assert PageReader(path, TimekeeperPage, BOOT).read() == written
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert path.stat().st_size == 4096
    assert [p.name for p in path.parent.iterdir()] == ["page.timekeeper"], "nothing left beside it"


# What reads as no page


def test_absent_page_is_none_and_found_once_it_is_there(tmp_path: Path) -> None:
    reader = PageReader(tmp_path / "page", ObserverPage, BOOT)
    assert reader.read() is None
    assert "no page" in reader.why
    PageWriter(tmp_path / "page", ObserverPage).write(lease())
    assert reader.read() == lease()
    assert reader.why == ""


def test_created_but_never_written_page_is_none(tmp_path: Path) -> None:
    writer = PageWriter(tmp_path / "page", ObserverPage)
    assert PageReader(tmp_path / "page", ObserverPage, BOOT).read() is None
    writer.close()


def test_page_of_another_boot_is_none(tmp_path: Path) -> None:
    PageWriter(tmp_path / "page", ObserverPage).write(lease())
    reader = PageReader(tmp_path / "page", ObserverPage, BootId(-5, 8))
    assert reader.read() is None
    assert "boot" in reader.why


def test_unknown_boot_trusts_nothing_not_even_zeros(tmp_path: Path) -> None:
    PageWriter(tmp_path / "page", ObserverPage).write(dataclasses.replace(lease(), boot_id=(0, 0)))
    assert PageReader(tmp_path / "page", ObserverPage, UNKNOWN_BOOT).read() is None


@pytest.mark.parametrize("damage", ["other kind", "other version", "short", "long"])
def test_file_of_another_kind_version_or_size_is_none_and_its_writer_replaces_it(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "page"
    PageWriter(path, ObserverPage).write(lease())
    content = bytearray(path.read_bytes())
    if damage == "other kind":
        content[0:8] = TimekeeperPage.MAGIC
    elif damage == "other version":
        content[8] ^= 0xFF
    path.write_bytes(bytes(content[:4095]) if damage == "short" else bytes(content) + b"x" * (damage == "long"))
    reader = PageReader(path, ObserverPage, BOOT)
    assert reader.read() is None
    PageWriter(path, ObserverPage).write(lease(verdict=3))
    assert reader.read() == lease(verdict=3)


# One writer, killed at any instruction


def sequence_of(path: Path) -> int:
    return int(np.fromfile(path, np.int64)[pagelayout.SEQUENCE])


def test_every_write_moves_the_sequence_by_two_and_it_is_even(tmp_path: Path) -> None:
    writer = PageWriter(tmp_path / "page", ObserverPage)
    seen = []
    for verdict in range(4):
        writer.write(lease(verdict=verdict))
        seen.append(sequence_of(tmp_path / "page"))
    assert seen == [2, 4, 6, 8]


@pytest.mark.parametrize("words_written", range(7))
def test_writer_killed_in_the_middle_leaves_no_page_until_the_next_one_writes(
    tmp_path: Path, words_written: int
) -> None:
    path = tmp_path / "page"
    writer = PageWriter(path, ObserverPage)
    writer.write(lease(verdict=1))
    reader = PageReader(path, ObserverPage, BOOT)
    assert reader.read() == lease(verdict=1)
    writer.close()
    # What memory holds when the writer dies after the odd sequence and some of its words.
    with path.open("r+b") as file:
        file.seek(8 * pagelayout.SEQUENCE)
        file.write(np.int64(3).tobytes())
        file.seek(8 * pagelayout.DATA)
        file.write(encode(lease(lease_raw_ns=1, lease_boottime_ns=2, verdict=9)).tobytes()[: 8 * words_written])
    assert reader.read() is None
    assert "middle" in reader.why
    PageWriter(path, ObserverPage).write(lease(verdict=2))
    assert reader.read() == lease(verdict=2), "a reader that mapped the page before the restart sees the new writer"
    assert sequence_of(path) == 4


def test_restarted_writer_keeps_the_file_and_the_last_good_page(tmp_path: Path) -> None:
    path = tmp_path / "page"
    first = PageWriter(path, ObserverPage)
    first.write(lease(verdict=1))
    inode = path.stat().st_ino
    first.close()
    second = PageWriter(path, ObserverPage)
    assert PageReader(path, ObserverPage, BOOT).read() == lease(verdict=1)
    second.write(lease(verdict=2))
    assert path.stat().st_ino == inode


def test_second_writer_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from timeball.station.page.clockpage import *\n"
            "w = PageWriter(Path(sys.argv[1]), ObserverPage); print('holding', flush=True); sys.stdin.read()",
            str(tmp_path / "page"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "holding\n"
    with pytest.raises(PageBusy, match="another writer"):
        PageWriter(tmp_path / "page", ObserverPage)
    holder.kill()
    holder.wait()
    PageWriter(tmp_path / "page", ObserverPage).write(lease())


def test_reader_cannot_write(tmp_path: Path) -> None:
    PageWriter(tmp_path / "page", ObserverPage).write(lease())
    mapped = MappedPage.open(tmp_path / "page", ObserverPage.MAGIC)
    assert mapped is not None
    assert not mapped._words.flags.writeable


# The compiled seqlock


def llvm_and_assembly(function: object, *arguments: object) -> tuple[str, str]:
    fresh = njit(nogil=True)(function.py_func)  # type: ignore[attr-defined]
    fresh(*arguments)
    signature = fresh.signatures[0]
    return fresh.inspect_llvm(signature), fresh.inspect_asm(signature)


def body_of(llvm: str, name: str) -> list[str]:
    """The instructions of the compiled function itself, without the wrappers numba puts around it."""
    functions = re.findall(r"^define [^\n]*\n(.*?)^}", llvm, re.MULTILINE | re.DOTALL)
    bodies = [b for b in functions if "atomic" in b]
    assert bodies, f"{name}: no atomics left in the compiled code"
    return [line.strip() for line in bodies[0].splitlines()]


def indices(lines: list[str], pattern: str) -> list[int]:
    return [i for i, line in enumerate(lines) if re.search(pattern, line)]


def test_compiled_reader_keeps_acquire_load_fence_and_second_look() -> None:
    memory = np.zeros(512, np.int64)
    llvm, assembly = llvm_and_assembly(kernels.read_page, memory.ctypes.data, np.zeros(5, np.int64))
    lines = body_of(llvm, "read_page")
    first_looks = {lines[i].split(" =")[0] for i in indices(lines, r"= load atomic i64, .* acquire, align 8")}
    fences = indices(lines, r"^fence acquire")
    relaxed = indices(lines, r"= load atomic i64, .* monotonic, align 8")
    assert first_looks
    assert fences
    second_looks = []
    for fence in fences:
        look = next(i for i in relaxed if i > fence)
        between = [line for line in lines[fence:look] if line.startswith(("br ", "ret "))]
        assert not between, "the second look follows its fence on every path"
        name = lines[look].split(" =")[0]
        compared = re.search(rf"icmp eq i64 {re.escape(name)}, (%[\w.]+)", "\n".join(lines[look : look + 3]))
        assert compared is not None, "the second look is compared"
        assert compared[1] in first_looks, "... with what the first look saw"
        second_looks.append(look)
    assert set(relaxed) - set(second_looks), "the words are read by atomic loads too"
    assert assembly.count("MEMBARRIER") >= len(fences) or "dmb" in assembly, "the fences are in the machine code"


def test_compiled_writer_keeps_the_order_odd_fence_data_release() -> None:
    memory = np.zeros(512, np.int64)
    llvm, assembly = llvm_and_assembly(kernels.write_page, memory.ctypes.data, np.zeros(5, np.int64))
    lines = body_of(llvm, "write_page")
    (fence,) = indices(lines, r"^fence release")
    (release,) = indices(lines, r"^store atomic i64 .* release, align 8")
    relaxed = indices(lines, r"^store atomic i64 .* monotonic, align 8")
    assert len([i for i in relaxed if i < fence]) == 1, "the odd sequence alone is stored before the fence"
    assert any(fence < i < release for i in relaxed), "the words are stored between the fence and the even sequence"
    assert "MEMBARRIER" in assembly or "dmb" in assembly or "stlr" in assembly


WRITER = """
import sys, time
import numpy as np
from pathlib import Path
from timeball.station.page import kernels
from timeball.station.page.clockpage import ObserverPage, PageWriter
writer = PageWriter(Path(sys.argv[1]), ObserverPage)
words = np.zeros(200, np.int64)
print("writing", flush=True)
for n in range(1, 10**9):
    words[:] = n
    kernels.write_page(writer._page.address, words)
"""


def test_reader_beside_a_writer_process_never_sees_half_a_page(tmp_path: Path) -> None:
    path = tmp_path / "page"
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        mapped = MappedPage.open(path, ObserverPage.MAGIC)
        assert mapped is not None
        words = np.zeros(200, np.int64)
        whole, refused, values = 0, 0, set()
        for _ in range(400_000):
            if kernels.read_page(mapped.address, words) < 0:
                refused += 1
                continue
            whole += 1
            assert words.min() == words.max(), "a torn page was taken for whole"
            values.add(int(words[0]))
            if len(values) > 20_000:
                break
        assert whole > 1000, f"{whole} whole, {refused} refused"
        assert len(values) > 100, "the writer was not writing meanwhile"
    finally:
        process.kill()
        process.wait()


# Served time


def test_served_time_runs_at_the_rate_from_the_reference() -> None:
    served = now_from_page(page(), lease(), 100 * S + 2 * S, 130 * S + 2 * S)
    # 2 s at 1.5e-5 gain 30 µs; 250 000 fs stay as the fraction.
    assert (served.tai_ns, served.frac_fs) == (1_790_000_002 * S + 30_000, 250_000)
    assert served.bound_s == pytest.approx(52e-9, rel=1e-12)
    assert served.in_sync
    assert served.why == "in sync"
    assert served.tai_minus_utc_s == 37


def test_fraction_carries_both_ways() -> None:
    ahead = now_from_page(page(rate=1e-9, tai_frac_fs=999_999), lease(), 101 * S, 131 * S)
    assert (ahead.tai_ns - 1_790_000_001 * S, ahead.frac_fs) == (1, 999_999)
    before = now_from_page(page(rate=1e-9, tai_frac_fs=0), lease(), 100 * S - 500_000_000, 130 * S - 500_000_000)
    assert (before.tai_ns - (1_790_000_000 * S - 500_000_000), before.frac_fs) == (-1, 500_000)


@pytest.mark.parametrize(
    ("changes", "observer", "raw", "boot", "status"),
    [
        ({}, {}, 110 * S - 1, 139 * S, pagelayout.IN_SYNC),
        ({}, {"lease_raw_ns": 200 * S}, 110 * S, 139 * S, pagelayout.TIMEKEEPER_LEASE_ENDED),
        ({}, {"lease_boottime_ns": 200 * S}, 109 * S, 140 * S, pagelayout.TIMEKEEPER_LEASE_ENDED),
        ({}, {"lease_raw_ns": 105 * S}, 105 * S, 135 * S, pagelayout.OBSERVER_LEASE_ENDED),
        ({}, {"lease_boottime_ns": 135 * S}, 104 * S, 135 * S, pagelayout.OBSERVER_LEASE_ENDED),
        ({}, {}, 101 * S, 131 * S + 101_000_000, pagelayout.IN_SYNC),
        ({}, {}, 101 * S, 131 * S + 102_000_000, pagelayout.SUSPENDED),
        ({"stratum": 0}, {}, 101 * S, 131 * S, pagelayout.UNUSABLE_STRATUM),
        ({"stratum": 16}, {}, 101 * S, 131 * S, pagelayout.UNUSABLE_STRATUM),
        ({"bound_s": math.nan}, {}, 101 * S, 131 * S, pagelayout.UNUSABLE_BOUND),
        ({"bound_s": -1.0}, {}, 101 * S, 131 * S, pagelayout.UNUSABLE_BOUND),
        ({"bound_s": 16.0}, {}, 101 * S, 131 * S, pagelayout.UNUSABLE_BOUND),
        ({"bound_s": 1.0, "bound_growth": 15.0}, {}, 101 * S, 131 * S, pagelayout.UNUSABLE_BOUND),
    ],
)
def test_sync_is_claimed_only_when_nothing_speaks_against_it(
    changes: dict[str, object], observer: dict[str, int], raw: int, boot: int, status: int
) -> None:
    served = now_from_page(page(**changes), lease(**observer), raw, boot)
    assert served.why == pagelayout.STATUS_WORDS[status]
    assert served.in_sync == (status == pagelayout.IN_SYNC)
    compiled = kernels.sync_status(encode(page(**changes)), encode(lease(**observer)), raw, boot)
    assert compiled == status


def test_absent_pages_are_never_in_sync() -> None:
    nothing = now_from_page(None, lease(), 101 * S, 131 * S)
    assert not nothing.in_sync
    assert nothing.bound_s == math.inf
    unobserved = now_from_page(page(), None, 101 * S, 131 * S)
    assert not unobserved.in_sync
    assert "observer" in unobserved.why


def test_leap_takes_effect_when_the_inserted_second_begins_or_at_the_midnight_of_a_removed_one() -> None:
    midnight = 1_800_000_000 * S
    inserted = page(leap_tai_ns=midnight, leap_sign=1)
    assert [tai_minus_utc_at(inserted, midnight + d) for d in (-S - 1, -S, 0)] == [37, 38, 38]
    removed = page(leap_tai_ns=midnight, leap_sign=-1)
    assert [tai_minus_utc_at(removed, midnight + d) for d in (-S, -1, 0)] == [37, 37, 36]
    assert tai_minus_utc_at(page(leap_sign=1), midnight) == 37, "no leap known: the sign alone changes nothing"


# The host's counters


def test_boot_id_is_the_kernels_and_stable() -> None:
    text = Path("/proc/sys/kernel/random/boot_id").read_text()
    high, low = (w % 2**64 for w in boot_id().words)
    assert f"{high:016x}{low:016x}" == text.strip().replace("-", "")


@pytest.mark.parametrize("text", ["", "1234", "g" * 32, "0" * 33])
def test_malformed_boot_id_is_unknown(tmp_path: Path, text: str) -> None:
    (tmp_path / "boot_id").write_text(text)
    assert not boot_id(tmp_path / "boot_id").known
    with pytest.raises(ValueError, match=r"boot id|base 16"):
        parse_boot_id(text)


def test_bracket_encloses_realtime_between_two_raw_readings() -> None:
    before, pair, after = raw_ns(), bracket(), raw_ns()
    assert before <= pair.raw_before_ns <= pair.raw_ns <= pair.raw_after_ns <= after
    assert pair.realtime_minus_raw_ns == pair.realtime_ns - pair.raw_ns
    assert boottime_ns() > 0
