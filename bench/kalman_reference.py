"""The Kalman filter of clock differences once more, dense and in 80-bit numbers: the oracle of the fast one.

Written from the equations (Zucca and Tavella 2005; Joseph's form of the update), not from the kernel: matrices of the
clocks' own states are mapped to differences against one clock, comparisons are taken in one by one, and the channel
noise of the clock they are against is a state of its own for the epoch. No flicker, no rejections, no scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from timeball.ensemble.noise import ClockNoise

Wide = np.longdouble


@dataclass
class Reference:
    """Differences against clock `pivot`: phases of the others, their rates, then drifts of those that drift.

    x: longdouble[k], P: longdouble[k, k]. The pivot must not drift.
    """

    noise: list[ClockNoise]
    pivot: int
    x: np.ndarray
    P: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.noise)
        self.others = [i for i in range(n) if i != self.pivot]
        self.drifting = [i for i in range(n) if self.noise[i].drifts]
        self.x, self.P = self.x.astype(Wide), self.P.astype(Wide)

    def predict(self, tau_s: float) -> None:
        """Move state and covariance over tau_s."""
        F, Q = self._matrices(Wide(tau_s))
        self.x = F @ self.x
        self.P = F @ self.P @ F.T + Q
        self.P = (self.P + self.P.T) / 2

    def update(self, row: np.ndarray) -> None:
        """Take in one epoch: phases [n] against anything common, NaN where missing."""
        here = np.flatnonzero(~np.isnan(row))
        k = len(self.x)
        base = int(here[0])
        x, P = np.append(self.x, Wide(0)), np.zeros((k + 1, k + 1), dtype=Wide)
        P[:k, :k] = self.P
        P[k, k] = self._channel(base)
        for i in here[1:].tolist():
            H = self._phase(i, k + 1) - self._phase(base, k + 1)
            H[k] = Wide(-1)
            R = self._channel(i)
            PH = P @ H
            gain = PH / (H @ PH + R)
            x = x + gain * ((Wide(row[i]) - Wide(row[base])) - H @ x)
            A = np.eye(k + 1, dtype=Wide) - np.outer(gain, H)
            P = A @ P @ A.T + R * np.outer(gain, gain)
        self.x, self.P = x[:k], (P[:k, :k] + P[:k, :k].T) / 2

    def _channel(self, i: int) -> np.longdouble:
        return Wide(self.noise[i].wpm) ** 2 / 3 + Wide(1e-30)

    def _phase(self, i: int, size: int) -> np.ndarray:
        H = np.zeros(size, dtype=Wide)
        if i != self.pivot:
            H[self.others.index(i)] = Wide(1)
        return H

    def _matrices(self, t: np.longdouble) -> tuple[np.ndarray, np.ndarray]:
        """Transition and noise of the differences, mapped from those of single clocks (phase, rate, drift)."""
        n, m = len(self.noise), len(self.others)
        size = 2 * m + len(self.drifting)
        own, noise = np.zeros((3 * n, 3 * n), dtype=Wide), np.zeros((3 * n, 3 * n), dtype=Wide)
        one = np.array([[1, t, t * t / 2], [0, 1, t], [0, 0, 1]], dtype=Wide)
        for i, each in enumerate(self.noise):
            block = slice(3 * i, 3 * i + 3)
            own[block, block] = one
            q1 = Wide(each.wfm) ** 2 + Wide(1e-40)
            q2, q3 = 3 * Wide(each.rwfm) ** 2, 20 * Wide(each.rrfm) ** 2
            noise[block, block] = [
                [q1 * t + q2 * t**3 / 3 + q3 * t**5 / 20, q2 * t**2 / 2 + q3 * t**4 / 8, q3 * t**3 / 6],
                [q2 * t**2 / 2 + q3 * t**4 / 8, q2 * t + q3 * t**3 / 3, q3 * t**2 / 2],
                [q3 * t**3 / 6, q3 * t**2 / 2, q3 * t],
            ]
        take = np.zeros((size, 3 * n), dtype=Wide)  # own states → differences
        give = np.zeros((3 * n, size), dtype=Wide)  # differences → own states, with the pivot at rest
        for k, i in enumerate(self.others):
            for order in range(2):
                take[order * m + k, 3 * i + order] = 1
                take[order * m + k, 3 * self.pivot + order] = -1
                give[3 * i + order, order * m + k] = 1
        for k, i in enumerate(self.drifting):
            take[2 * m + k, 3 * i + 2] = 1
            give[3 * i + 2, 2 * m + k] = 1
        return take @ own @ give, take @ noise @ take.T
