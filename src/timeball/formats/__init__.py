"""File formats: bytes in, readings and defects out, and back again. One file per format.

A file is recognised from its content, never from its name. A bad line becomes a :class:`Defect` with file, line,
field, text and reason, and the good lines survive; :class:`FormatError` is all that escapes from a parser.
`kinds` has the table of all kinds: how each is recognised, read and written.

What it does not do: read files (bytes come in), or judge clocks. Leap second tables are read by
:mod:`timeball.formats.leap_seconds`, since they hold no readings.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timeball.formats.names import *  # noqa: F403
else:

    def __getattr__(name: str) -> object:
        """A name of this room. Whoever needs one module only, as a station does, need not import every format."""
        names = import_module("timeball.formats.names")
        if name not in names.__all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(names, name)
