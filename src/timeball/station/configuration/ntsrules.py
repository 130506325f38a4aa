"""The rules between the settings of NTS, as in `configrules`: files that go together, algorithms, the cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator

from timeball.station.configuration.section import port_fits
from timeball.station.configuration.serving import NTS
from timeball.station.configuration.settings import Config

Found = Iterator[tuple[str, str]]
AEADS = (15, 30)
SERVER_PATTERN = "[!-~]{0,255}"


def nts(config: Config) -> Found:
    """Every rule of NTS that the configuration breaks."""
    yield from _addresses(config)
    yield from _offer(config.nts)
    yield from _cluster(config.nts)


def _addresses(config: Config) -> Found:
    seen = set(config.roughtime.listen) | {config.console.listen, config.metrics.listen}
    for index, address in enumerate(config.nts.listen):
        if not port_fits(address.rpartition(":")[2]):
            yield f"nts.listen[{index}]", f"{address!r} has no port between 1 and 65535"
        if address in seen:
            yield f"nts.listen[{index}]", f"{address!r} is in use twice"
        seen.add(address)
    for key in ("cluster_listen", "cluster_leader"):
        address = getattr(config.nts, key)
        if address and not port_fits(address.rpartition(":")[2]):
            yield f"nts.{key}", f"{address!r} has no port between 1 and 65535"
    if config.nts.cluster_listen in seen - {""}:
        yield "nts.cluster_listen", f"{config.nts.cluster_listen!r} is in use twice"


def _offer(settings: NTS) -> Found:
    for number in settings.aeads:
        if number not in AEADS:
            yield "nts.aeads", f"{number} is no algorithm served; these are 15 and 30"
    if len(set(settings.aeads)) < len(settings.aeads):
        yield "nts.aeads", "one is named twice"
    if bool(settings.certificate) != bool(settings.key):
        yield "nts.key" if settings.certificate else "nts.certificate", "is needed: a certificate goes with its key"
    if not re.fullmatch(SERVER_PATTERN, settings.server):
        yield "nts.server", f"{settings.server!r} is no name or address in ASCII"


def _cluster(settings: NTS) -> Found:
    if not settings.cluster_listen and not settings.cluster_leader:
        return
    if settings.cluster_listen and settings.cluster_leader:
        yield (
            "nts.cluster_leader",
            "one server makes the keys: write cluster_listen there, cluster_leader on the others",
        )
    for key in ("cluster_certificate", "cluster_key", "cluster_ca"):
        if not getattr(settings, key):
            yield f"nts.{key}", "is needed: both sides of the cluster show certificates"
    if settings.cluster_listen and not settings.cluster_peers:
        yield "nts.cluster_peers", "is needed: without a name nobody may fetch the keys"
    if not settings.listen:
        yield "nts.listen", "is needed: the key exchange keeps the cluster's keys"
