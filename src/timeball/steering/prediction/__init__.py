"""Where a free scale will be against UTC, with a band that knows how little its past says of its noise.

x is the free scale minus UTC (s). Coefficients, offset and rate are all unknown and all integrated over: the band is
that of the mixture, not of a best fit. Studies, reports and plots use it; nothing that a ledger records does (it needs
logarithms and LAPACK). It knows no steps and no change of behaviour: a scale that did not move so before is not
predicted to.
"""

from timeball.steering.prediction.band import Band, predict_band
from timeball.steering.prediction.posterior import Posterior, Prediction, PredictionError

__all__ = ["Band", "Posterior", "Prediction", "PredictionError", "predict_band"]
