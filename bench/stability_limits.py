"""What the deviations must not cost or depend on: memory beyond four times the record, and the machine or its threads.

Each is measured in a process of its own: the peak of one that has done nothing else, and a processor that the compiler
is told to take for a generic one.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np

from bench import Figure
from bench.measure import peak_kib
from timeball.stability import DEVIATIONS

ROOM = "stability"
POINTS = 10_000_000
# Their time grows as N², and their memory with a tile and 3m points of it: the record is shorter.
SHORTER = {"mtotdev": 20_000, "ttotdev": 20_000, "htotdev": 20_000, "theo1": 50_000, "theobr": 50_000, "theoh": 50_000}
MOST = 4.0


def figures() -> Iterator[Figure]:
    """Give the peak memory in units of the record, and whether bits depend on threads or on the processor."""
    for name in DEVIATIONS:
        if name not in SHORTER:
            for kind in ("phase", "frequency"):
                yield _memory(name, kind)
    here = _run("digest", "1")
    same = _run("digest", "2") == here
    yield Figure("deviations equal to the bit with one and two threads", ROOM, float(same), "1", ok=same)
    same = _run("digest", "1", NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == here
    yield Figure("deviations equal to the bit on a generic processor", ROOM, float(same), "1", ok=same)


def _memory(name: str, kind: str) -> Figure:
    before, after = (int(word) for word in _run("memory", name, kind).split())
    times = (after - before) * 1024 / (8 * POINTS)
    label = f"{name.upper()} of 1e7 {kind} points, peak memory in records"
    return Figure(label, ROOM, times, "1", None, None, f"<= {MOST:g}", times <= MOST)


def _run(*arguments: str, **environment: str) -> str:
    command = [sys.executable, "-m", "bench.stability_limits", *arguments]
    variables = {**os.environ, **environment}
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, env=variables).stdout.strip()


def _tell_memory(name: str, kind: str) -> str:
    """Give the peak (KiB) before the record is made and after it was used."""
    function = DEVIATIONS[name].function
    function(np.arange(100.0) ** 3, 1.0, kind=kind)
    before = peak_kib()
    values = np.random.default_rng(3).standard_normal(POINTS)
    function(values, 1.0, kind=kind)
    return f"{before} {peak_kib()}"


def _tell_digest(threads: int) -> str:
    """Give one digest of every deviation of a record whole and with gaps, phase and frequency."""
    whole = np.cumsum(np.random.default_rng(4).standard_normal(3_000))
    broken = whole.copy()
    broken[[700, 701, 1900]] = np.nan
    digest = hashlib.sha256()
    for deviation in DEVIATIONS.values():
        for values in (whole, broken):
            for kind in ("phase", "frequency"):
                found = deviation.function(values, 60.0, "decade", kind=kind, threads=threads)
                digest.update(found.sigma.tobytes() + found.n.tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    print(_tell_digest(int(rest[0])) if what == "digest" else _tell_memory(*rest))
