"""What a verdict can be, as it stands in the observer's page and in its entries."""

from __future__ import annotations

NOTHING_FOUND, FOUND, CANNOT_JUDGE = 0, 1, 2
