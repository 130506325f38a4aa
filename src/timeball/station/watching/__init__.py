"""The watchdog's parts: asking many servers at once, and what a look is told as."""
