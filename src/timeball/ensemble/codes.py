"""What became of a clock at an epoch, as numbers; the words stand in `steps.py`.

The numbers are recorded in the ledger: never renumber, only add.
"""

from __future__ import annotations

OK = 0
AT_CAP = 1
MISSING = 2
LEARNING = 3
REDUCED = 4
LEFT_OUT = 5
PHASE_STEP = 6
CAME_BACK = 7
RATE_STEP = 8
NOISE_STEP = 9
NO_WEIGHT = 10
STARTING = 11
JOINED = 12
NO_SCALE = 13
BACK = 14
UNPROVEN = 20
SUSPENDED = 21
ABNORMAL = 22
FIRST_WINDOWS = 23
CAME_IN = 24

REJECTIONS = (REDUCED, LEFT_OUT, CAME_BACK, PHASE_STEP, RATE_STEP, NOISE_STEP, BACK)
"""Decisions out of the ordinary that a person wants to see in a list."""
NOT_COUNTED = (LEFT_OUT, CAME_BACK, RATE_STEP, NOISE_STEP)
"""Of these, the ones after which the clock's reading did not count at that epoch."""
