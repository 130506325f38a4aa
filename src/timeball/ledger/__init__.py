"""The evidence: signed notes, Merkle trees, tiles, checkpoints, entries, and the verification of a whole log. Pure.

Formats are C2SP's (signed-note, tlog-checkpoint, tlog-tiles) and RFC 6962's; docs/ledger.md describes what is ours.
It does not decide what is recorded, and opens no files: the station does.
"""
