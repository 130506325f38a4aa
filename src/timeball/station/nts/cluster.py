"""Cookie keys for several servers of one name: one makes them, the others fetch them over TLS with certificates.

Both sides show a certificate of the cluster's own authority. The leader gives the keys to names it was told of, and to
nobody else; a follower asks the leader by its name. A connection carries one set of keys, in the form of the file, and
ends. No key leaves otherwise. With the leader away everybody goes on with what there is.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from timeball.station.configuration.serving import NTS
from timeball.station.nts.addresses import open_tcp_listener, split_address
from timeball.station.nts.keyfile import LARGEST_FILE, KeyFileError, KeySet, encode_key_set, parse_key_set

ALPN = "timeball-nts-keys/1"
PATIENCE_S = 5.0
AT_ONCE = 32
LOOK_S = 0.2
SAID_EVERY_S = 1.0
"""Strangers do not fill the log: so often at most it is told that one was refused. All are counted."""
log = logging.getLogger("keyexchange")


class ClusterError(Exception):
    """The leader cannot be reached, is not who it should be, or gives no keys; one sentence."""


def cluster_context(settings: NTS, *, leads: bool) -> ssl.SSLContext:
    """TLS 1.3 with certificates on both sides, all of the cluster's authority. Raises OSError (ssl.SSLError is one)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if leads else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(settings.cluster_ca)
    context.load_cert_chain(settings.cluster_certificate, settings.cluster_key)
    context.set_alpn_protocols([ALPN])
    if leads:
        context.num_tickets = 0
    return context


def peer_names(certificate: Any) -> set[str]:
    """The names and addresses of a certificate as `getpeercert` gives it."""
    return {value for kind, value in (certificate or {}).get("subjectAltName", ()) if kind in ("DNS", "IP Address")}


class Leader:
    """Gives `keys()` to the servers of the cluster, from a thread of its own; `served` and `refused` are counted.

    Certificates are read again for each connection, so that new ones count at once. When there are too many the oldest
    gives way: one that means it needs two round trips, one that was opened to hold a place needs for ever.
    """

    def __init__(self, settings: NTS, keys: Callable[[], KeySet | None]) -> None:
        self.served = self.refused = 0
        self._settings, self._keys = settings, keys
        self._allowed = frozenset(settings.cluster_peers)
        self._listener = open_tcp_listener(settings.cluster_listen, "nts.cluster_listen")
        self._listener.settimeout(LOOK_S)
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self._open: list[socket.socket] = []
        self._say_again = float("-inf")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cluster", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._stop.set()
        self._thread.join(2 * LOOK_S)
        self._listener.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                client, _address = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                self._stop.wait(LOOK_S)  # no descriptor is left, or it was gone before it was taken
                continue
            client.settimeout(PATIENCE_S)
            self._make_room()
            # another descriptor of the same connection: TLS takes the first away
            held = client.dup()
            self._open.append(held)
            threading.Thread(target=self._answer, args=(client, held), daemon=True).start()

    def _make_room(self) -> None:
        while not self._room.acquire(blocking=False):
            with suppress(OSError, IndexError):
                self._open[0].shutdown(socket.SHUT_RDWR)
            if self._room.acquire(timeout=LOOK_S):
                return

    def _answer(self, client: socket.socket, held: socket.socket) -> None:
        try:
            with client:
                self._give(client)
        except (OSError, ValueError) as error:
            self.refused += 1
            self._say(error)
        finally:
            self._open.remove(held)
            held.close()
            self._room.release()

    def _say(self, error: Exception) -> None:
        now = time.monotonic()
        if now >= self._say_again:
            self._say_again = now + SAID_EVERY_S
            log.warning("cluster: nothing given: %s", error)

    def _give(self, client: socket.socket) -> None:
        context = cluster_context(self._settings, leads=True)
        with context.wrap_socket(client, server_side=True) as stream:
            names = peer_names(stream.getpeercert())
            keys = self._keys()
            if not names & self._allowed:
                raise ValueError(f"{', '.join(sorted(names)) or 'a nameless certificate'} is not in nts.cluster_peers")
            if stream.selected_alpn_protocol() != ALPN or keys is None:
                raise ValueError("another protocol was asked for, or there are no keys yet")
            stream.sendall(encode_key_set(keys))
            with suppress(OSError):  # the other side may hang up first
                stream.unwrap()
        self.served += 1


def fetch_keys(settings: NTS) -> KeySet:
    """The leader's keys. Raises ClusterError, also when its certificate does not carry the name it is asked by."""
    host, port = split_address(settings.cluster_leader)
    try:
        context = cluster_context(settings, leads=False)
        with (
            socket.create_connection((host, port), PATIENCE_S) as client,
            context.wrap_socket(client, server_hostname=host, suppress_ragged_eofs=False) as stream,
        ):
            data = _read_all(stream)
        keys = parse_key_set(data)
    except (OSError, ValueError, KeyFileError) as error:
        raise ClusterError(f"no keys from the leader {settings.cluster_leader}: {error}") from error
    return KeySet(
        current=keys.current,
        used=keys.used,
        next=keys.next,
        announced=keys.announced,
        older=keys.older,
        source=settings.cluster_leader,
    )


def _read_all(stream: ssl.SSLSocket) -> bytes:
    """Everything up to the other side's goodbye: a cut connection raises instead of giving half."""
    data = bytearray()
    while len(data) <= LARGEST_FILE:
        piece = stream.recv(LARGEST_FILE)
        if not piece:
            break
        data += piece
    return bytes(data)
