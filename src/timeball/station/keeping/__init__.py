"""Keeping a ledger for years: erasure, cold storage, backup, and the rule that a restored ledger never forks."""
