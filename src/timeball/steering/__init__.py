"""Steering: from an offset against UTC to a rate for UTC(k), and from that to commands a phase stepper may obey.

Sign convention: x is UTC(k) − UTC in seconds and y its rate; a rate or phase *of* the stepper is output minus source.
A positive x means that UTC(k) is ahead, so the steer that cures it is negative.

Steers never enter TA(k): nothing here is read by the ensemble. All decisions are made of + − × ÷ √ in a fixed order, so
that they replay bit for bit on any machine. This room moves nothing by itself and reads no clock.
"""
