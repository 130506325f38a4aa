"""The settings of what follows other servers: NTP and NTS sources of the ensemble, and the Khronos watchdog."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from timeball.station.configuration.section import Listen, Name, NotNegative, Positive, Section


class NTPInstrument(Section, frozen=True, kw_only=True, tag_field="kind", tag="ntp"):
    """Another server, asked over NTP or NTS: a link with bounds, x_server − x_host."""

    server: Annotated[Listen, Meta(description="host:port; with nts the port of the key exchange")]
    clock: Annotated[Name, Meta(description="name of the server's clock in the readings; weight zero")]
    host: Annotated[Name, Meta(description="name of the host counter that it is measured against")] = "HOST"
    nts: Annotated[bool, Meta(description="authenticated by NTS; without it anyone on the way can lie")] = False
    ca: Annotated[str, Meta(description="PEM file of authorities trusted for NTS; empty = the system's")] = ""
    interleaved: Annotated[bool, Meta(description="ask in interleaved mode, for the server's true send stamps")] = True
    poll_s: Annotated[float, Meta(ge=0.25, le=131072, description="time between two requests")] = 16.0
    burst: Annotated[int, Meta(ge=1, le=64, description="exchanges of which the one with the least delay counts")] = 4
    asymmetry_s: Annotated[
        Positive | None, Meta(description="most that the two ways may differ; none = the whole delay")
    ] = None


class Khronos(Section, frozen=True, kw_only=True):
    """The watchdog of RFC 9523: a random few of many servers, asked beside everything else."""

    servers: Annotated[tuple[Listen, ...], Meta(description="pool that is asked, host:port; empty = no watchdog")] = ()
    sample: Annotated[int, Meta(ge=3, le=1000, description="servers asked each time (m)")] = 15
    window_s: Annotated[Positive, Meta(description="w: the survivors agree within 2 w")] = 0.025
    error_s: Annotated[NotNegative, Meta(description="ERR: bound of our own clock's error between two looks")] = 0.005
    tries: Annotated[int, Meta(ge=1, le=16, description="K: samples tried before panic asks all")] = 3
    limit_s: Annotated[Positive, Meta(description="H: beyond so much from the watchdog it is an alarm")] = 0.030
    every_s: Annotated[float, Meta(ge=1, le=86400, description="time between two looks")] = 640.0
