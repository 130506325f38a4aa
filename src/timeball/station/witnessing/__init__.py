"""Witnesses: the daemon that cosigns other logs' heads (C2SP tlog-witness), its client, and a station's submitting."""
