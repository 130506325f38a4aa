"""Anomalies of clocks: steps of phase and of rate, drifts, changes of noise, and whether clock, link or reference.

Every detector looks at how a clock moved against the others; when several moved alike at one epoch, what they have in
common is blamed: the link that carries them, or the reference that all others are compared with.
What it does not do: correct readings, or take a clock out of the scale (the algorithms and the operators do).
"""

from __future__ import annotations

from timeball.integrity.anomalies.anomaly import KINDS, ORIGINS, Anomaly
from timeball.integrity.anomalies.live import advance_detectors
from timeball.integrity.anomalies.record import Record, find_anomalies, find_in_record
from timeball.integrity.anomalies.rules import AnomalyError, AnomalyRules
from timeball.integrity.anomalies.state import DetectorState

__all__ = [
    "KINDS",
    "ORIGINS",
    "Anomaly",
    "AnomalyError",
    "AnomalyRules",
    "DetectorState",
    "Record",
    "advance_detectors",
    "find_anomalies",
    "find_in_record",
]
