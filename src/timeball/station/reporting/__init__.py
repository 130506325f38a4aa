"""What the station says of itself: status and series."""
