"""What a look of the watchdog is told as: verdict in words, and the batch that the ledger keeps.

Codes as the observer's: 0 nothing found, 1 found, 2 cannot judge. Offsets are server minus served time. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from timeball.protocols.khronos import Outcome
from timeball.station.page.watchpage import CANNOT_JUDGE, FOUND, NOTHING_FOUND
from timeball.station.watching.pool import Told


def verdict_of(outcome: Outcome | None, limit_s: float, why: str = "") -> tuple[int, str]:
    """Code and words of a look; `why` there was none where `outcome` is None."""
    if outcome is None:
        return CANNOT_JUDGE, why
    if outcome.offset_s is None:
        return CANNOT_JUDGE, f"{outcome.answered} of {outcome.asked} servers answered, too few to leave out two thirds"
    how = "all servers asked, for no sample agreed" if outcome.panic else f"the middle of {outcome.asked} servers"
    words = f"{how}: {outcome.offset_s * 1e3:+.1f} ms from served time"
    if outcome.beyond(limit_s):
        return FOUND, f"{words}, more than the limit {limit_s * 1e3:g} ms"
    return NOTHING_FOUND, words


def batch_of_look(epoch: int, outcome: Outcome | None, told: Sequence[Told], code: int, words: str) -> dict[str, Any]:
    """The batch of an entry `watch`: `told` is what the servers of the last sample said."""
    offset_s = outcome.offset_s if outcome is not None else None
    return {
        "kind": "watch",
        "code": code,
        "verdict": words,
        "epoch": str(epoch),
        "offset_fs": _fs(offset_s),
        "spread_fs": _fs(outcome.spread_s if outcome is not None and offset_s is not None else None),
        "panic": outcome.panic if outcome is not None else False,
        "samples": outcome.samples if outcome is not None else 0,
        "survivors": list(outcome.survivors) if outcome is not None else [],
        "servers": [one.server for one in told],
        "offsets_fs": [_fs(one.offset_s) for one in told],
        "why": [one.why for one in told],
    }


def _fs(value_s: float | None) -> str | None:
    return None if value_s is None else str(round(value_s * 1e15))
