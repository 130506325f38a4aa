"""First on the path of what the tests start: scipy is not there, as it is not where Timeball is installed.

Only the tests' own references need scipy. Where numba finds it, each process that loads a compiled loop imports all of
its linear algebra, which no loop here uses: a third of a second of every process of every station.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec


class NotInstalled:
    """Asked before all other finders."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """Refuse scipy, and leave everything else to the others."""
        del path, target
        if name.partition(".")[0] == "scipy":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


sys.meta_path.insert(0, NotInstalled)
