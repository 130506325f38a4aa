"""Run by a Python that has aics-tlog: audit a log folder with that library alone; prints JSON, exit code 1 if it fails.

audit_aics.py FOLDER LOG_VKEY WITNESS_VKEY...
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import aics_tlog
from aics_tlog.verified import audit_tiles


def main(folder: str, log: str, *witnesses: str) -> int:
    """Checkpoint and cosignatures, then every tile and bundle."""
    try:
        print(json.dumps(audit(folder, log, witnesses)))
    except (ValueError, OSError) as error:  # the library's own kinds are kinds of these
        print(json.dumps({"error": str(error)}))
        return 1
    return 0


def audit(folder: str, log: str, witnesses: Sequence[str]) -> dict[str, object]:
    """Give what was verified; raises ValueError or OSError."""
    note = aics_tlog.parse_note((Path(folder) / "checkpoint").read_bytes())
    keys = tuple(aics_tlog.parse_vkey(vkey) for vkey in witnesses)
    policy = aics_tlog.WitnessPolicy(len(keys), keys) if keys else None
    head = aics_tlog.verify_checkpoint(note, aics_tlog.parse_vkey(log), policy=policy)
    if not head.ok:
        raise ValueError(f"checkpoint: {head.error}")
    report = audit_tiles(aics_tlog.FileSystemTileReader(folder), head.size, head.root)
    return {"size": report.size, "tiles": report.tiles, "bundles": report.bundles, "times": head.timestamps}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
