"""Policy files and quorums: the grammar with its errors, line by line, and which cosignatures make a quorum."""

from __future__ import annotations

import itertools

import pytest

from timeball.ledger.checkpoint import Checkpoint, sign_checkpoint
from timeball.ledger.cosignature import add_cosignatures, cosign, make_cosigner
from timeball.ledger.errors import CheckpointError, LedgerError, NoteError, PolicyError, QuorumError
from timeball.ledger.merkle import hash_leaf
from timeball.ledger.note import make_signer, sign_note, write_signature
from timeball.ledger.policy import Policy, parse_policy, write_policy

LOG = make_signer("log.example/a", bytes(range(32)))
OTHER = make_signer("log.example/b", bytes(range(1, 33)))
HEAD = Checkpoint("log.example/a", 1, hash_leaf(b"x"))
NOTE = sign_checkpoint(HEAD, [LOG])
NAMES = ("X1", "X2", "X3", "Y1", "Y2", "Y3")
COSIGNERS = {
    name: make_cosigner(f"{name}.example", bytes([number]) * 32, "ml-dsa-44" if name == "X3" else "ed25519")
    for number, name in enumerate(NAMES, 1)
}
VKEYS = {name: cosigner.verifier.vkey for name, cosigner in COSIGNERS.items()}
# the example of the specification
EXAMPLE = f"""
# logs
log {LOG.verifier.vkey}

witness X1 {VKEYS["X1"]}
witness X2 {VKEYS["X2"]} https://x2.example/submit
  # an indented comment
witness X3 {VKEYS["X3"]}
group X-witnesses 2 X1 X2 X3

\twitness\tY1  {VKEYS["Y1"]}
witness Y2 {VKEYS["Y2"]}
witness Y3 {VKEYS["Y3"]}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def cosigned(*names: str, note: bytes = NOTE) -> bytes:
    return add_cosignatures(note, [cosign(HEAD.text, COSIGNERS[name], 1000 + NAMES.index(name)) for name in names])


def test_the_example_of_the_specification() -> None:
    policy = parse_policy(EXAMPLE)
    assert [log.verifier for log in policy.logs] == [LOG.verifier]
    assert list(policy.witnesses) == list(NAMES)
    assert policy.witnesses["X2"].url == "https://x2.example/submit"
    assert policy.witnesses["X1"].url is None
    assert [(each.name, each.threshold) for each in policy.groups.values()] == [
        ("X-witnesses", 2),
        ("Y-witnesses", 1),
        ("X-and-Y", 2),
    ]
    assert policy.quorum == "X-and-Y"


def test_every_set_of_witnesses() -> None:
    policy = parse_policy(EXAMPLE)
    for count in range(len(NAMES) + 1):
        for names in itertools.combinations(NAMES, count):
            enough = sum(name[0] == "X" for name in names) >= 2 and any(name[0] == "Y" for name in names)
            assert policy.satisfied(names) == enough, names
    assert not policy.satisfied({"X-and-Y", "X-witnesses", "Y-witnesses"})  # groups are no witnesses


def test_a_quorum_is_counted_from_signatures() -> None:
    policy = parse_policy(EXAMPLE)
    found = policy.check(cosigned("X1", "X3", "Y2"))
    assert (found.checkpoint, found.log) == (HEAD, LOG.verifier)
    assert found.times == {"X1": 1000, "X3": 1002, "Y2": 1004}


def test_who_is_missing_is_named() -> None:
    with pytest.raises(QuorumError, match=r"'X-and-Y': cosigned by X1, Y2; missing X2, X3, Y1, Y3") as caught:
        parse_policy(EXAMPLE).check(cosigned("X1", "Y2"))
    assert caught.value.missing == ("X2", "X3", "Y1", "Y3")
    with pytest.raises(QuorumError, match="cosigned by none"):
        parse_policy(EXAMPLE).check(NOTE)


def test_one_bad_cosignature_condemns_the_note_though_the_quorum_would_do_without() -> None:
    policy = parse_policy(EXAMPLE)
    note = cosigned("X1", "X2", "Y1")
    stranger = cosign(HEAD.text.replace("\n1\n", "\n2\n"), COSIGNERS["Y2"], 7)
    with pytest.raises(NoteError, match=r"invalid cosignature of key Y2\.example"):
        policy.check(add_cosignatures(note, [stranger]))


def test_cosigners_that_are_not_in_the_policy_do_not_count() -> None:
    policy = parse_policy(f"log {LOG.verifier.vkey}\nwitness X1 {VKEYS['X1']}\nquorum X1\n")
    with pytest.raises(QuorumError):
        policy.check(cosigned("X2", "Y1"))
    imposter = make_cosigner("X1.example", bytes(32))
    with pytest.raises(QuorumError):
        policy.check(add_cosignatures(NOTE, [cosign(HEAD.text, imposter, 1)]))
    assert policy.check(cosigned("X1", "X2")).times == {"X1": 1000}


def test_a_timeless_cosignature_does_not_count() -> None:
    policy = parse_policy(f"log {LOG.verifier.vkey}\nwitness X3 {VKEYS['X3']}\nquorum X3\n")
    timeless = COSIGNERS["X3"].cosign_subtree(HEAD.origin, 0, 1, HEAD.root)
    line = cosign(HEAD.text, COSIGNERS["X3"], 5)
    zero = write_signature("X3.example", COSIGNERS["X3"].verifier.key_id, timeless)
    with pytest.raises(QuorumError):
        policy.check(NOTE + zero.encode())
    assert policy.check(NOTE + zero.encode() + line.encode()).times == {"X3": 5}


def test_the_later_of_two_times_counts() -> None:
    policy = parse_policy(f"log {LOG.verifier.vkey}\nwitness X1 {VKEYS['X1']}\nquorum X1\n")
    lines = [cosign(HEAD.text, COSIGNERS["X1"], time_s) for time_s in (9, 4)]
    assert policy.check(NOTE + "".join(lines).encode()).times == {"X1": 9}


def test_the_log_must_be_known_and_sign_for_itself() -> None:
    policy = parse_policy(f"log {LOG.verifier.vkey}\nlog {OTHER.verifier.vkey}\nquorum none\n")
    assert policy.check(NOTE).times == {}
    other = Checkpoint("log.example/b", 1, HEAD.root)
    assert policy.check(sign_checkpoint(other, [OTHER])).log == OTHER.verifier
    with pytest.raises(PolicyError, match=r"another origin: 'log\.example/a'"):
        policy.check(sign_checkpoint(HEAD, [OTHER]))
    assert policy.check(sign_checkpoint(HEAD, [OTHER, LOG])).log == LOG.verifier
    stranger = make_signer("log.example/a", bytes(32))
    with pytest.raises(PolicyError, match="not signed by a log of the policy, which knows"):
        policy.check(sign_checkpoint(HEAD, [stranger]))
    with pytest.raises(CheckpointError):
        policy.check(sign_note("no checkpoint\n", [LOG]))


def test_a_policy_without_logs_takes_one_from_its_caller() -> None:
    policy = parse_policy("quorum none")
    with pytest.raises(PolicyError, match="no log at all"):
        policy.check(NOTE)
    assert policy.check(NOTE, [LOG.verifier]).log == LOG.verifier


def test_a_log_may_sign_with_ml_dsa_44() -> None:
    key = make_cosigner("log.example/a", bytes(32), "ml-dsa-44")
    note = add_cosignatures(sign_checkpoint(HEAD, [OTHER]), [cosign(HEAD.text, key, 1)])
    assert parse_policy(f"log {key.verifier.vkey}\nquorum none\n").check(note).log == key.verifier


W1, W2 = f"witness a {VKEYS['X1']}\n", f"witness b {VKEYS['X2']}\n"
SAME_KEY = make_cosigner("another.name", bytes([1]) * 32).verifier.vkey
BAD = [
    ("", 0, "no quorum line"),
    ("# only words\n", 0, "no quorum line"),
    ("quorum none\nquorum none\n", 2, "second quorum"),
    ("quorum\n", 1, "expected quorum"),
    ("quorum a b\n", 1, "expected quorum"),
    ("quorum a\n", 1, "no witness or group 'a' is defined above"),
    ("quorum a\n" + W1, 1, "defined above"),
    ("Quorum none\n", 1, "begins with"),
    ("quorum none # words\n", 1, "expected quorum"),
    ("log\n", 1, "expected log"),
    (f"log {LOG.verifier.vkey} u v\n", 1, "expected log"),
    ("log nonsense\n", 1, "malformed key text"),
    (f"log {VKEYS['X1']}\n", 1, "a log signs with"),
    (f"log {LOG.verifier.vkey}\nlog {make_signer('n', LOG.seed).verifier.vkey}\n", 2, "same public key"),
    (f"witness {VKEYS['X1']}\n", 1, "expected witness"),
    (f"witness a {VKEYS['X1']} u v\n", 1, "expected witness"),
    (f"witness a {LOG.verifier.vkey}\n", 1, "type 0x04 or 0x06"),
    (f"witness none {VKEYS['X1']}\n", 1, "reserved"),
    (W1 + f"witness a {VKEYS['X2']}\n", 2, "already defined"),
    (W1 + f"witness b {SAME_KEY}\n", 2, "same public key"),
    (W1 + "group g any\n", 2, "expected group"),
    (W1 + "group none any a\n", 2, "reserved"),
    (W1 + "group a any a\n", 2, "already defined"),
    (W1 + "group g any a\ngroup g any a\n", 3, "already defined"),
    (W1 + "group g any b\n" + W2, 2, "no witness or group 'b'"),
    (W1 + "group g any g\n", 2, "no witness or group 'g'"),
    (W1 + "group g any none\n", 2, "no witness or group 'none'"),
    (W1 + "group g any a a\n", 2, "already a member"),
    (W1 + W2 + "group g any a\ngroup h 2 b a\n", 4, "already a member"),
    (W1 + "group g 0 a\n", 2, "threshold"),
    (W1 + "group g 2 a\n", 2, "threshold"),
    (W1 + "group g -1 a\n", 2, "threshold"),
    (W1 + "group g +1 a\n", 2, "threshold"),
    (W1 + "group g \u0661 a\n", 2, "threshold"),
    (W1 + "group g some a\n", 2, "threshold"),
    ("quorum none\r\n", 1, "control character"),
    ("quorum\x0bnone\n", 1, "control character"),
    ("# \x7f\nquorum none\n", 1, "control character"),
    ("quorum\u00a0none\n", 1, "begins with"),
    ("quorum none\n" * 20_000, 0, "more than"),
]


@pytest.mark.parametrize(("text", "line", "words"), BAD)
def test_errors_say_the_line_and_the_text(text: str, line: int, words: str) -> None:
    with pytest.raises(PolicyError, match=words) as caught:
        parse_policy(text)
    if line:
        assert f"line {line}: " in str(caught.value)
        assert repr(text.split("\n")[line - 1]) in str(caught.value)


def test_thresholds() -> None:
    for asked, threshold in (("any", 1), ("all", 2), ("1", 1), ("2", 2), ("02", 2)):
        assert parse_policy(W1 + W2 + f"group g {asked} a b\nquorum g").groups["g"].threshold == threshold


def test_names_are_octets_without_meaning() -> None:
    kelvin = parse_policy(
        f"witness K {VKEYS['X1']}\nwitness \u212a {VKEYS['X2']}\nwitness any {VKEYS['Y1']}\nquorum any"
    )
    assert list(kelvin.witnesses) == ["K", "\u212a", "any"]
    raw = b"# \xff\nwitness \xff\xfe " + VKEYS["X1"].encode() + b"\nquorum \xff\xfe\n"
    policy = parse_policy(raw)
    assert write_policy(policy).encode("utf-8", "surrogateescape").endswith(b"quorum \xff\xfe\n")
    with pytest.raises(QuorumError) as caught:
        policy.check(NOTE, [LOG.verifier])
    str(caught.value).encode()  # what it says can be printed


def test_groups_may_be_nested_deeply() -> None:
    groups = "".join(f"group g{number} any {'a' if number == 0 else f'g{number - 1}'}\n" for number in range(5000))
    policy = parse_policy(W1 + groups + "quorum g4999\n")
    assert policy.satisfied(["a"])
    assert not policy.satisfied([])


def test_written_and_read_again() -> None:
    policy = parse_policy(EXAMPLE)
    assert parse_policy(write_policy(policy)) == policy
    assert isinstance(policy, Policy)
    assert issubclass(QuorumError, PolicyError)
    assert issubclass(PolicyError, LedgerError)
