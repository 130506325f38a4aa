"""Content audit: follow a log, recompute what it decided, and publish a signed statement of what was found."""
