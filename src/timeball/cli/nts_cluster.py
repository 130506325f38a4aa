"""`timeball nts cluster`: an authority of the cluster's own, and a certificate for each of its servers."""

from __future__ import annotations

from pathlib import Path

import click

from timeball.cli.output import print_json

DAYS = 3650


@click.command("cluster", epilog="Example: timeball nts cluster ./cluster a.ntp.example b.ntp.example")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--days", type=click.IntRange(1, DAYS), default=DAYS, show_default=True, help="life of the certificates")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(folder: Path, names: tuple[str, ...], days: int, as_json: bool) -> None:
    """Write to FOLDER what servers need to share cookie keys: an authority, and NAME.pem and NAME.key for each server.

    The leader's NAME is the host that the others ask. An authority that is there already is used again, so that a
    server can be added. Bring each server its own two files and authority.pem; keep authority.key offline.
    """
    from datetime import UTC, datetime

    from timeball.station.nts.authority import Issued, issue_certificate, make_authority
    from timeball.station.nts.certificate import read_certificate
    from timeball.station.nts.secretfile import write_secret

    for name in names:
        if "/" in name or name in ("authority", ".", ".."):
            raise click.BadParameter(f"{name!r} cannot be a server's name")
    now = datetime.now(UTC)
    public, secret = folder / "authority.pem", folder / "authority.key"
    if secret.exists():
        found = read_certificate(public, secret)
        authority = Issued(found.chain, found.key)
    else:
        authority = make_authority("Timeball NTS cluster", now)
        write_secret(secret, authority.key)
        write_secret(public, authority.certificate)
    for name in names:
        issued = issue_certificate(authority, [name], now, days)
        write_secret(folder / f"{name}.key", issued.key)
        write_secret(folder / f"{name}.pem", issued.certificate)
    if as_json:
        print_json({"folder": str(folder), "authority": str(public), "names": list(names), "days": days})
    else:
        click.echo(f"wrote {', '.join(f'{name}.pem and {name}.key' for name in names)} to {folder}")
        click.echo(f"authority {public}; keep {secret} offline")
