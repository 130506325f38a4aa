"""Compiled loops of the anomaly detectors."""

CELLS = 20
WINDOWS = (2, 4)
