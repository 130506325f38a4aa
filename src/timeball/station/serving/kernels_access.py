"""The access list in compiled loops: a binary search in the sorted starts of access.AccessTable."""

# mypy: no-warn-return-any

from __future__ import annotations

from timeball.station.page.lean import lean
from timeball.station.serving.access import AccessTable

SIGN = -(2**63)


@lean
def access_code(table: AccessTable, high: int, low: int) -> int:
    """The code of the address of two words (IPv4 in its mapped form, sources.words_of), as access.code_of."""
    if high == 0 and low >> 32 == 0xFFFF:
        return code_of_v4(table, low & 0xFFFFFFFF)
    return code_of_v6(table, high ^ SIGN, low ^ SIGN)


@lean
def code_of_v4(table: AccessTable, address: int) -> int:
    """The code of the last start that is not above the address."""
    first, count = 0, table.v4_starts.size
    while count > 1:
        half = count >> 1
        if table.v4_starts[first + half] <= address:
            first += half
        count -= half
    return table.v4_codes[first]


@lean
def code_of_v6(table: AccessTable, high: int, low: int) -> int:
    """As code_of_v4, by two words with their signs turned."""
    first, count = 0, table.v6_high.size
    while count > 1:
        half = count >> 1
        at = first + half
        if table.v6_high[at] < high or (table.v6_high[at] == high and table.v6_low[at] <= low):
            first = at
        count -= half
    return table.v6_codes[first]
