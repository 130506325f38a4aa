"""The settings of what answers the public: NTP, NTS and its key exchange, Roughtime, metrics.

The words alone, as in `settings`. Addresses are host:port, [v6]:port; networks are written with their prefix length.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from timeball.station.configuration.section import Listen, MaybeListen, Network, NotNegative, Positive, Section

SMEAR_PATTERN = "^(linear|cosine)$"
LOOP_PATTERN = "^(auto|compiled|arrays)$"
REFUSAL_PATTERN = "^(silent|kiss)$"
SIGNING_LOOP_PATTERN = "^(auto|compiled|plain)$"
PATTERNS = {
    SMEAR_PATTERN: "linear or cosine",
    LOOP_PATTERN: "auto, compiled or arrays",
    REFUSAL_PATTERN: "silent or kiss",
    SIGNING_LOOP_PATTERN: "auto, compiled or plain",
}
Networks = tuple[Network, ...]


class NTP(Section, frozen=True, kw_only=True):
    """The NTP server."""

    listen: Annotated[tuple[Listen, ...], Meta(min_length=1, description="addresses host:port served over UDP")] = (
        "127.0.0.1:11123",
    )
    smeared: Annotated[
        tuple[Listen, ...], Meta(description="further addresses, on which leap seconds are smeared, never announced")
    ] = ()
    smear: Annotated[str, Meta(pattern=SMEAR_PATTERN, description="shape of the smear: linear or cosine")] = "cosine"
    smear_s: Annotated[
        float, Meta(ge=1000, le=86400, description="length of the smear, its middle at the leap second")
    ] = 86400.0
    threads: Annotated[int, Meta(ge=1, le=64, description="loops an address, each on a socket of its own")] = 1
    loop: Annotated[
        str, Meta(pattern=LOOP_PATTERN, description="auto, compiled or arrays (numpy alone, where numba is missing)")
    ] = "auto"
    user: Annotated[
        str, Meta(description="who the servers become when they were started by root; empty = nobody else")
    ] = ""
    interleaved: Annotated[bool, Meta(description="answer clients that ask for interleaved mode in it")] = True
    version5: Annotated[bool, Meta(description="answer NTPv5 of the draft that docs/ntp.md names")] = False
    keys: Annotated[str, Meta(description="file of symmetric keys, lines `id AES128 HEX:...`; empty = none")] = ""
    allow: Annotated[Networks, Meta(description="networks that are answered; empty = all")] = ()
    deny: Annotated[Networks, Meta(description="networks that are not; the longest prefix that fits decides")] = ()
    refusal: Annotated[
        str, Meta(pattern=REFUSAL_PATTERN, description="what the refused get: silent, or a kiss of death (DENY, RSTR)")
    ] = "silent"
    nts_only: Annotated[Networks, Meta(description="networks that are answered over NTS alone")] = ()
    source_rate: Annotated[NotNegative, Meta(description="requests a second of one address; 0 = no limit")] = 0.0
    source_burst: Annotated[float, Meta(ge=1, le=10000, description="requests at once of one address")] = 16.0
    prefix_rate: Annotated[
        NotNegative, Meta(description="requests a second of one network, IPv4 /24 and IPv6 /48; 0 = no limit")
    ] = 0.0
    prefix_burst: Annotated[float, Meta(ge=1, le=1000000, description="requests at once of one network")] = 256.0
    kiss_every: Annotated[
        int, Meta(ge=0, description="one of so many limited requests gets a kiss of death RATE; 0 = none")
    ] = 4
    sources: Annotated[
        int, Meta(ge=1024, le=2**22, description="addresses remembered for limits and `timeball clients`")
    ] = 65536


class NTS(Section, frozen=True, kw_only=True):
    """Network time security: the key exchange, and the keys of the cookies."""

    listen: Annotated[
        tuple[Listen, ...], Meta(description="addresses of the key exchange over TCP; empty = no NTS")
    ] = ()
    certificate: Annotated[
        str, Meta(description="PEM file of the certificate and its chain; empty = one of the station's own making")
    ] = ""
    key: Annotated[str, Meta(description="PEM file of the certificate's key; empty = as above")] = ""
    processes: Annotated[int, Meta(ge=1, le=64, description="processes that shake hands")] = 1
    aeads: Annotated[
        tuple[int, ...], Meta(min_length=1, description="AEAD algorithms offered, the preferred first: 15 and 30")
    ] = (15, 30)
    server: Annotated[str, Meta(description="NTP server named to clients; empty = the same host")] = ""
    port: Annotated[int, Meta(ge=0, le=65535, description="NTP port named to clients; 0 = that of ntp.listen[0]")] = 0
    rotate_s: Annotated[Positive, Meta(description="time between two new keys of the cookies")] = 86400.0
    kept: Annotated[int, Meta(ge=1, le=6, description="older keys whose cookies are still taken")] = 6
    handshake_s: Annotated[
        float, Meta(ge=0.5, le=60, description="a connection that has not finished by then is closed")
    ] = 5.0
    connections: Annotated[int, Meta(ge=1, le=65536, description="connections at once a process")] = 1024
    prefix_connections: Annotated[
        int,
        Meta(ge=0, le=65536, description="of these of one network, IPv4 /24 and IPv6 /48, a process; 0 = no limit"),
    ] = 128
    prefix_rate: Annotated[
        NotNegative, Meta(description="new connections a second of one network, a process; 0 = no limit")
    ] = 0.0
    prefix_burst: Annotated[float, Meta(ge=1, le=1000000, description="new connections at once of one network")] = 256.0
    cluster_listen: Annotated[MaybeListen, Meta(description="address on which the other servers fetch the keys")] = ""
    cluster_leader: Annotated[
        MaybeListen, Meta(description="address of the server that makes the keys; empty = this one")
    ] = ""
    cluster_certificate: Annotated[str, Meta(description="PEM file of this server's certificate in the cluster")] = ""
    cluster_key: Annotated[str, Meta(description="PEM file of its key")] = ""
    cluster_ca: Annotated[str, Meta(description="PEM file of the authority of the cluster's certificates")] = ""
    cluster_peers: Annotated[
        tuple[str, ...], Meta(description="names in the certificates of the servers that may fetch the keys")
    ] = ()


class Roughtime(Section, frozen=True, kw_only=True):
    """The Roughtime server."""

    listen: Annotated[tuple[Listen, ...], Meta(description="addresses served over UDP and TCP; empty = none")] = ()
    versions: Annotated[tuple[str, ...], Meta(min_length=1, description="versions spoken, the preferred first")] = (
        "1",
        "0x8000000c",
    )
    delegation: Annotated[
        str, Meta(description="file that delegates to an online key, made offline; empty = by a long-term key here")
    ] = ""
    delegate_s: Annotated[
        float, Meta(ge=3600, le=31536000, description="life of an online key where the long-term key is here")
    ] = 86400.0
    batch: Annotated[int, Meta(ge=1, le=1024, description="most requests under one signature")] = 128
    loop: Annotated[
        str,
        Meta(
            pattern=SIGNING_LOOP_PATTERN, description="auto, compiled or plain (Python alone, where numba is missing)"
        ),
    ] = "auto"
    grease: Annotated[float, Meta(ge=0, le=0.1, description="fraction of replies made wrong on purpose")] = 0.0
    tcp_idle_s: Annotated[
        float, Meta(ge=0.5, le=60, description="a TCP connection without a request for so long is closed")
    ] = 5.0


class Metrics(Section, frozen=True, kw_only=True):
    """The exporter of metrics for Prometheus."""

    listen: Annotated[MaybeListen, Meta(description="address of the exporter over HTTP; empty = none")] = ""
