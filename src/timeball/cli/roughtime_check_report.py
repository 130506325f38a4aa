"""`timeball roughtime check-report`: what a malfeasance report proves."""

from __future__ import annotations

from pathlib import Path

import click

from timeball.cli.output import print_json


@click.command("check-report")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--old-contexts", is_flag=True, help="take version 1 signed as in the drafts: reports before RFC 10049")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def command(file: Path, old_contexts: bool, as_json: bool) -> None:
    """Verify every signature and every link of the malfeasance report FILE, and say which replies contradict.

    Exit code 0 when the report proves that a server lied, 4 when it does not hold or proves nothing.

    \b
    timeball roughtime check-report lie.json
    """  # noqa: D301 (click wants the backspace itself)
    from timeball.cli.roughtime_words import utc, verified_document
    from timeball.protocols.roughtime.delegation import encode_base64
    from timeball.protocols.roughtime.reports import check_report

    finding = check_report(file.read_bytes(), old_contexts=old_contexts)
    keys = [encode_base64(key) for key in finding.public_keys]
    if as_json:
        rows = [{"public_key": key, **verified_document(one)} for key, one in zip(keys, finding.replies, strict=True)]
        print_json({"proves": True, "contradictions": [list(pair) for pair in finding.pairs], "replies": rows})
        return
    click.echo("The report holds: at least one of these servers signed a wrong time.")
    for number, (key, one) in enumerate(zip(keys, finding.replies, strict=True), start=1):
        click.echo(f"{number:3}  {utc(one.midpoint_s)} within {one.radius_s} s  {key}")
    for first, second in finding.pairs:
        click.echo(f"reply {second + 1} was made after reply {first + 1} and says it was earlier")
