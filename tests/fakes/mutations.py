"""Files with pieces put in and cut out, for tests of what no parser may do whatever the bytes are."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st


@st.composite
def mutated(
    draw: st.DrawFn,
    seeds: Sequence[bytes],
    pieces: st.SearchStrategy[bytes],
    times: tuple[int, int] = (1, 5),
    longest: int = 10,
) -> bytes:
    """One of the seeds in which, so many times, a piece takes the place of up to `longest` bytes."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(*times))):
        start = draw(st.integers(0, len(data)))
        stop = draw(st.integers(start, min(len(data), start + longest)))
        data = data[:start] + draw(pieces) + data[stop:]
    return data
