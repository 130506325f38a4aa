"""Protocols that carry time: bytes in, bytes out. No sockets, no clocks; stamps come in as arguments."""
