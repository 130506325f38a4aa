"""Compiled NTS of AEAD 15: verify a request, seal its reply with fresh cookies, refuse it, inside the server's loop."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

LONGEST_BYTES = 1280
"""Of a request or a reply: the rows that are passed in must have as many."""


class Ring(NamedTuple):
    """The cookie keys of one loop in two slots; made and changed by compiled.CompiledRing."""

    words: NDArray[np.int64]
    keys: NDArray[np.int64]
    states: NDArray[np.uint8]


class Work(NamedTuple):
    """One loop's scratch, its contexts for the clients' keys, and its nonces; made by compiled.CompiledWork."""

    words: NDArray[np.int64]
    room: NDArray[np.uint8]


@njit(cache=True, nogil=True)
def adopt_keys(ring: Ring, work: Work) -> None:
    """Take the newest keys into use; once a batch, also one without datagrams, or Python cannot change them again."""
    raise NotImplementedError


@njit(cache=True, nogil=True)
def verify_request(request: NDArray[np.uint8], length: int, ring: Ring, work: Work) -> int:
    """Say what a datagram is (reasons.Reason); `request` uint8[>= LONGEST_BYTES] holds `length` bytes of it.

    What ACCEPTED and the NAKs need of it stays in `work` until the next call.
    """
    raise NotImplementedError


@njit(cache=True, nogil=True)
def seal_reply(request: NDArray[np.uint8], reply: NDArray[np.uint8], ring: Ring, work: Work) -> int:
    """Put the NTS fields behind the header in reply[0:48], for the request just ACCEPTED; gives the reply's length."""
    raise NotImplementedError


@njit(cache=True, nogil=True)
def write_nak(request: NDArray[np.uint8], reply: NDArray[np.uint8], work: Work) -> int:
    """Write the kiss NTSN for the request just refused, header and all; gives the reply's length."""
    raise NotImplementedError
