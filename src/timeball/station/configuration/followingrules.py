"""The rules between the settings of what follows other servers: sources of the ensemble, and the watchdog.

As in `configrules`: each rule yields (key path, sentence), never raises, and reads nothing but the configuration.
"""

from __future__ import annotations

from collections.abc import Iterator

from timeball.station.configuration.following import NTPInstrument
from timeball.station.configuration.section import port_fits
from timeball.station.configuration.settings import Config, HostInstrument

Found = Iterator[tuple[str, str]]


def servers(config: Config) -> Found:
    """Other servers are compared with the host's counter, each under a name of its own, at least once an epoch."""
    host = next((item for item in config.instrument if isinstance(item, HostInstrument)), None)
    taken = {config.output.clock, config.steering.utc} | ({host.clock} if host else set())
    for index, item in enumerate(config.instrument):
        if not isinstance(item, NTPInstrument):
            continue
        path = f"instrument[{index}]"
        if host is None or item.host != host.clock:
            yield f"{path}.host", f'{item.host!r} is not the clock of an [[instrument]] of kind "host"'
        if item.clock in taken:
            yield f"{path}.clock", f"{item.clock!r} is the name of the output, of UTC, the host or another server"
        if not port_fits(item.server.rpartition(":")[2]):
            yield f"{path}.server", f"{item.server!r} has no port between 1 and 65535"
        if item.ca and not item.nts:
            yield f"{path}.ca", "is for NTS; write nts = true"
        if item.poll_s > config.ensemble.interval_s:
            yield f"{path}.poll_s", "must not exceed ensemble.interval_s, or most epochs have no reading of it"
        taken.add(item.clock)


def watchdog(config: Config) -> Found:
    """Every server of the pool can be asked and has one voice."""
    khronos = config.khronos
    for index, address in enumerate(khronos.servers):
        if not port_fits(address.rpartition(":")[2]):
            yield f"khronos.servers[{index}]", f"{address!r} has no port between 1 and 65535"
    if len(set(khronos.servers)) < len(khronos.servers):
        yield "khronos.servers", "names a server twice: it would have two voices"
    if 0 < len(khronos.servers) < 3:
        yield "khronos.servers", "at least three are needed: of fewer no third can be left out at each end"
