"""NTP: packets, their compiled twins, and what a server or client does with one. Bytes in, bytes out."""
