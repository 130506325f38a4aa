"""What the Kalman scale remembers of each clock beside the filter: the columns of two small tables.

`COUNTS` are integers, `MARKS` floats; their order is that of the columns, their names those of the recorded state.
"""

from __future__ import annotations

COUNTS = (
    "seen",  # epoch of the last reading taken in, ns of TAI
    "streak_epoch",  # epoch of the first of a streak of errors beyond the limit
    "seen_count",  # readings taken in
    "rated",  # 1 when its rate is known
    "learned",  # ordinary predictions since learning began
    "streak",  # consecutive errors beyond the limit that went the same way, with their sign
    "beyond",  # consecutive errors beyond the limit, of any sign
    "missed",  # epochs since it was last taken in
    "spread_count",  # errors behind `spread`
    "code",  # last reason code
)
MARKS = (
    "age_s",  # how long its rate has been learned (s)
    "spread",  # mean square error in units of what was expected
    "last_error",  # the last error beyond the limit (s)
    "first_error",  # the first of the streak (s)
    "beyond_squares",  # sum of squares of such errors in units of what was expected
)
SEEN, STREAK_EPOCH, SEEN_COUNT, RATED, LEARNED, STREAK, BEYOND, MISSED, SPREAD_COUNT, CODE = range(len(COUNTS))
AGE_S, SPREAD, LAST_ERROR, FIRST_ERROR, BEYOND_SQUARES = range(len(MARKS))
