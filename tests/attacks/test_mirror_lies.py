"""A log that lies to its mirror: flipped bits, forks, rollbacks, withheld proof. The mirror keeps what it had.

Each attack is one lie of a server over an honest ledger; its control is the same server without the lie.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from served import Alter, contents, files_served, published

from timeball.cli import root
from timeball.ledger import canonical
from timeball.ledger.checkpoint import open_checkpoint
from timeball.ledger.cosignature import add_cosignatures, cosign, make_cosigner
from timeball.ledger.errors import EvidenceError
from timeball.ledger.log import TiledLog
from timeball.ledger.note import parse_note, parse_vkey
from timeball.ledger.policy import Policy, parse_policy
from timeball.station.publishing.attested import Trust
from timeball.station.publishing.errors import HeadContradiction
from timeball.station.publishing.mirror import Mirror
from timeball.station.publishing.mirrorfiles import MAX_EVIDENCE, MirrorFiles
from timeball.station.publishing.source import Source
from timeball.station.recording.store import NewEntry, Store

FIRST, THEN = 300, 700


def grow(state: Path, count: int, word: str = "honest") -> Path:
    """Append readings up to `count` in all."""
    with Store(state) as store:
        size = store.next_seq("collector") - 1
        made = [
            NewEntry("collector", n, "readings", 1, canonical.encode({"n": n, "word": word}))
            for n in range(size + 1, count + 1)
        ]
        store.append_many(made, 5)
        store.integrate()
    return state


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Folders as served: of FIRST entries, of THEN entries; and the state folder itself at FIRST."""
    folder = tmp_path_factory.mktemp("honest")
    state = grow(folder / "state", FIRST)
    first = published(state, folder / "first")
    kept = shutil.copytree(state, folder / "kept")
    then = published(grow(state, THEN), folder / "then")
    return first, then, kept


@pytest.fixture
def mirror(honest: tuple[Path, Path, Path], tmp_path: Path) -> Path:
    """A mirror that holds the first head."""
    with files_served(honest[0]) as url:
        Mirror(Source(url), tmp_path / "mirror").update()
    return tmp_path / "mirror"


def flipped(name: str) -> Alter:
    def alter(path: str, data: bytes) -> bytes:
        if path != name:
            return data
        at = len(data) // 2
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    return alter


LIES = [
    "checkpoint",
    "tile/0/001",
    "tile/0/002.p/188",
    "tile/1/000.p/2",
    "tile/entries/001",
    "tile/entries/002.p/188",
    "payloads/001",
    "payloads/002",
]


