"""How the processes of a station are started, watched, taken over and stopped."""
