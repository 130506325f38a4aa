"""The stream under which the timekeeper's decisions stand in the ledger, for readers that decide nothing."""

from __future__ import annotations

STREAM = "timekeeping"
