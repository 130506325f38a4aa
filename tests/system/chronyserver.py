"""A chronyd that serves this host's own time on loopback: NTP, interleaved NTP, symmetric keys and NTS."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from authority import Authority
from bench.ntp_servers import answers, free_port

from clients import needs_root, program

KEY = "HEX:000102030405060708090A0B0C0D0E0F"
KEYS = f"7 AES128 {KEY}\n9 AES256 HEX:{'AB' * 32}\n"


@dataclass(frozen=True)
class ChronyServer:
    """A running chronyd: its NTP port, the port of its key exchange, its authority, and a file of its keys."""

    port: int
    exchange: int
    authority: Authority
    keys: Path
    process: subprocess.Popen[bytes]


@contextmanager
def chrony_server(folder: Path, *lines: str) -> Iterator[ChronyServer]:
    """chronyd on all addresses of 127.0.0.0/8, so that a test may take it for many servers."""
    needs_root()
    folder.mkdir(mode=0o700)
    authority = Authority(folder)
    port, exchange = free_port(), free_port()
    keys = folder / "keys"
    keys.write_text(KEYS)
    conf = [f"port {port}", "allow 127.0.0.0/8", "local stratum 1", "cmdport 0", f"bindcmdaddress {folder}/sock"]
    conf += [f"pidfile {folder}/pid", f"keyfile {keys}", f"ntsport {exchange}", "ntsprocesses 1"]
    conf += [f"ntsservercert {authority.certificate}", f"ntsserverkey {authority.key}", f"ntsdumpdir {folder}", *lines]
    (folder / "conf").write_text("\n".join(conf) + "\n")
    log = folder / "log"
    with log.open("wb") as out:
        command = [program("chronyd"), "-x", "-d", "-u", "root", "-f", str(folder / "conf")]
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 20
        while not (answers(port) and _listens(exchange)):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield ChronyServer(port, exchange, authority, keys, process)
    finally:
        process.terminate()
        process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
