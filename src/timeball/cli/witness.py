"""`timeball witness`: cosign the heads of other logs over HTTP, and never two that contradict each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timeball.cli.output import CannotReachError, CommandError

if TYPE_CHECKING:
    from timeball.ledger.cosignature import Cosigner
    from timeball.ledger.cosigned import Kind
    from timeball.ledger.note import NoteKey
    from timeball.station.witnessing.daemon import Part

    MakePart = Callable[[], Part]

DEFAULT_LISTEN = "127.0.0.1:8477"
KINDS: dict[str, tuple[Kind, ...]] = {
    "ed25519": ("ed25519",),
    "ml-dsa-44": ("ml-dsa-44",),
    "both": ("ed25519", "ml-dsa-44"),
}


@click.command("witness")
@click.option("--state", type=click.Path(path_type=Path), required=True, help="The witness's own folder: keys, heads.")
@click.option("--listen", default=DEFAULT_LISTEN, show_default=True, metavar="HOST:PORT", help="Where it answers.")
@click.option("--name", metavar="NAME", help="Name of its keys, such as witness.example/w1; for the first use.")
@click.option("--kind", type=click.Choice(list(KINDS)), help="Kind of keys, for the first use; default: ed25519.")
@click.option("--log", "vkeys", multiple=True, metavar="VKEY", help="A log whose heads it cosigns; repeatable.")
@click.option("--policy", type=click.Path(path_type=Path), help="Also the logs of a tlog-policy file.")
@click.option("--audit", is_flag=True, help="Also recompute what the policy's logs decided, and publish what it found.")
@click.option("--audit-token-file", type=click.Path(path_type=Path), help="Token to read private payloads with.")
@click.option("--keys", "keys_only", is_flag=True, help="Print the verifier keys, made if need be, and end.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object an event, one a line.")
def command(
    state: Path,
    listen: str,
    name: str | None,
    kind: str | None,
    vkeys: tuple[str, ...],
    policy: Path | None,
    audit: bool,
    audit_token_file: Path | None,
    keys_only: bool,
    as_json: bool,
) -> None:
    """Run a witness: cosign each new head of the logs it knows, if it extends the head it has cosigned before.

    It speaks C2SP tlog-witness, needs no station, and belongs on another host than the logs it watches.
    """
    cosigners = _cosigners(state, name, kind)
    keys = [cosigner.verifier.vkey for cosigner in cosigners]
    if keys_only:
        _tell({"event": "keys", "keys": keys}, keys, as_json)
        return
    logs = _logs(vkeys, policy)
    parts = _audit(state.absolute(), policy, audit_token_file, cosigners) if audit else []
    _run(state.absolute(), listen, cosigners, logs, parts, as_json)


def _run(
    state: Path, listen: str, cosigners: list[Cosigner], logs: list[NoteKey], parts: list[MakePart], as_json: bool
) -> None:
    from timeball.station.supervision.process import start_log
    from timeball.station.web import listen_on
    from timeball.station.witnessing.daemon import open_heads, serve

    start_log("witness")
    try:
        with open_heads(state, logs, cosigners) as heads:
            try:
                listener = listen_on(listen)
            except OSError as error:
                raise CannotReachError(f"cannot listen on {listen}: {error.strerror or error}") from error
            except ValueError as error:
                raise CommandError(f"--listen: {error}") from error
            host, port = listener.getsockname()[:2]
            url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            keys = [cosigner.verifier.vkey for cosigner in cosigners]
            words = [f"witness  {url}", *(f"key      {key}" for key in keys), *(f"log      {o}" for o in heads.origins)]
            _tell({"event": "listening", "url": url, "keys": keys, "logs": heads.origins}, words, as_json)
            serve(heads, listener, [make() for make in parts])
    except BlockingIOError as error:
        raise CannotReachError(f"another witness runs on {state}") from error


def _audit(state: Path, policy: Path | None, token_file: Path | None, cosigners: list[Cosigner]) -> list[MakePart]:
    """The audit, to be begun when the folder is this witness's alone."""
    from timeball.cli.ledger_mirror import read_token
    from timeball.ledger.policy import parse_policy
    from timeball.station.auditing.part import audit_part
    from timeball.station.recording.keys import load_or_create_key

    if policy is None:
        raise CommandError("--audit needs --policy FILE: the logs with their URLs stand there")
    rules = parse_policy(policy.read_bytes())
    if all(log.url is None for log in rules.logs):
        raise CommandError(f"--audit: no log of {policy} has a URL to follow it at")
    token = read_token(token_file, "--audit-token-file")

    def make() -> Part:
        signer = load_or_create_key(state, "auditor", f"{cosigners[0].name}/audit")
        return audit_part(state, rules, signer, token)

    return [make]


def _cosigners(state: Path, name: str | None, kind: str | None) -> list[Cosigner]:
    """The keys in the folder; at first use, or for another kind, new ones."""
    from timeball.ledger.errors import NoteError
    from timeball.station.witnessing.keys import load_cosigners, make_cosigners

    known = load_cosigners(state)
    names = {cosigner.name for cosigner in known}
    if name is not None and names - {name}:
        raise CommandError(f"--name: the keys in {state} are of {', '.join(sorted(names))}; a key keeps its name")
    if not known and name is None:
        raise CommandError(f"--name is needed at first use: {state} holds no keys yet")
    if known and kind is None:
        return known
    try:
        return make_cosigners(state, name or known[0].name, KINDS[kind or "ed25519"])
    except NoteError as error:
        raise CommandError(f"--name: {error}") from error


def _logs(vkeys: tuple[str, ...], policy: Path | None) -> list[NoteKey]:
    from timeball.ledger.cosignature import parse_log_vkey
    from timeball.ledger.errors import LedgerError
    from timeball.ledger.policy import parse_policy

    try:
        logs = [parse_log_vkey(text) for text in vkeys]
        if policy is not None:
            logs += [log.verifier for log in parse_policy(policy.read_bytes()).logs]
    except LedgerError as error:
        raise CommandError(str(error)) from error
    if not logs:
        raise CommandError("it would cosign nothing: name a log with --log VKEY or --policy FILE")
    return list(dict.fromkeys(logs))


def _tell(event: dict[str, Any], words: list[str], as_json: bool) -> None:
    import json
    import sys

    click.echo(json.dumps(event, ensure_ascii=False) if as_json else "\n".join(words))
    sys.stdout.flush()
