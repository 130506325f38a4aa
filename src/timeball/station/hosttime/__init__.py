"""The host's own counters, the time of day they agree on, and the table of leap seconds."""
