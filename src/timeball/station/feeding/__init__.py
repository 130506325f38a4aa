"""What other hands on this host are given: samples for a chronyd, corrections for a PTP clock."""
