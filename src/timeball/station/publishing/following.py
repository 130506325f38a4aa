"""Following a log for ever: asking again and again, patient with networks, impatient with contradictions."""

from __future__ import annotations

import threading
from collections.abc import Callable

from timeball.ledger.errors import EvidenceError
from timeball.station.publishing.errors import SourceDenied, SourceUnreachable
from timeball.station.publishing.mirror import Mirror, Progress, Update

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0

Told = Callable[[Update | Exception], None]


def follow(mirror: Mirror, stop: threading.Event, every_s: float, told: Told, progress: Progress | None = None) -> None:
    """Update until `stop` is set. Each update and each trouble is told; after trouble the pauses double.

    Bytes that no head covers are trouble: nothing of them is kept, and the server may be mended. A head that
    contradicts the one that is kept is raised as HeadContradiction: no waiting mends that.
    """
    pause_s = FIRST_PAUSE_S
    while not stop.is_set():
        try:
            update = mirror.update(progress)
        except (SourceUnreachable, SourceDenied, EvidenceError) as trouble:
            told(trouble)
            stop.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        else:
            told(update)
            pause_s = FIRST_PAUSE_S
            stop.wait(every_s)
