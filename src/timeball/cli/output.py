"""What every subcommand prints with: exit codes, JSON, numbers with units, plain tables.

It knows no room: an error of a room is recognised by the name of its class, because `timeball --help` must import none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any

import click


class ExitCode(IntEnum):
    """What the shell gets."""

    FINE = 0
    USAGE = 1
    CANNOT_REACH = 2
    OUT_OF_LIMITS = 3
    EVIDENCE_FAILED = 4
    INTERRUPTED = 130


class CommandError(click.ClickException):
    """The command cannot do what was asked: wrong file, wrong option, too little data."""

    exit_code = ExitCode.USAGE


class CannotReachError(CommandError):
    """A station, server or process did not answer."""

    exit_code = ExitCode.CANNOT_REACH


class OutOfLimitsError(CommandError):
    """A number is outside what was asked for or what is allowed."""

    exit_code = ExitCode.OUT_OF_LIMITS


class EvidenceFailedError(CommandError):
    """Evidence did not verify: a signature, a proof, a digest, a replay."""

    exit_code = ExitCode.EVIDENCE_FAILED


# Class names anywhere among an error's bases, the most telling first.
_CODES_BY_NAME = {
    "VerificationError": ExitCode.EVIDENCE_FAILED,
    "WitnessesSilentError": ExitCode.CANNOT_REACH,
    "RestoreError": ExitCode.USAGE,
    "LedgerError": ExitCode.EVIDENCE_FAILED,
    "KeyFileError": ExitCode.USAGE,
    "CertificateError": ExitCode.USAGE,
    "ServerListError": ExitCode.USAGE,
    "RoughtimeError": ExitCode.EVIDENCE_FAILED,
    "ReplayError": ExitCode.EVIDENCE_FAILED,
    "RecorderUnavailable": ExitCode.CANNOT_REACH,
    "LedgerFull": ExitCode.OUT_OF_LIMITS,
    "ConnectionError": ExitCode.CANNOT_REACH,
    "TimeoutError": ExitCode.CANNOT_REACH,
    "ConfigError": ExitCode.USAGE,
    "FormatError": ExitCode.USAGE,
    "StabilityError": ExitCode.USAGE,
    "TransferError": ExitCode.USAGE,
    "EnsembleError": ExitCode.USAGE,
    "PredictionError": ExitCode.USAGE,
    "AnomalyError": ExitCode.USAGE,
    "ReportError": ExitCode.USAGE,
    "OSError": ExitCode.USAGE,
}


def exit_code_of(error: BaseException) -> int | None:
    """Give the exit code of a room's typed error, or None for one that nobody has named (a bug of ours)."""
    names = {base.__name__ for base in type(error).__mro__}
    for name, code in _CODES_BY_NAME.items():
        if name in names:
            return code
    return None


def print_json(document: object) -> None:
    """Print one JSON document: SI units, NaN and infinities as null (JSON has no other word for "unknown")."""
    import json

    click.echo(json.dumps(_plain(document), indent=2, ensure_ascii=False, allow_nan=False))


def print_documents(documents: Sequence[object]) -> None:
    """Print the documents of several records: the document itself when there is one, else a list."""
    print_json(documents[0] if len(documents) == 1 else documents)


def _plain(value: Any) -> Any:
    """Turn numpy scalars and arrays, mappings and sequences into what json can write."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


_TIME_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"), (1e-12, "ps"), (1e-15, "fs"))


def format_seconds(seconds: float, digits: int = 4) -> str:
    """Write a time for people: 1.3e-8 → `13 ns`, with `digits` significant digits; NaN → `?`."""
    if not math.isfinite(seconds):
        return "?"
    if seconds == 0 or abs(seconds) >= 10**digits:
        return f"{seconds:.0f} s"
    for scale, unit in _TIME_UNITS:
        # compared after rounding, so that 0.99999 ns is written 1 ns and not 1000 ps
        if float(f"{abs(seconds) / scale:.{digits}g}") >= 1:
            return f"{seconds / scale:.{digits}g} {unit}"
    return f"{seconds:.{digits}g} s"


def format_duration(seconds: float) -> str:
    """A time that may be long, for people: days, hours or minutes from two of them on."""
    for scale, name in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if abs(seconds) >= 2 * scale:
            return f"{seconds / scale:.3g} {name}"
    return format_seconds(seconds, 3)


def format_tau(tau_s: float) -> str:
    """Write an averaging time in seconds, without an exponent where it reads well."""
    return f"{tau_s:g}" if 1e-3 <= tau_s < 1e6 else f"{tau_s:.6g}"


def format_table(headers: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Lay out a plain table: the first `left` columns aligned left, the others right; no frame, fit for a pipe."""
    table = [list(headers), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(headers))]
    lines = []
    for row in table:
        cells = [
            cell.ljust(w) if i < left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
