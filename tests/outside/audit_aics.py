"""Run by a Python that has aics-tlog: audit a log folder with that library alone; prints JSON, exit code 1 if it fails.

audit_aics.py FOLDER LOG_VKEY WITNESS_VKEY...
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import aics_tlog
from aics_tlog.verified import audit_tiles


def main(folder: str, log: str, *witnesses: str) -> int:
    """Checkpoint and cosignatures, then every tile and bundle."""
    note = aics_tlog.parse_note((Path(folder) / "checkpoint").read_bytes())
    keys = tuple(aics_tlog.parse_vkey(vkey) for vkey in witnesses)
    policy = aics_tlog.WitnessPolicy(len(keys), keys) if keys else None
    head = aics_tlog.verify_checkpoint(note, aics_tlog.parse_vkey(log), policy=policy)
    if not head.ok:
        print(json.dumps({"error": f"checkpoint: {head.error}"}))
        return 1
    try:
        report = audit_tiles(aics_tlog.FileSystemTileReader(folder), head.size, head.root)
    except (aics_tlog.TileVerificationError, aics_tlog.TileMissingError, ValueError) as error:
        print(json.dumps({"error": str(error)}))
        return 1
    said = {"size": report.size, "tiles": report.tiles, "bundles": report.bundles, "times": head.timestamps}
    print(json.dumps(said))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
