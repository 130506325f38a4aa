"""Benchmarks: every figure that the documentation claims, beside its peer, measured in one run.

`python -m bench [--room NAME]` runs the modules of this folder that define `figures() -> Iterator[Figure]`. A figure
is given as soon as it is known, so that the progress shows; a module that cannot have its peer or its data gives a
`Skip`, which says why.
"""

from bench.figure import Figure, Skip
from bench.measure import install_debian, medians, processes

__all__ = ["Figure", "Skip", "install_debian", "medians", "processes"]
