"""What `chronyc -n -c` prints of the reports whose wire form changes: serverstats, ntpdata, authdata.

Columns are only added at the end from version to version; those known here are named, further ones are kept under
`column_N`, so that nothing is lost. Numbers stay as they are printed where a name says no unit.
Source: chronyc(1), option -c, and chrony's client.c.
"""

from __future__ import annotations

import math

from timeball.protocols.chrony.errors import LayoutError
from timeball.protocols.chrony.more import SERVER_STATS_OF

Value = str | int | float | bool | None
COLUMNS = {
    "serverstats": SERVER_STATS_OF[25],
    "ntpdata": (
        *("address", "address_hex", "port", "local_address", "local_address_hex", "leap", "version", "mode", "stratum"),
        *("poll", "poll_s", "precision", "precision_s", "root_delay_s", "root_dispersion_s", "refid_hex", "refid"),
        *("reference_s", "offset_s", "delay_s", "dispersion_s", "response_s", "asymmetry", "tests_a", "tests_b"),
        *("tests_c", "interleaved", "authenticated", "tx_stamped_by", "rx_stamped_by", "sent", "received", "valid"),
        "good",
    ),
    "authdata": (
        *("name", "mode", "key_id", "key_type", "key_bits", "last_exchange_s", "attempts", "naks", "cookies"),
        "cookie_bytes",
    ),
}
LONGEST_LINE = 4096
MOST_COLUMNS = 100


def parse_csv(report: str, text: str) -> list[dict[str, Value]]:
    """Each line of a report as a row by name. Raises LayoutError for a line that has fewer than half of its columns."""
    names = COLUMNS[report]
    rows: list[dict[str, Value]] = []
    for line in text.splitlines():
        cells = line[:LONGEST_LINE].split(",")
        if not len(names) // 2 <= len(cells) <= MOST_COLUMNS:
            raise LayoutError(f"{report} of chronyc with {len(cells)} columns: {line[:60]!r}")
        padded = [*names, *(f"column_{n}" for n in range(len(names) + 1, len(cells) + 1))]
        rows.append({name: _value(cell) for name, cell in zip(padded, cells, strict=False)})
    return rows


def _value(cell: str) -> Value:
    if cell in ("Yes", "No"):
        return cell == "Yes"
    if cell == "-" or not cell:
        return None
    try:
        return int(cell)
    except ValueError:
        pass
    try:
        number = float(cell)
    except ValueError:
        return cell
    return number if math.isfinite(number) else None
