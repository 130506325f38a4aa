"""At a start: wait for a recorder that comes late, on a busy machine or with much to check, within a bounded time.

Processes start beside each other, so nobody may take a socket that is not there yet for a fault of its own.
"""

from __future__ import annotations

import time

from timeball.station.recording.errors import LedgerFull, RecorderUnavailable
from timeball.station.recording.recorder_client import RecorderClient
from timeball.station.supervision.process import Process

PATIENCE_S = 120.0
AGAIN_S = 0.2


def await_next_seq(process: Process, recorder: RecorderClient, patience_s: float = PATIENCE_S) -> int | None:
    """The next sequence number of the client's stream, as soon as the recorder tells it; None when told to stop.

    Raises RecorderUnavailable, in one sentence, when it has not told it within `patience_s` seconds.
    """
    began, told = time.monotonic(), False
    while not process.stop.is_set():
        try:
            seq = recorder.next_seq()
        except (RecorderUnavailable, LedgerFull) as error:
            waited_s = time.monotonic() - began
            if waited_s >= patience_s:
                raise RecorderUnavailable(f"no recorder within {waited_s:.0f} s of the start: {error}") from error
            if not told:
                process.log.warning("waiting for the recorder, up to %.0f s: %s", patience_s, error)
                told = True
            process.sleep(AGAIN_S)
        else:
            if told:
                process.log.info("the recorder answers after %.1f s", time.monotonic() - began)
            return seq
    return None
