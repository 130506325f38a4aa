"""Checks of the record: does the ledger grow, does the recorder answer, is there room, do the witnesses follow."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from timeball.station import paths
from timeball.station.reporting.diag import BYTES, COUNT, FAIL, OK, SECONDS, WARN, Check, Looks, above, below, unknown
from timeball.station.reporting.status import LEAST_FREE_BYTES, free_bytes_of

LEAST_GROWTH_S = 60.0
WARN_FREE_BYTES = 1e9
"""Three weeks of what a station with the defaults writes."""
CONNECT_S = 1.0


def growth(looks: Looks) -> Iterator[Check]:
    """How long ago the newest checkpoint was written."""
    ledger, config = looks.now.status["ledger"], looks.now.config
    age_s, limit_s = ledger["checkpoint_age_s"], max(LEAST_GROWTH_S, 3 * config.ensemble.interval_s)
    if age_s is None:
        yield Check("ledger", FAIL, None, limit_s, SECONDS, "there is no checkpoint")
        return
    state = below(age_s, limit_s, 10 * limit_s)
    yield Check(
        "ledger", state, age_s, limit_s, SECONDS, f"age of the newest checkpoint, over {ledger['size']} entries"
    )


def recorder(looks: Looks) -> Iterator[Check]:
    """Whether somebody listens where entries are handed in."""
    path = paths.recorder_socket(looks.now.state)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(CONNECT_S)
            client.connect(str(path))
    except PermissionError:
        yield unknown("recorder", "its socket is another user's: run this as the station's user")
    except OSError as error:
        words = f"nobody takes entries: {error.strerror or 'no answer'}; nothing new is decided until it is back"
        yield Check("recorder", FAIL, 0.0, 1.0, COUNT, words)
    else:
        yield Check("recorder", OK, 1.0, 1.0, COUNT, "it takes entries")


def disk(looks: Looks) -> Iterator[Check]:
    """Room for more entries."""
    free = float(free_bytes_of(looks.now.state))
    state = above(free, WARN_FREE_BYTES, LEAST_FREE_BYTES)
    words = "left on the disk of the state folder"
    if state == FAIL:
        words += ": entries wait until there is space"
    yield Check("disk", state, free, WARN_FREE_BYTES, BYTES, words)


def witnesses(looks: Looks) -> Iterator[Check]:
    """Whether a quorum has cosigned the newest entries."""
    part, config = looks.now.status["witnessing"], looks.now.config
    if part["policy"] is None:
        yield unknown("witnesses", part["why"], SECONDS)
        return
    limit_s = config.ledger.cosign_within_s + 2 * config.ledger.publish_every_s
    behind = part["size"] < looks.now.status["ledger"]["size"]
    age_s = part["age_s"] if behind else 0.0
    ill = [f"{row['name']}: {row['why']}" for row in part["witnesses"] if row["why"]]
    late = age_s is None or age_s > limit_s
    state = FAIL if part["state"] == "missing" or late else WARN if ill else OK
    words = "; ".join([f"{part['size']} entries cosigned by {part['quorum'] or 'nobody yet'}", *ill])
    yield Check("witnesses", state, age_s, limit_s, SECONDS, words)
