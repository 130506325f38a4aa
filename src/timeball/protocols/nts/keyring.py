"""The keys that cookies are sealed with: one current, and the older ones that still open theirs.

Where keys come from, how long they last and who else holds them is the key exchange's matter; here they are values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from timeball.protocols.nts.errors import KeyRingError

KEY_BYTES = 32
MOST_KEYS = 8
"""Of one ring, the current one counted: what the compiled server has room for."""
_ID_BITS = 32


@dataclass(frozen=True, slots=True)
class CookieKey:
    """A key of AES-SIV-CMAC-256 (32 bytes) and the 32-bit id that its cookies carry in clear. Raises KeyRingError."""

    id: int
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.id < 2**_ID_BITS:
            raise KeyRingError("key id", self.id, "not of 32 bits")
        if len(self.key) != KEY_BYTES:
            raise KeyRingError("cookie key", f"of {len(self.key)} bytes", f"must have {KEY_BYTES}")


@dataclass(frozen=True, slots=True)
class KeyRing:
    """`current` seals new cookies, and all open theirs. Raises KeyRingError for an id held twice, and too many keys."""

    current: CookieKey
    older: tuple[CookieKey, ...] = ()

    def __post_init__(self) -> None:
        ids = [key.id for key in self]
        if len(set(ids)) < len(ids):
            raise KeyRingError("key ids", ids, "one stands twice")
        if len(ids) > MOST_KEYS:
            raise KeyRingError("key ring", f"of {len(ids)} keys", f"has room for {MOST_KEYS}")

    def __iter__(self) -> Iterator[CookieKey]:
        """All keys, the current one first."""
        yield self.current
        yield from self.older

    def find(self, key_id: int) -> CookieKey | None:
        """The key of this id, None when it is not held."""
        return next((key for key in self if key.id == key_id), None)
