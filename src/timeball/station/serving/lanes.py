"""Lanes: which socket of an address takes a datagram, decided by the kernel before it is queued.

Sockets that share an address by SO_REUSEPORT have a queue each. Plain requests, which anyone can send in any number,
are spread over the first ones by their flow; whatever is longer, as an authenticated request is, goes to the last.
So a flood of plain requests fills its own queues, and those who authenticate are still heard. A flood of long packets
fills the long lane alone.

Source: socket(7), SO_ATTACH_REUSEPORT_CBPF; the program is classic BPF (Linux, Documentation/networking/filter.rst),
which sees the UDP payload, and whose result is the number of the socket in the order of binding.
"""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Sequence

from timeball.protocols.ntp.packet import PACKET_BYTES

SO_ATTACH_REUSEPORT_CBPF = 51
LOAD_LENGTH = 0x80  # BPF_LD | BPF_W | BPF_LEN
LOAD_WORD = 0x20  # BPF_LD | BPF_W | BPF_ABS
LOAD_HALF = 0x28  # BPF_LD | BPF_H | BPF_ABS
A_TO_X = 0x07  # BPF_MISC | BPF_TAX
ADD_X = 0x0C  # BPF_ALU | BPF_ADD | BPF_X
MULTIPLY = 0x24  # BPF_ALU | BPF_MUL | BPF_K
SHIFT_RIGHT = 0x74  # BPF_ALU | BPF_RSH | BPF_K
IF_GREATER = 0x25  # BPF_JMP | BPF_JGT | BPF_K
MODULO = 0x94  # BPF_ALU | BPF_MOD | BPF_K
RETURN = 0x06  # BPF_RET | BPF_K
RETURN_A = 0x16  # BPF_RET | BPF_A
IP_HEADER = 0xFFF00000  # SKF_NET_OFF
# Where the last four bytes of the source address stand, and the source port behind a header without options.
SOURCE = {socket.AF_INET: (12, 20), socket.AF_INET6: (20, 40)}
MIX = 0x9E3779B1  # Knuth's multiplicative hash: neighbours part

Instruction = tuple[int, int, int, int]


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def program(plain: int, family: int) -> list[Instruction]:
    """The instructions (code, jump if true, if false, operand) for `plain` sockets and the long lane after them.

    The kernel's own hash of a flow is not used: packets of the loopback and of many cards have none.
    """
    address, port = SOURCE[socket.AddressFamily(family)]
    return [
        (LOAD_LENGTH, 0, 0, 0),
        (IF_GREATER, 0, 1, PACKET_BYTES),
        (RETURN, 0, 0, plain),
        (LOAD_WORD, 0, 0, IP_HEADER + address),
        (A_TO_X, 0, 0, 0),
        (LOAD_HALF, 0, 0, IP_HEADER + port),
        (ADD_X, 0, 0, 0),
        (MULTIPLY, 0, 0, MIX),
        (SHIFT_RIGHT, 0, 0, 16),
        (MODULO, 0, 0, plain),
        (RETURN_A, 0, 0, 0),
    ]


def part_lanes(sockets: Sequence[socket.socket]) -> None:
    """Part the lanes of one address: the last of its bound sockets, two or more in all, gets the longer datagrams.

    Raises OSError where the kernel does not know this; then it spreads everything over all sockets, which all answer.
    """
    wanted = program(len(sockets) - 1, sockets[0].family)
    instructions = (_Instruction * len(wanted))(*(_Instruction(*each) for each in wanted))
    attached = _Program(len(wanted), instructions)
    sockets[0].setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, bytes(attached))
