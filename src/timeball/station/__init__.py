"""The running service: configuration, store, recorder, collector, timekeeper, observer, server, supervisor."""
