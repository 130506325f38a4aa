"""From a backup, and a mirror where there is one, to a state folder that a recorder may go on from.

Everything is verified before anything is written. The witnesses are asked which head is the newest: a copy that does
not reach it is completed from a mirror or refused, and one that contradicts it is refused. What had been erased is
erased again. The new folder appears under its name only when it is whole; the recorder asks once more when it starts.
A mirror has no keys: they come from the backup, or from wherever the keys are kept.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from timeball.ledger.errors import NoteError
from timeball.ledger.note import Signer, parse_skey
from timeball.ledger.payload import Frame, erase_frames, parse_frame
from timeball.ledger.quorum import Policy
from timeball.ledger.tiles import WIDTH, index_path
from timeball.ledger.verify import Report
from timeball.station.keeping.asking import Answer, ask_witnesses, expect_no_fork, has_quorum
from timeball.station.keeping.backup import KEYS, copy_lasting
from timeball.station.keeping.copying import Progress, copy_ledger, root_at
from timeball.station.keeping.errors import RestoreError, WitnessesSilentError, WouldForkError
from timeball.station.keeping.guard import NEW_PLACE_TIMEOUT_S, Ask
from timeball.station.keeping.place import write_place
from timeball.station.recording.errors import StoreDamagedError
from timeball.station.recording.integration import PAYLOADS
from timeball.station.recording.journal import JOURNAL, scan_journal
from timeball.station.recording.keys import keep_secret, key_path
from timeball.station.recording.logfolder import LogFolder, verify_folder
from timeball.station.supervision.files import sync_folder, write_atomically


@dataclass
class Plan:
    """What to restore from: `keys` holds log.key (by default the source does), `mirror` what the source may lack."""

    source: Path
    keys: Path | None = None
    mirror: Path | None = None
    policy: Policy | None = None
    unwitnessed: bool = False
    ask: Ask = ask_witnesses


@dataclass
class Restored:
    """What was restored: entries in all, those from the mirror, and what the witnesses said.

    `erased` payloads were erased again; `withheld` ones the mirror was not given and the backup has not: they are lost.
    """

    size: int = 0
    from_mirror: int = 0
    erased: int = 0
    withheld: int = 0
    answers: list[Answer] = field(default_factory=list)


def restore(plan: Plan, state: Path, progress: Progress | None = None) -> Restored:
    """Make the state folder `state`; raises RestoreError, WouldForkError, WitnessesSilentError, EvidenceError."""
    if state.exists() and (not state.is_dir() or any(state.iterdir())):
        raise RestoreError(f"{state} is there already and not empty: a state folder is restored into a new one")
    signer = _signer(plan)
    report = _verified(plan.source, signer, progress)
    origin, done = plan.source, Restored(report.head.size)
    if plan.mirror is not None:
        mirrored = _verified(plan.mirror, signer, progress)
        small, large = sorted(((report, plan.source), (mirrored, plan.mirror)), key=lambda each: each[0].head.size)
        if root_at(large[1], small[0].head.size, large[0].head.size) != small[0].head.root:
            size = small[0].head.size
            words = f"{plan.source} and {plan.mirror} are two different ledgers within their first {size} entries"
            raise WouldForkError(str(plan.mirror), mirrored.head.size, report.head.size, words)
        if mirrored.head.size > report.head.size:
            report, origin = mirrored, plan.mirror
            done.from_mirror = mirrored.head.size - done.size
            done.size = mirrored.head.size
    done.answers = _ask(plan, signer, done.size, lambda size: root_at(origin, size, done.size))
    fresh = state.with_name(f"{state.name}.restoring")
    _copy(plan, fresh, origin, signer, progress)
    if origin != plan.source and report.contents and report.contents.withheld:
        done.withheld = fill_withheld(plan.source, fresh, done.size)
    done.erased = _erase_again(fresh, report)
    _finish(fresh, state, unwitnessed=plan.unwitnessed)
    return done


def _signer(plan: Plan) -> Signer:
    folder = plan.keys or plan.source / KEYS
    path = folder / "log.key"
    try:
        return parse_skey(path.read_text("ascii"))
    except FileNotFoundError as error:
        raise RestoreError(f"{path} is missing: without the log's key nothing can be signed on; give --keys") from error
    except (NoteError, UnicodeDecodeError) as error:
        raise RestoreError(f"{path}: {error}") from error


def _verified(folder: Path, signer: Signer, progress: Progress | None) -> Report:
    found = LogFolder.find(folder)
    if found is None or found.payloads is None:
        raise RestoreError(f"{folder}: no ledger with payloads here (no ledger/checkpoint)")
    theirs = found.key(None)
    if theirs != signer.verifier:
        raise RestoreError(f"{folder} is the log {theirs.vkey}, but the key at hand is {signer.verifier.vkey}")
    return verify_folder(found, signer.verifier.vkey, progress=progress)


def _ask(plan: Plan, signer: Signer, size: int, root: Callable[[int], bytes]) -> list[Answer]:
    if plan.policy is None:
        return []
    answers = plan.ask(plan.policy, signer.verifier, NEW_PLACE_TIMEOUT_S)
    expect_no_fork(answers, size, root)
    if not plan.unwitnessed and not has_quorum(plan.policy, answers):
        silent = "; ".join(f"{answer.witness}: {answer.words()}" for answer in answers if not answer.counts)
        raise WitnessesSilentError(
            f"too few witnesses say which head is the newest ({silent}); try again, or say --without-witnesses"
        )
    return answers


def _copy(plan: Plan, fresh: Path, origin: Path, signer: Signer, progress: Progress | None) -> None:
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir(mode=0o700, parents=True)
    head = copy_ledger(origin, fresh, signer.verifier, progress)
    copy_journal(origin, fresh, head.size)
    copy_lasting(plan.source, fresh)
    for path in sorted((plan.keys or plan.source / KEYS).glob("*.key")):
        keep_secret(key_path(fresh, path.stem), path.read_text("ascii").removesuffix("\n"))


def copy_journal(source: Path, target: Path, size: int) -> bool:
    """Take along what a stopped recorder had acknowledged beyond its head of `size` entries; false when nothing fits.

    A journal copied from a running station may begin beyond the head, or be torn: it is left, the backup ends before.
    """
    try:
        data = (source / JOURNAL).read_bytes()
        groups, _ = scan_journal(data)
    except (FileNotFoundError, StoreDamagedError):
        return False
    if not any(group.first == size for group in groups):
        return False
    write_atomically(target / JOURNAL, data, durable=True)
    return True


def _finish(fresh: Path, state: Path, *, unwitnessed: bool) -> None:
    if unwitnessed:
        write_place(fresh, unwitnessed=True)
    os.sync()
    if state.exists():
        state.rmdir()
    fresh.rename(state)
    sync_folder(state.parent)


def fill_withheld(source: Path, state: Path, size: int) -> int:
    """Put what a backup has in place of payloads that were withheld from a mirror; gives how many are still missing."""
    missing = 0
    for number in range((size + WIDTH - 1) // WIDTH):
        path = state / PAYLOADS / index_path(number)
        if path.exists():
            ours, theirs = list(_frames(path)), list(_frames(source / PAYLOADS / index_path(number)))
            for position, (frame, _) in enumerate(ours):
                if frame.withheld and position < len(theirs):
                    ours[position] = theirs[position]
            missing += sum(frame.withheld for frame, _ in ours)
            write_atomically(path, b"".join(data for _, data in ours))
    return missing


def _frames(path: Path) -> Iterator[tuple[Frame, bytes]]:
    """The frames of a payload bundle and their bytes; none where there is no such file."""
    data, offset = path.read_bytes() if path.exists() else b"", 0
    while offset < len(data):
        frame = parse_frame(data, offset)
        yield frame, data[offset : frame.end]
        offset = frame.end


def _erase_again(state: Path, report: Report) -> int:
    """A backup may be older than an erasure that the ledger, completed from a mirror, tells of."""
    contents = report.contents
    pending = sorted(contents.erasures - contents.erased) if contents else []
    for number in sorted({index // WIDTH for index in pending}):
        path = state / PAYLOADS / index_path(number)
        if path.exists():
            positions = [index % WIDTH for index in pending if index // WIDTH == number]
            write_atomically(path, erase_frames(path.read_bytes(), positions), durable=True)
    return len(pending)
