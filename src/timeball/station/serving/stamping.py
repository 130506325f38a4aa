"""The figures behind receive stamps: how far the kernel's are believed, and by how much a reply says less without one.

docs/clock-page.md tells the rules. Shared by the compiled loop (kernels_stamps.py) and numpy's.
"""

from __future__ import annotations

CLOCK_REALTIME = 0
CLOCK_MONOTONIC_RAW = 4
CLOCK_BOOTTIME = 7

# struct cmsghdr and a struct timespec behind it: length 32, then level SOL_SOCKET (1) and type SCM_TIMESTAMPNS (35)
STAMP_BYTES = 32
STAMP_KIND = 1 | 35 << 32

# A kernel stamp older than this, or than the time since the queue was empty, was not made by the clock that it is
# compared with: REALTIME was stepped by less than the pair's own noise can show, or is not what the kernel stamps with.
OLDEST_STAMP_NS = 1_000_000_000
# A step of REALTIME may hide in stamps still queued: all are distrusted for as long as a full queue takes to drain.
DISTRUST_NS = 100_000_000
# The pair may move by a slew of 1 in 1000 and the reading's own noise; more was a step (or a slew as fast as one).
PAIR_NOISE_NS = 2_000
PAIR_SLEW_DIVISOR = 1_000
# Without a kernel stamp: the time from arrival to reading is unknown up to a wake-up and a drained queue.
RAW_STAMP_MARGIN_S = 1e-3
LONGEST_WAKE_UP_NS = 200_000
BRACKET_TRIES = 3
NARROW_BRACKET_NS = 2_000
