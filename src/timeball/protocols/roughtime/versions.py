"""The versions spoken, and what differs between them: the context strings of signatures.

Version 1 (RFC 10049, 5.2.1 and 5.2.6) writes "Roughtime", version 0x8000000c of the drafts "RoughTime". A signature
holds for the version it was made for and for no other.
"""

from __future__ import annotations

VERSION_1 = 1
VERSION_DRAFT = 0x8000000C
VERSIONS = (VERSION_1, VERSION_DRAFT)
_NAMES = {VERSION_1: b"Roughtime", VERSION_DRAFT: b"RoughTime"}


def response_context(version: int) -> bytes:
    """What stands before SREP when it is signed. KeyError for a version that is not spoken here."""
    return _NAMES[version] + b" v1 response signature\0"


def delegation_context(version: int) -> bytes:
    """What stands before DELE when it is signed. KeyError for a version that is not spoken here."""
    return _NAMES[version] + b" v1 delegation signature\0"


def parse_version(text: str) -> int:
    """A version as people write it, decimal or 0x…; ValueError for one that is not spoken here."""
    try:
        version = int(text, 0)
    except ValueError:
        version = -1
    if version not in VERSIONS:
        raise ValueError(f"{text!r} is no version spoken here; they are {', '.join(map(version_name, VERSIONS))}")
    return version


def version_name(version: int) -> str:
    """A version as people write it."""
    return hex(version) if version >= 2**31 else str(version)
