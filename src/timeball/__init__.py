"""Timeball: standard time from many clocks, served so that it cannot lie quietly."""

__version__ = "0.1.0"
