"""What can be wrong with evidence: one type a kind, all under `LedgerError`. Messages say where and with what text."""

from __future__ import annotations


class LedgerError(Exception):
    """Bytes of a ledger that do not hold."""


class CanonicalError(LedgerError):
    """A value or bytes outside the canonical JSON of the ledger."""


class NoteError(LedgerError):
    """A signed note, a key text, or a signature that is malformed or does not verify."""


class UnverifiedNoteError(NoteError):
    """A well-formed note that carries no signature of a known key."""


class CheckpointError(LedgerError):
    """A checkpoint text that is malformed or of another origin."""


class ProofError(LedgerError):
    """An inclusion or consistency proof that does not lead to the root."""


class TileError(LedgerError):
    """A tile, a tile path, an entry bundle or a payload bundle that is malformed."""


class EntryError(LedgerError):
    """An envelope or a payload that does not follow the entry format."""


class BatchError(LedgerError):
    """A signed batch that is malformed or whose signature fails."""


class EvidenceError(LedgerError):
    """The log contradicts itself or its signed head.

    `file` is the path inside the log, `index` the entry (None when the file holds no single entry), `offset` the byte
    in that file where the contradiction begins (None when it cannot be narrowed down).
    """

    def __init__(self, file: str, reason: str, index: int | None = None, offset: int | None = None) -> None:
        self.file = file
        self.reason = reason
        self.index = index
        self.offset = offset
        where = file + ("" if index is None else f", entry {index}") + ("" if offset is None else f", byte {offset}")
        super().__init__(f"{where}: {reason}")


class PolicyError(LedgerError):
    """A trust policy that is malformed (with its line), or a checkpoint that is signed by none of its logs."""


class QuorumError(PolicyError):
    """A checkpoint with too few cosignatures for the policy's quorum; `missing` names witnesses that did not cosign."""

    def __init__(self, message: str, missing: tuple[str, ...]) -> None:
        self.missing = missing
        super().__init__(message)


class Refusal(LedgerError):
    """What a witness answers to a checkpoint that it does not cosign: HTTP `status`, `body`, `content_type`.

    `fork` says that the log itself signed two heads that cannot both be true: keep them both.
    """

    def __init__(self, status: int, body: str, content_type: str = "text/plain; charset=utf-8", fork: bool = False):
        self.status = status
        self.body = body
        self.content_type = content_type
        self.fork = fork
        super().__init__(f"{status}: {body.rstrip()}")
