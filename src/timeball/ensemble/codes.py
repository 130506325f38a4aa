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
