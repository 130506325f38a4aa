"""What every section of the configuration is made of: the struct that is read strictly, and the kinds of its values."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,31}$"
LISTEN_PATTERN = r"^(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}$"
MAYBE_LISTEN_PATTERN = rf"^$|{LISTEN_PATTERN}"
NETWORK_PATTERN = r"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$"

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Name = Annotated[str, Meta(pattern=NAME_PATTERN)]
Listen = Annotated[str, Meta(pattern=LISTEN_PATTERN)]
MaybeListen = Annotated[str, Meta(pattern=MAYBE_LISTEN_PATTERN)]
Network = Annotated[str, Meta(pattern=NETWORK_PATTERN)]


def port_fits(port: str) -> bool:
    """Whether the text after an address's colon is a port."""
    return port.isascii() and port.isdigit() and 1 <= int(port) <= 65535


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the configuration file."""
