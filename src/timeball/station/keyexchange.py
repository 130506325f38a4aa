"""The key exchange of NTS, and the owner of the cookie keys: `python -m timeball.station.keyexchange --state DIR`.

Started only when `nts.listen` is set. It keeps the keys (or, in a cluster, fetches them), watches the certificate, and
tells its workers what to hand out; they do the handshakes. Keys are on the disk before anybody has them, and their
numbers are recorded. It knows nothing of time but what certificates and keys need, and claims nothing about it.
"""

from __future__ import annotations

import os
import pwd
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

from timeball.station.hosttime.hostclocks import boot_id, boottime_ns
from timeball.station.hosttime.realtime import station_leaps
from timeball.station.nts.addresses import open_tcp_listener, split_address
from timeball.station.nts.certificate import CertificateError
from timeball.station.nts.cluster import Leader
from timeball.station.nts.control import Orders
from timeball.station.nts.counting import Count
from timeball.station.nts.following import Follower
from timeball.station.nts.keeper import KeyKeeper
from timeball.station.nts.moments import Clock, age_s
from timeball.station.nts.rotation import rules_of
from timeball.station.nts.saying import KeySayer
from timeball.station.nts.secretfile import FOLDER_MODE, Owner
from timeball.station.nts.shown import ShownCertificate
from timeball.station.nts.workers import Workers
from timeball.station.page.clockpage import PageWriter
from timeball.station.page.keyexchangepage import KeyExchangePage, keyexchange_page
from timeball.station.serving.dropping import PASSABLE, let_group
from timeball.station.supervision.process import CannotStartError, Process, run_process

TURN_S = 0.2
CERTIFICATE_S = 1.0


class KeyExchange:
    """One station's key exchange: its parts, and what follows for the workers when one of them has changed."""

    def __init__(self, process: Process, listeners: list[socket.socket]) -> None:
        self.process, settings = process, process.config.nts
        self.started_ns, self._boot = boottime_ns(), boot_id()
        self.clock = Clock(process.state, station_leaps(process.config))
        rules, user = rules_of(settings), server_user(process)
        self.keeper = KeyKeeper(process.state, rules, self.clock, follows=bool(settings.cluster_leader), owner=user)
        self.follower = Follower(process, rules.fetch_s) if settings.cluster_leader else None
        self.leader = Leader(settings, lambda: self.keeper.keys) if settings.cluster_listen else None
        self.shown = ShownCertificate(settings, process.state)
        self.sayer = KeySayer(process)
        self.workers = Workers(settings, listeners, user)
        self._certificate_due = float("-inf")
        self._told = False

    def run(self) -> None:
        """Serve until told to stop."""
        writer = PageWriter(keyexchange_page(self.process.state), KeyExchangePage, plain=True)
        with ExitStack() as parts:
            parts.callback(writer.close)
            parts.callback(self.workers.stop)
            if self.leader is not None:
                self.leader.start()
                parts.callback(self.leader.stop)
            if self.follower is not None:
                self.follower.start()
            self.sayer.start()
            while True:
                self.turn()
                writer.write(self.page())
                if self.process.sleep(TURN_S):
                    break

    def turn(self) -> None:
        """Look at everything once."""
        changed = self._certificate_changed()
        fetched = None if self.follower is None else self.follower.take()
        keys_changed = self.keeper.turn() if fetched is None else self.keeper.take(fetched)
        if self.keeper.keys is not None and (keys_changed or not self._told):
            self.sayer.tell(self.keeper.keys, self.keeper.why or "found at the start")
            self._told = changed = True
        if changed and self.keeper.keys is not None:
            self.workers.order(self._orders())
        self.workers.turn()

    def page(self) -> KeyExchangePage:
        """The counters as they stand."""
        counts = {count.name.lower(): total for count, total in zip(Count, self.workers.totals(), strict=True)}
        keys, follower, leader, now = self.keeper.keys, self.follower, self.leader, self.clock.moment()
        expires_s = 0 if self.shown.current is None else int(self.shown.current.not_after.timestamp())
        return KeyExchangePage(
            boot_id=self._boot.words,
            pid=os.getpid(),
            started_boottime_ns=self.started_ns,
            updated_boottime_ns=boottime_ns(),
            **counts,
            certificate_expires_unix_s=expires_s,
            certificate_left_s=expires_s - int(now.unix_s) if expires_s else 0,
            certificates_taken=self.shown.taken,
            certificates_refused=self.shown.refused,
            key_id=0 if keys is None else keys.current.id,
            key_age_s=0 if keys is None else int(min(age_s(keys.used, now), 2.0**31)),
            keys=0 if keys is None else len(keys.ids()),
            key_changes=self.keeper.changes,
            key_failures=self.keeper.failures,
            cluster_served=0 if leader is None else leader.served,
            cluster_refused=0 if leader is None else leader.refused,
            cluster_fetched=0 if follower is None else follower.fetched,
            cluster_failures=0 if follower is None else follower.failures,
            cluster_age_s=-1 if follower is None else follower.age_s(),
            workers=self.workers.running(),
            worker_deaths=self.workers.deaths,
        )

    def _certificate_changed(self) -> bool:
        if time.monotonic() < self._certificate_due:
            return False
        self._certificate_due = time.monotonic() + CERTIFICATE_S
        try:
            return self.shown.turn(self.clock.utc())
        except CertificateError as error:
            raise CannotStartError(f"nts.certificate, nts.key: {error}") from error

    def _orders(self) -> Orders:
        settings, certificate, keys = self.process.config.nts, self.shown.current, self.keeper.keys
        assert certificate is not None
        assert keys is not None
        port = settings.port or split_address(self.process.config.ntp.listen[0])[1]
        return Orders(
            chain=certificate.chain,
            key=certificate.key,
            current=keys.current,
            aeads=settings.aeads,
            server=settings.server,
            port=port,
        )


def server_user(process: Process) -> Owner | None:
    """Who the NTP server and the workers become where root started the station; the keys' file is given to him.

    Raises CannotStartError for a user that does not exist.
    """
    name = process.config.ntp.user
    if not name or os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise CannotStartError(f"there is no user {name!r} to become; change ntp.user") from None
    folder = process.state / "nts"
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    let_group(folder, entry.pw_gid, PASSABLE)
    return entry.pw_uid, entry.pw_gid


def work(process: Process, opener: Callable[[str, str], socket.socket] = open_tcp_listener) -> None:
    """The process: the sockets first, so that what cannot be bound is told before anything else is done."""
    listeners = []
    for address in process.config.nts.listen:
        listener = opener(address, "nts.listen")
        listener.setblocking(False)
        # a connection is accepted when its first bytes are there: nobody holds a place in silence
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, int(process.config.nts.handshake_s) or 1)
        listeners.append(listener)
    process.log.info("exchanging keys on %s", ", ".join(process.config.nts.listen))
    KeyExchange(process, listeners).run()


if __name__ == "__main__":
    sys.exit(run_process("keyexchange", work))
