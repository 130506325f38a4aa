"""AES-SIV-CMAC-256 (RFC 5297) for compiled loops, composed from the AES-128 of the system's libcrypto."""
