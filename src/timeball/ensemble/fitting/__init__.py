"""Noise coefficients of every clock from the readings alone, with their uncertainties; nothing tuned by hand.

Only differences of clocks are read, so all clocks are solved for together: mean squares of each clock against a
weighted mean of the others at octaves of the interval, what they are expected to be for independent clocks, and their
own covariances give the five coefficients of each by generalised least squares (the generalised method of moments).

Sign: x is clock minus pivot (s), drifts are against a mean of the clocks. What it does not do: make a scale, find
events (the room `integrity`), or tell a coefficient that all clocks share from none: what is common to all of them is
not in their differences. It decides nothing that is recorded, and may use all of numpy.
"""

from __future__ import annotations

from timeball.ensemble.fitting.fit import NoiseFit, fit_noise

__all__ = ["NoiseFit", "fit_noise"]
