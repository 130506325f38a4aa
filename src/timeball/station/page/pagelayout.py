"""Where each number of a shared page stands, in 64-bit words, and the codes for why sync is not claimed.

Shared by the compiled loops (kernels.py) and the typed pages (clockpage.py); docs/clock-page.md prints the same table.
A changed word changes LAYOUT_VERSION: a reader of another version takes the page for absent.
"""

from __future__ import annotations

from typing import Final

PAGE_BYTES: Final = 4096
LAYOUT_VERSION: Final = 1

# Header, one cache line: magic (8 ASCII bytes), version, then the sequence alone at its end.
MAGIC: Final = 0
VERSION: Final = 1
SEQUENCE: Final = 7
DATA: Final = 8

# Data words, counted from DATA; every page begins with the boot id.
BOOT_HIGH: Final = 0
BOOT_LOW: Final = 1

TK_RAW: Final = 2
TK_BOOTTIME: Final = 3
TK_TAI: Final = 4
TK_TAI_FRAC: Final = 5
TK_RATE: Final = 6
TK_BOUND: Final = 7
TK_BOUND_GROWTH: Final = 8
TK_WANDER: Final = 9
TK_ROOT_DELAY: Final = 10
TK_TAI_MINUS_UTC: Final = 11
TK_LEAP_TAI: Final = 12
TK_LEAP_SIGN: Final = 13
TK_STRATUM: Final = 14
TK_REFID: Final = 15
TK_SIMULATED: Final = 16
TK_LEASE_RAW: Final = 17
TK_LEASE_BOOTTIME: Final = 18
TIMEKEEPER_WORDS: Final = 19

OBS_LEASE_RAW: Final = 2
OBS_LEASE_BOOTTIME: Final = 3
OBS_VERDICT: Final = 4
OBSERVER_WORDS: Final = 5

# Status codes of served time; the first that applies is the one told.
IN_SYNC: Final = 0
NO_TIMEKEEPER_PAGE: Final = 1
NO_OBSERVER_PAGE: Final = 2
TIMEKEEPER_LEASE_ENDED: Final = 3
OBSERVER_LEASE_ENDED: Final = 4
SUSPENDED: Final = 5
UNUSABLE_STRATUM: Final = 6
UNUSABLE_BOUND: Final = 7
STATUS_WORDS: Final = (
    "in sync",
    "no timekeeper's page of this boot",
    "no observer's page of this boot",
    "the timekeeper's lease has ended",
    "the observer's lease has ended",
    "the host was suspended since the reference was taken",
    "stratum outside 1..15",
    "the bound is 16 s or more, or not a number",
)

# RFC 5905 section 7.2 (figure 27): MAXSTRAT 16 and MAXDISP 16 s both mean unsynchronised.
MAX_STRATUM: Final = 15
MAX_BOUND_S: Final = 16.0

# BOOTTIME may be slewed against RAW (Linux allows up to 10 %), a suspend adds at once: 1 ms + a tenth of the time since
# the reference separates the two for a page renewed every second or so.
SUSPEND_MARGIN_NS: Final = 1_000_000
SUSPEND_SLEW_DIVISOR: Final = 10