@pytest.mark.parametrize("name", LIES)
def test_a_flipped_bit_is_refused_and_nothing_of_it_is_kept(
    honest: tuple[Path, Path, Path], mirror: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (mirror / "ledger/checkpoint").read_bytes()
    assert (honest[1] / name).exists()
    with files_served(honest[1], flipped(name)) as url:
        assert root.run(["ledger", "mirror", url, str(mirror)]) == 4
    # which tile of the right edge it was, nobody can say: they lead to the root together
    assert (name if "." not in name or "entries" in name else "tile: the tiles do not") in capsys.readouterr().err
    assert (mirror / "ledger/checkpoint").read_bytes() == before
    assert not (mirror / "evidence").exists(), "bytes that nobody signed are no evidence against the log"
    assert root.run(["verify", str(mirror)]) == 0
    # what is kept is the log's own, byte for byte
    for path, data in contents(mirror).items():
        of = path.removeprefix("ledger/")
        assert data in ((honest[0] / of).read_bytes() if (honest[0] / of).exists() else b"", _then(honest[1] / of)), (
            path
        )
    with files_served(honest[1]) as url:
        assert root.run(["ledger", "mirror", url, str(mirror)]) == 0
    assert contents(mirror / "payloads") == contents(honest[1] / "payloads")
    assert root.run(["verify", str(mirror)]) == 0


def _then(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def fork_of(honest: tuple[Path, Path, Path], folder: Path, size: int) -> Path:
    """What the log's owner can make with its key: another history of `size` entries after 200 of the true one."""
    forged = folder / "forged"
    (forged / "keys").mkdir(parents=True)
    shutil.copy(honest[2] / "keys/log.key", forged / "keys/log.key")
    grow(forged, 200)
    return published(grow(forged, size, "forged"), folder / "served")


@pytest.mark.parametrize("size", [250, FIRST, 301, 512, THEN])
def test_a_fork_is_refused_and_kept_as_evidence(
    honest: tuple[Path, Path, Path], mirror: Path, tmp_path: Path, size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(mirror)
    with files_served(fork_of(honest, tmp_path / "fork", size)) as url:
        for _ in range(2):
            assert root.run(["ledger", "mirror", url, str(mirror)]) == 4
            words = capsys.readouterr().err
            assert f"signed a head of {size} entries that contradicts its head of {FIRST} entries" in words
    assert {path: data for path, data in contents(mirror).items() if not path.startswith("evidence/")} == before
    [evidence] = (mirror / "evidence").iterdir()
    # the evidence convicts by itself: two heads under one key that cannot both be true
    key = parse_vkey((evidence / "log.vkey").read_text())
    held = open_checkpoint((evidence / "held").read_bytes(), key)
    served = open_checkpoint((evidence / "served").read_bytes(), key)
    assert (held.size, served.size) == (FIRST, size)
    if size > FIRST:
        log = TiledLog(lambda path: (evidence / path).read_bytes() if (evidence / path).exists() else None, size)
        assert log.root() == served.root


def test_another_history_whose_tiles_are_held_back_is_not_taken_either(
    honest: tuple[Path, Path, Path], mirror: Path, tmp_path: Path
) -> None:
    served = fork_of(honest, tmp_path / "fork", THEN)
    without = files_served(served, lambda path, data: None if path.startswith("tile/0") else data)
    with without as url, pytest.raises(EvidenceError):
        Mirror(Source(url), mirror).update()
    assert root.run(["verify", str(mirror)]) == 0
    assert Mirror(Source("http://127.0.0.1:1"), mirror).head is not None


def test_a_head_of_another_key_is_nobodys(honest: tuple[Path, Path, Path], mirror: Path, tmp_path: Path) -> None:
    stranger = published(grow(tmp_path / "stranger", THEN), tmp_path / "served")
    with files_served(stranger) as url:
        assert root.run(["ledger", "mirror", url, str(mirror)]) == 4
        own = (honest[0] / "log.vkey").read_text().strip()
        assert root.run(["ledger", "mirror", url, str(tmp_path / "fresh"), "--key", own]) == 4
        other = (stranger / "log.vkey").read_text().strip()
        assert root.run(["ledger", "mirror", url, str(mirror), "--key", other]) == 4, "one folder, one log"
        assert root.run(["ledger", "mirror", url, str(tmp_path / "other"), "--key", other]) == 0
    assert not (tmp_path / "fresh" / "ledger").exists()


def test_an_older_head_is_told_and_is_not_taken(
    honest: tuple[Path, Path, Path], mirror: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with files_served(honest[1]) as url:
        Mirror(Source(url), mirror).update()
    with files_served(honest[0]) as url:
        assert root.run(["ledger", "mirror", url, str(mirror), "--json"]) == 3
    shown = capsys.readouterr()
    assert json.loads(shown.out)["size"] == THEN
    assert f"older head of {FIRST} entries" in shown.err
    assert not (mirror / "evidence").exists()


def test_a_policy_wants_its_quorum(honest: tuple[Path, Path, Path], tmp_path: Path) -> None:
    witness = make_cosigner("witness.example.org/w1", bytes(range(32)))
    log = (honest[0] / "log.vkey").read_text().strip()
    policy = tmp_path / "policy"
    policy.write_text(f"log {log}\nwitness w1 {witness.verifier.vkey}\nquorum w1\n")
    moment = int(time.time())

    def cosigned(path: str, data: bytes) -> bytes:
        if path != "checkpoint":
            return data
        return add_cosignatures(data, [cosign(parse_note(data).text, witness, moment)])

    arguments = [str(tmp_path / "mirror"), "--policy", str(policy)]
    with files_served(honest[0]) as url:
        assert root.run(["ledger", "mirror", url, *arguments]) == 4
    with files_served(honest[0], cosigned) as url:
        assert root.run(["ledger", "mirror", url, *arguments]) == 0
        assert Mirror(Source(url), tmp_path / "again", Trust(parse_vkey(log))).update().times == {}


def test_what_was_once_given_stays(honest: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """The server withholds later what it gave before: the part of the last bundle that the mirror has stays."""
    with files_served(honest[0]) as url:
        Mirror(Source(url), tmp_path / "mirror").update()
    with files_served(honest[1], lambda path, data: None if path.startswith("payloads") else data) as url:
        update = Mirror(Source(url), tmp_path / "mirror").update()
    assert update.withheld == THEN - FIRST
    held = (tmp_path / "mirror/payloads/001").read_bytes()
    assert held.startswith((honest[0] / "payloads/001").read_bytes())
    assert root.run(["verify", str(tmp_path / "mirror")]) == 0


def test_contradiction_is_its_own_error(honest: tuple[Path, Path, Path], mirror: Path, tmp_path: Path) -> None:
    make: Callable[[int], Path] = lambda size: fork_of(honest, tmp_path / f"fork{size}", size)  # noqa: E731
    with files_served(make(THEN)) as url, pytest.raises(HeadContradiction) as caught:
        Mirror(Source(url), mirror).update()
    assert caught.value.evidence.is_dir()


def test_a_head_of_another_log_of_the_policy_convicts_nobody(honest: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """The server shows one log and then another, both known: it lies, and neither log has contradicted itself."""
    other = published(grow(tmp_path / "other", THEN), tmp_path / "other-served")
    logs = [
        parse_policy(f"log {(each / 'log.vkey').read_text().strip()}\nquorum none\n") for each in (honest[0], other)
    ]
    policy = Policy(tuple(log for each in logs for log in each.logs), {}, {})
    shown = shutil.copytree(honest[0], tmp_path / "shown")
    with files_served(shown) as url:
        mirror = Mirror(Source(url), tmp_path / "mirror", Trust(None, policy))
        mirror.update()
        shutil.rmtree(shown)
        other.rename(shown)
        for each in (mirror, Mirror(Source(url), tmp_path / "mirror", Trust(None, policy))):
            with pytest.raises(EvidenceError, match="it is a head of the log of"):
                each.update()
    assert not (tmp_path / "mirror/evidence").exists()


def test_a_key_beside_a_policy_that_names_no_log(honest: tuple[Path, Path, Path], tmp_path: Path) -> None:
    trust = Trust(parse_vkey((honest[0] / "log.vkey").read_text().strip()), parse_policy("quorum none\n"))
    with files_served(honest[0]) as url:
        for what in ("new", "same"):
            assert Mirror(Source(url), tmp_path / "mirror", trust).update().what == what


def test_evidence_is_bounded_and_completed(tmp_path: Path) -> None:
    files = MirrorFiles(tmp_path)
    files.keep_evidence("0", {"served": b"head"})
    folder = files.keep_evidence("0", {"served": b"another", "held": b"ours"})
    assert (folder / "served").read_bytes() == b"head", "what is kept is never written again"
    assert (folder / "held").read_bytes() == b"ours", "what a crash left out is added"
    for number in range(2 * MAX_EVIDENCE):
        files.keep_evidence(str(number), {"served": b"head", "held": b"ours"})
    assert len(list((tmp_path / "evidence").iterdir())) == MAX_EVIDENCE
