"""Proofs of what was served at a moment: made from a ledger, verified from one file alone."""
