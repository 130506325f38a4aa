"""What becomes of connections, counted in memory that the workers share with the keyexchange process.

Each worker has a row of its own and is its only writer; a worker that was killed leaves its counts behind.
"""

from __future__ import annotations

import mmap
import os
from enum import IntEnum

Counts = memoryview
"""int64[columns]; no numpy, which would be half of what a worker takes to start."""


class Count(IntEnum):
    """A column; AGREED to INTERNAL_ERRORS are the ends of a connection, and each accepted one has exactly one."""

    ACCEPTED = 0
    AGREED = 1
    NO_PROTOCOL = 2
    NO_AEAD = 3
    UNKNOWN_CRITICAL = 4
    BAD_REQUEST = 5
    TLS_FAILED = 6
    NO_ALPN = 7
    TIMED_OUT = 8
    HUNG_UP = 9
    EVICTED = 10
    CROWDED = 11
    LIMITED = 12
    INTERNAL_ERRORS = 13
    ACCEPT_FAILURES = 14
    COOKIES = 15
    OPEN = 16


ROW_BYTES = 8 * len(Count)
ENDS = tuple(Count)[Count.AGREED : Count.ACCEPT_FAILURES]


def make_counts(rows: int) -> tuple[int, list[Counts]]:
    """A descriptor to hand to the workers, and the rows in the memory behind it, all zero."""
    descriptor = os.memfd_create("timeball-keyexchange", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, rows * ROW_BYTES)
    return descriptor, [map_counts(descriptor, row) for row in range(rows)]


def map_counts(descriptor: int, row: int) -> Counts:
    """One row of the counts behind a descriptor, int64[columns]; the descriptor may be closed afterwards."""
    memory = memoryview(mmap.mmap(descriptor, os.fstat(descriptor).st_size))
    return memory[row * ROW_BYTES : (row + 1) * ROW_BYTES].cast("q")
