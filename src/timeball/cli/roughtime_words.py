"""What the commands that ask Roughtime servers share: keys and versions as options, verified replies as words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from timeball.cli.output import CommandError

if TYPE_CHECKING:
    from timeball.protocols.roughtime.client import Verified


def public_key_option(text: str) -> bytes:
    """A public key in base64, or in hexadecimal. Raises CommandError."""
    from timeball.protocols.roughtime.delegation import KEY_BYTES, decode_base64

    for read in (decode_base64, bytes.fromhex):
        try:
            key = read(text)
        except ValueError:
            continue
        if len(key) == KEY_BYTES:
            return key
    raise CommandError(f"{text!r} is no public key: {KEY_BYTES} bytes in base64")


def versions_option(texts: tuple[str, ...]) -> tuple[int, ...]:
    """The versions to offer; all when none is named. Raises CommandError."""
    from timeball.protocols.roughtime.versions import VERSIONS, parse_version

    try:
        return tuple(parse_version(text) for text in texts) or VERSIONS
    except ValueError as error:
        raise CommandError(f"--version: {error}") from error


def utc(unix_s: int) -> str:
    """Unix seconds as UTC for people; a number where no calendar reaches."""
    try:
        return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{unix_s} s of Unix time"


def verified_document(verified: Verified) -> dict[str, Any]:
    """A verified reply for JSON."""
    from timeball.protocols.roughtime.versions import version_name

    return {
        "midpoint_s": verified.midpoint_s,
        "radius_s": verified.radius_s,
        "utc": utc(verified.midpoint_s),
        "version": version_name(verified.version),
        "versions": [version_name(version) for version in verified.versions],
        "key_mint_s": verified.delegated.mint_s,
        "key_maxt_s": verified.delegated.maxt_s,
    }
