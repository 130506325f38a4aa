"""The memory of one socket's batches, as recvmmsg(2) and sendmmsg(2) want it (64-bit little-endian Linux).

Shared by the compiled loop and by numpy's; nothing here is compiled.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.int64]

BATCH = 64
DATAGRAM_BYTES = 1280
"""No request is longer (protocols.ntp.extensions.LONGEST_BYTES), and no reply is longer than its request."""
DATAGRAM_WORDS = DATAGRAM_BYTES // 8
NAME_WORDS = 4
NAME_BYTES = 8 * NAME_WORDS
PORT = 0xFFFF0000
"""Of the first word of a socket address: the port, in the order of the wire, in its second two bytes."""
# received: two kinds of stamps (32 and 64 bytes) and the asked address (40); sent: 24 and 40
CONTROL_WORDS = 20
SENT_CONTROL_WORDS = 8

# struct mmsghdr in 64-bit words
NAME, NAME_LENGTH, VECTOR, VECTOR_LENGTH, CONTROL, CONTROL_LENGTH, FLAGS, LENGTH = range(8)
MESSAGE_WORDS = 8
MSG_TRUNC = 0x20
MSG_DONTWAIT = 0x40
MSG_ERRQUEUE = 0x2000
MSG_WAITFORONE = 0x10000


class Buffers(NamedTuple):
    """Requests and replies by rows, as bytes and as words of the same memory; the kernel is given addresses into it.

    Its owner must hold it as long as the loop runs: compiled code gives an array back after its last use by name, and
    an address in another array is no such use.
    """

    requests: NDArray[np.uint8]
    replies: NDArray[np.uint8]
    request_words: Words
    reply_words: Words
    names: Words
    controls: Words
    sent_controls: Words
    vectors: Words
    incoming: Words
    outgoing: Words


def make_buffers(batch: int = BATCH) -> Buffers:
    """Buffers of `batch` datagrams: struct mmsghdr in `incoming` and `outgoing`, their iovecs in `vectors`."""
    words = [np.zeros((batch, DATAGRAM_WORDS), np.int64) for _ in range(2)]
    buffers = Buffers(
        requests=words[0].view(np.uint8),
        replies=words[1].view(np.uint8),
        request_words=words[0],
        reply_words=words[1],
        names=np.zeros((batch, NAME_WORDS), np.int64),
        controls=np.zeros((batch, CONTROL_WORDS), np.int64),
        sent_controls=np.zeros((batch, SENT_CONTROL_WORDS), np.int64),
        vectors=np.zeros((2, batch, 2), np.int64),
        incoming=np.zeros((batch, MESSAGE_WORDS), np.int64),
        outgoing=np.zeros((batch, MESSAGE_WORDS), np.int64),
    )
    for way, messages, payloads in ((0, buffers.incoming, buffers.requests), (1, buffers.outgoing, buffers.replies)):
        for k in range(batch):
            messages[k, NAME] = buffers.names[k].ctypes.data
            messages[k, VECTOR] = buffers.vectors[way, k].ctypes.data
            messages[k, VECTOR_LENGTH] = 1
            buffers.vectors[way, k] = payloads[k].ctypes.data, DATAGRAM_BYTES
    for k in range(batch):
        buffers.incoming[k, NAME_LENGTH] = NAME_BYTES
        buffers.incoming[k, CONTROL] = buffers.controls[k].ctypes.data
        buffers.incoming[k, CONTROL_LENGTH] = 8 * CONTROL_WORDS
        buffers.outgoing[k, CONTROL] = buffers.sent_controls[k].ctypes.data
    return buffers
