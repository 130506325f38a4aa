"""The rules between the settings of the Roughtime server, as in `configrules`."""

from __future__ import annotations

from collections.abc import Iterator

from timeball.protocols.roughtime.versions import parse_version
from timeball.station.configuration.section import port_fits
from timeball.station.configuration.settings import Config

Found = Iterator[tuple[str, str]]


def roughtime(config: Config) -> Found:
    """Addresses have ports and are named once; versions are spoken here and preferred in one order."""
    settings = config.roughtime
    seen: set[str] = set()
    for index, address in enumerate(settings.listen):
        if not port_fits(address.rpartition(":")[2]):
            yield f"roughtime.listen[{index}]", f"{address!r} has no port between 1 and 65535"
        if address in seen or address in config.ntp.listen:
            yield f"roughtime.listen[{index}]", f"{address!r} is in use twice"
        seen.add(address)
    spoken: set[int] = set()
    for index, text in enumerate(settings.versions):
        try:
            version = parse_version(text)
        except ValueError as error:
            yield f"roughtime.versions[{index}]", str(error)
            continue
        if version in spoken:
            yield f"roughtime.versions[{index}]", f"{text!r} is named twice"
        spoken.add(version)
