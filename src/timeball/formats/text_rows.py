"""The lines of a text as rows of bytes, so that fixed columns of all of them can be looked at at once.

What it does not do: know any one format, or copy the text more than once.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

ByteArray = npt.NDArray[np.uint8]
PlaceArray = npt.NDArray[np.intp]
_BLANK = b" "


class TextRows:
    """The lines of a text but its first ``skip``: n of them, without their line ends (LF or CRLF).

    starts, lengths: of the lines, in `text`, behind whose end ``padding`` blanks stand: a row of that width can be cut
    at every line.
    """

    def __init__(self, plain: bytes, padding: int, skip: int = 0) -> None:
        self.text: ByteArray = np.frombuffer(plain + _BLANK * padding, dtype=np.uint8)
        ends = np.append(np.flatnonzero(self.text[: len(plain)] == ord("\n")), len(plain))
        starts = np.append(0, ends[:-1] + 1)
        carriage_return = (ends > starts) & (self.text[ends - 1] == ord("\r"))
        self.starts: PlaceArray = starts[skip:]
        self.lengths: PlaceArray = (ends - starts - carriage_return)[skip:]
        self._plain = plain

    def __len__(self) -> int:
        return len(self.starts)

    def line(self, place: int) -> bytes:
        """Give a line."""
        start = int(self.starts[place])
        return self._plain[start : start + int(self.lengths[place])]

    def first(self, width: int) -> ByteArray:
        """Give the first bytes of every line, (n, width), and what stands behind a shorter one."""
        return np.asarray(np.lib.stride_tricks.sliding_window_view(self.text, width)[self.starts])

    def rows(self, places: PlaceArray, width: int) -> ByteArray:
        """Give some lines as rows, (len(places), width); what stands behind a line's end is blanked."""
        rows = np.lib.stride_tricks.sliding_window_view(self.text, width)[self.starts[places]]
        lengths = self.lengths[places]
        short = np.flatnonzero(lengths < width)
        rows[short] = np.where(np.arange(width) < lengths[short, None], rows[short], ord(_BLANK))
        return rows


def lines_of(plain: bytes) -> Iterator[bytes]:
    """Give the lines of a text one after the other, each with what its line end leaves but LF."""
    start = 0
    while start < len(plain):
        stop = plain.find(b"\n", start)
        stop = len(plain) if stop < 0 else stop
        yield plain[start:stop]
        start = stop + 1
