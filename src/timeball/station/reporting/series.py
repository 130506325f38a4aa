"""The recorded past as series for plots: phases, residuals, UTC(k) − UTC, and the deviations computed from them.

Follows the ledger once, from its first entry, and keeps what it read as arrays. Series sent to a page are thinned out
beyond the last two hours; deviations are computed from all points.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from timeball.instants import LeapTable
from timeball.ledger import canonical
from timeball.stability import Deviations, intervals, oadev
from timeball.station.configuration.settings import Config
from timeball.station.fold.timekeeping import STREAM
from timeball.station.recording.ledger_reader import LedgerReader

RECENT_S = 7200.0
COARSE_S = 600.0
DEVIATIONS_EVERY_S = 30.0
CONFIDENCE = 0.683
# Limits are σ times a factor that hardly moves while the record grows by less than this: they are not computed anew.
GROWTH = 1.02
Payload = dict[str, Any]


class Series:
    """What `scale` entries said, as lists of rows; `through` is the ledger index read last."""

    def __init__(self, reader: LedgerReader, config: Config, leaps: LeapTable) -> None:
        self.reader, self.config, self.leaps = reader, config, leaps
        self.through = -1
        self.names: set[str] = set()
        self.index: list[int] = []
        self.epoch: list[int] = []
        self.x: list[dict[str, float]] = []
        self.residual: list[float] = []
        self.utc: list[tuple[int, int, float]] = []
        self._deviations: Payload | None = None
        self._computed = float("-inf")
        self._factors: dict[str, tuple[int, np.ndarray[Any, Any]]] = {}

    def follow(self) -> None:
        """Read every scale entry that is new."""
        for entry in self.reader.entries(self.through + 1, self.reader.size()):
            of_the_scale = entry.envelope.type == "scale" and entry.envelope.by == STREAM
            if of_the_scale and entry.payload is not None:
                self._take(entry.index, canonical.decode(entry.payload))
            self.through = entry.index

    def _take(self, index: int, payload: Payload) -> None:
        clocks = payload["clocks"]
        self.names.update(clocks)
        for epoch, row, residual_fs in zip(
            payload["epochs"], payload["x_fs"], payload["output"]["residual_fs"], strict=True
        ):
            self.index.append(index)
            self.epoch.append(int(epoch))
            self.x.append({name: int(x_fs) / 1e15 for name, x_fs in zip(clocks, row, strict=True) if x_fs is not None})
            self.residual.append(int(residual_fs) / 1e15 if residual_fs is not None else float("nan"))
        utc = payload["utc"]
        for epoch, x_fs in zip(utc["epochs"], utc["utck_minus_utc_fs"], strict=True):
            if x_fs is not None:
                self.utc.append((index, int(epoch), int(x_fs) / 1e15))

    def clocks(self) -> list[str]:
        """The members of the ensemble, those that are missing now included, in the order of their names."""
        return sorted(self.names - {self.config.output.clock, self.config.steering.utc})

    def history(self, since: int = 0) -> Payload:
        """Series recorded after ledger index `since`; the whole past is thinned out, what is new is not."""
        self.follow()
        places = [place for place in range(len(self.epoch)) if self._wanted(place, since)]
        names = self.clocks()
        utc = [(epoch, x) for index, epoch, x in self.utc if index > since or since == 0]
        return {
            "through": max(self.through, 0),
            "epoch_s": [self._utc_s(self.epoch[place]) for place in places],
            "clocks": {name: [self.x[place].get(name) for place in places] for name in names},
            "output_residual_s": [none_if_nan(self.residual[place]) for place in places],
            "utck_minus_utc": {
                "epoch_s": [self._utc_s(epoch) for epoch, _ in utc],
                "x_s": [x for _, x in utc],
                "u_s": [self.config.simulation.utc_noise_s] * len(utc),
            },
        }

    def _wanted(self, place: int, since: int) -> bool:
        if since > 0:
            return self.index[place] > since
        recent = self.epoch[-1] - self.epoch[place] <= RECENT_S * 1e9
        return recent or self.epoch[place] % int(COARSE_S * 1e9) == 0

    def _utc_s(self, epoch: int) -> float:
        """Seconds since 1970 as UTC labels count them, for the time axis of a plot."""
        return epoch / 1e9 - self.leaps.tai_minus_utc(epoch)

    def deviations(self) -> Payload:
        """OADEV of every clock against TA(k), of which it is a part; computed at most every half minute."""
        if self._deviations is None or time.monotonic() - self._computed >= DEVIATIONS_EVERY_S:
            self.follow()
            self._computed = time.monotonic()
            clocks = {name: self._oadev(name) for name in self.clocks()}
            self._deviations = {"type": "oadev", "confidence": CONFIDENCE, "clocks": clocks}
        return self._deviations

    def _oadev(self, name: str) -> Payload:
        """Phases on the epoch grid, NaN where the station did not measure; limits null where they are not known."""
        step_ns = int(self.config.ensemble.interval_s * 1e9)
        place = (np.array(self.epoch, np.int64) - self.epoch[0]) // step_ns
        x = np.full(int(place[-1]) + 1, np.nan)
        x[place] = [row.get(name, np.nan) for row in self.x]
        if len(x) < 4:
            return {"tau_s": [], "sigma": [], "low": [], "high": []}
        result = oadev(x, self.config.ensemble.interval_s)
        known = np.isfinite(result.sigma) & (result.sigma > 0)
        sigma = result.sigma[known]
        low, high = self._limits(name, x, result)[:, known] * sigma
        return {
            "tau_s": result.tau_s[known].tolist(),
            "sigma": sigma.tolist(),
            "low": [none_if_nan(each) for each in low.tolist()],
            "high": [none_if_nan(each) for each in high.tolist()],
        }

    def _limits(self, name: str, x: np.ndarray[Any, Any], result: Deviations) -> np.ndarray[Any, Any]:
        """Lower and upper limit over σ, float64[2, k]: they follow the degrees of freedom, not σ."""
        points, factors = self._factors.get(name, (0, np.zeros((2, 0))))
        if len(x) > GROWTH * points or factors.shape[1] != result.sigma.size:
            found = intervals("oadev", result, x, self.config.ensemble.interval_s, confidence=CONFIDENCE)
            with np.errstate(divide="ignore", invalid="ignore"):
                factors = np.array([found.low, found.high]) / result.sigma
            self._factors[name] = len(x), factors
        return factors


def none_if_nan(value: float) -> float | None:
    """JSON has no NaN."""
    return value if value == value else None  # noqa: PLR0124 (NaN)
