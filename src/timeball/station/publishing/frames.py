"""What a mirror does with the frames of a payload bundle: merge, read what was erased, erase. Bytes in, bytes out.

Nobody takes back what he has given: a frame that is held and whole stays, whatever is served in its place later. Only a
recorded erasure removes it, and never where time is decided from it: else whoever owns the log could empty its mirrors.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from timeball.ledger import canonical
from timeball.ledger.contents import ERASURE, erased_by
from timeball.ledger.entry import parse_envelope, verify_payload
from timeball.ledger.errors import LedgerError
from timeball.ledger.payload import erase_frame, parse_frame
from timeball.ledger.tiles import WIDTH
from timeball.station.publishing.access import PUBLIC


def merge_frames(leaves: Sequence[bytes], held: bytes, served: bytes) -> bytes:
    """Frame by frame what is held where it is the entry's own, else what was served; `served` is checked already."""
    mine = _whole_frames(leaves, held)
    parts, offset = [], 0
    for position in range(len(leaves)):
        frame = parse_frame(served, offset)
        parts.append(mine.get(position, served[offset : frame.end]))
        offset = frame.end
    return b"".join(parts)


def _whole_frames(leaves: Sequence[bytes], held: bytes) -> dict[int, bytes]:
    """Frames whose payloads are there and are what the leaves commit to, up to the first one that is damaged."""
    found: dict[int, bytes] = {}
    offset = 0
    for position, leaf in enumerate(leaves):
        if offset >= len(held):
            break
        try:
            frame = parse_frame(held, offset)
            if frame.payload is not None:
                verify_payload(parse_envelope(leaf), frame.salt, frame.payload)
                found[position] = held[offset : frame.end]
        except LedgerError:
            break
        offset = frame.end
    return found


def erasures_in(leaves: Sequence[bytes], payloads: bytes) -> set[int]:
    """Indices that the erasure entries among `leaves` name."""
    indices: set[int] = set()
    if not any(ERASURE.encode() in leaf for leaf in leaves):
        return indices
    offset = 0
    for leaf in leaves:
        frame = parse_frame(payloads, offset)
        offset = frame.end
        if frame.payload is not None and parse_envelope(leaf).type == ERASURE:
            indices.update(erased_by(canonical.decode(frame.payload)))
    return indices


def erase_frames(number: int, leaves: Sequence[bytes], payloads: bytes, indices: Collection[int]) -> bytes:
    """Bundle `number` with the payloads of `indices` erased, of the types that are not public."""
    parts, offset = [], 0
    for position, leaf in enumerate(leaves):
        frame = parse_frame(payloads, offset)
        whole = payloads[offset : frame.end]
        erasing = number * WIDTH + position in indices and parse_envelope(leaf).type not in PUBLIC
        parts.append(erase_frame(whole) if erasing and frame.payload is not None else whole)
        offset = frame.end
    return b"".join(parts)
