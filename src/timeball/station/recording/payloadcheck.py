"""Whether payloads are canonical JSON, many at once: what `ledger.canonical.decode` accepts, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from timeball.ledger import canonical
from timeball.ledger.errors import CanonicalError
from timeball.station.recording.kernels import find_uncanonical


def find_refused(payloads: Sequence[bytes]) -> tuple[int, CanonicalError] | None:
    """The first payload that is not canonical, and why; None when all are."""
    data = np.frombuffer(b"".join(payloads), np.uint8)
    bounds = np.zeros(len(payloads) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, payloads), np.int64, len(payloads)), out=bounds[1:])
    position = -1
    # the compiled scanner says no more than no; the reason, and the last word, are those of `canonical`
    while (position := find_uncanonical(data, bounds, position + 1)) >= 0:
        try:
            canonical.decode(payloads[position])
        except CanonicalError as error:
            return position, error
    return None
