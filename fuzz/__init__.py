"""Fuzzing: one module a target, `fuzz/<name>.py`, whose `target(data: bytes)` raises when a promise is broken.

A module may also define `seeds() -> Iterable[bytes]`, inputs to start from. `python -m fuzz [--seconds N]
[--target NAME]` runs every target for N seconds in a process of its own, under atheris (libFuzzer) where it is
installed, else driven by hypothesis, and keeps the input that broke it.
"""
