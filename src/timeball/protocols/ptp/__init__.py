"""PTP, IEEE 1588: what is said to a ptp4l about the clock it serves from. Bytes in, bytes out."""
