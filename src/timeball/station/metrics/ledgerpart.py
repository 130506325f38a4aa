"""Metrics of the ledger and its witnesses: size, ages, lag, and the room that is left on the disk."""

from __future__ import annotations

from collections.abc import Iterator

from timeball.station.metrics.metric import Sample, gauge
from timeball.station.reporting.status import free_bytes_of
from timeball.station.reporting.view import View

SIZE = gauge("timeball_ledger_entries", "Entries under the newest checkpoint")
AGE = gauge("timeball_ledger_checkpoint_age_seconds", "Age of the newest checkpoint, by the file system's clock")
COSIGNED = gauge("timeball_ledger_cosigned_entries", "Entries under the newest head with a quorum of witnesses")
COSIGNED_AGE = gauge("timeball_ledger_cosigned_age_seconds", "Age of that head, by the file system's clock")
MISSING = gauge("timeball_witnesses_missing", "1 when the quorum of witnesses is missing, so that nothing is steered")
WITNESS_LAG = gauge("timeball_witness_lag_entries", "Entries that a witness has not cosigned yet", "witness")
WITNESS_AGE = gauge("timeball_witness_age_seconds", "Time since a witness cosigned last", "witness")
WITNESS_OK = gauge("timeball_witness_ok", "0 when something is wrong with a witness", "witness")
DISK = gauge("timeball_disk_free_bytes", "Space left on the disk of the state folder")

METRICS = (SIZE, AGE, COSIGNED, COSIGNED_AGE, MISSING, WITNESS_LAG, WITNESS_AGE, WITNESS_OK, DISK)


def collect(view: View) -> Iterator[Sample]:
    """Every figure of this part; of witnesses only where a policy asks for them."""
    ledger, witnessing = view.status["ledger"], view.status["witnessing"]
    yield from SIZE.at(ledger["size"])
    yield from AGE.at(ledger["checkpoint_age_s"])
    yield from DISK.at(free_bytes_of(view.state))
    if witnessing["policy"] is None:
        return
    yield from COSIGNED.at(witnessing["size"])
    yield from COSIGNED_AGE.at(witnessing["age_s"])
    yield from MISSING.at(witnessing["state"] == "missing")
    for witness in witnessing["witnesses"]:
        name = witness["name"]
        yield from WITNESS_LAG.at(max(0, ledger["size"] - (witness["size"] or 0)), name)
        yield from WITNESS_AGE.at(witness["age_s"], name)
        yield from WITNESS_OK.at(not witness["why"], name)
