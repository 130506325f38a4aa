"""`timeball verify`: a state folder, a bare tiled log of anybody, or a proof of served time, verified offline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from timeball.cli.output import CannotReachError, CommandError, EvidenceFailedError, print_json
from timeball.cli.progress import progress_bar


@click.command("verify")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--since",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="an older signed checkpoint that the log must extend",
)
@click.option("--key", "vkey", help="verifier key of the log (default: log.vkey in the folder)")
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="of a proof: the tlog-policy file that says who must have signed and cosigned",
)
@click.option(
    "--tsa-certificate",
    "certificates",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="of a proof: certificate of a time-stamp authority (PEM)",
)
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(
    path: Path,
    since: Path | None,
    vkey: str | None,
    policy: Path | None,
    certificates: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Verify PATH: a station's state folder, any folder in the layout of C2SP tlog-tiles, or a .tlog-proof file.

    Every byte the signed checkpoint covers is checked: entries, tiles of all levels, signature; in a state folder also
    payloads, sequence numbers, times and signed batches. Of a proof: checkpoint, paths, digests, signed batches, and
    the statement, which is made again. Exit code 4 and one sentence that says where, when not.
    """
    if path.is_file():
        from timeball.cli.verify_proof import run

        if since is not None:
            raise CommandError("--since is for a ledger, not for a proof")
        run(path, vkey, policy, certificates, as_json)
        return
    if policy is not None or certificates:
        raise CommandError("--policy and --tsa-certificate are for a proof, not for a ledger")
    _verify_ledger(path, since, vkey, as_json)


def _verify_ledger(path: Path, since: Path | None, vkey: str | None, as_json: bool) -> None:
    from timeball.ledger.errors import EvidenceError, LedgerError
    from timeball.station.recording.logfolder import LogFolder, describe, verify_folder

    folder = LogFolder.find(path)
    if folder is None:
        raise CannotReachError(f"{path}: no ledger here (neither ledger/checkpoint nor checkpoint)")
    try:
        with progress_bar("entries") as report_progress:
            report = verify_folder(folder, vkey, since, report_progress)
    except LedgerError as error:
        if as_json:
            where = {name: getattr(error, name, None) for name in ("file", "index", "offset")}
            reason = error.reason if isinstance(error, EvidenceError) else str(error)
            print_json({"ok": False, "path": str(path), **where, "reason": reason})
        raise EvidenceFailedError(f"{path}: evidence failed: {error}") from error
    document = describe(folder, report, vkey, since)
    if as_json:
        print_json({"ok": True, **document})
    else:
        for line in _sentences(document):
            click.echo(line)


def _sentences(document: dict[str, object]) -> Iterator[str]:
    yield f"verified: {document['size']} entries of {document['origin']} are under the signed head"
    yield f"  root        {document['root']}"
    yield f"  key         {document['key']}"
    if document["key_source"] == "folder":
        yield "              (taken from the folder itself; give --key to hold it against one you know)"
    yield f"  files       {document['files']} of the tree, {document['bytes']} bytes"
    if document["since"] is not None:
        yield f"  since       extends the earlier head of {document['since']} entries"
    types = document["types"]
    if not isinstance(types, dict):
        yield "  contents    foreign entries: tree only"
        return
    yield "  entries     " + ", ".join(f"{count} {name}" for name, count in types.items())
    if not document["payloads"]:
        yield "  payloads    not here: digests not checked"
        return
    withheld = f", {document['withheld']} withheld from whoever fetched this copy" if document["withheld"] else ""
    yield f"  payloads    {document['payload_bytes']} bytes match their digests, {document['erased']} erased{withheld}"
    unnamed = document["unattested_batches"]
    yield f"  batches     {document['batches']} signatures verify, {unnamed} of them by keys the log does not name"
