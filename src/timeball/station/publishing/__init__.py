"""The ledger outside its own host: serving it over HTTP, payloads by role, and mirrors that check what they keep."""
