"""Simulation: clocks, a comparator and a laboratory whose truth is known.

Sign convention: the phase of a simulated clock is clock minus ideal TAI, s; what the comparator gives is x_a − x_b.
All randomness comes from seeds and generators handed in, so a simulation is a function of its arguments. It does not
run in time, keeps nothing on disk, and nothing of the station may look at its truth except tests.
"""
