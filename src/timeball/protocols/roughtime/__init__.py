"""Roughtime (RFC 10049): signed rough time, and proof when a server lied. Bytes in, bytes out."""
