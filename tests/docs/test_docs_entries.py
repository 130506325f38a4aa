"""docs/ledger-entries.md names every stream, type and field that is recorded, and no other."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from timeball.ensemble.steps import CODES, ORDINARY
from timeball.ledger.entry import Envelope
from timeball.station.observer import WORDS

TYPES = (
    "config",
    "upgrade",
    "key",
    "readings",
    "bulletin",
    "refusal",
    "instruction",
    "scale",
    "beside",
    "anomaly",
    "doubt",
    "steer",
    "snapshot",
    "actuation",
    "verdict",
    "watch",
    "lease",
    "served",
    "witnessing",
    "cookiekeys",
    "restore",
    "erasure",
)
# Objects whose keys are clocks, epochs or settings.
OPAQUE = {
    "config",
    "rules.steering",
    "rules.output",
    "rules.at1.tau_min_s_by_clock",
    "rules.at1.drift_by_clock",
    "rules.algorithms.algos.drift_by_clock",
    "rules.algorithms.kalman.noise_by_clock",
    "rules.algorithms.kalman.noise",
    "rules.links",
    "algos",
    "kalman",
    "anomalies",
    "reasons",
    "witnesses",
}
Recorded = dict[tuple[str, str], list[dict[str, Any]]]
Fields = Callable[[list[dict[str, Any]], set[str]], set[str]]


def section(text: str, title: str) -> str:
    begin = text.index(f"\n## {title}\n")
    end = text.find("\n## ", begin + 1)
    return text[begin : end if end > 0 else len(text)]


def printed_fields(text: str) -> set[str]:
    return set(re.findall(r"^\| `(.*?)` \|", text, re.MULTILINE))


def of_type(recorded: Recorded, kind: str) -> list[dict[str, Any]]:
    return [payload for (_, found), payloads in recorded.items() if found == kind for payload in payloads]


def test_every_type_has_a_section_and_no_other(page: Callable[[str], str], recorded: Recorded) -> None:
    titles = re.findall(r"^## (.*)$", page("ledger-entries.md"), re.MULTILINE)
    assert tuple(titles) == ("The envelope", "Streams", *TYPES)
    assert {kind for _, kind in recorded} == set(TYPES)


@pytest.mark.parametrize("kind", TYPES)
def test_fields_of_a_type(page: Callable[[str], str], recorded: Recorded, fields: Fields, kind: str) -> None:
    opaque = OPAQUE - {"config"} if kind == "snapshot" else OPAQUE
    assert printed_fields(section(page("ledger-entries.md"), kind)) == fields(of_type(recorded, kind), opaque)


def test_the_envelope(page: Callable[[str], str]) -> None:
    names = {field.name for field in msgspec.structs.fields(Envelope)}
    assert printed_fields(section(page("ledger-entries.md"), "The envelope")) == names


def test_streams_and_what_they_carry(page: Callable[[str], str], recorded: Recorded) -> None:
    rows = re.findall(r"^\| `(.*?)` \| .*? \| (.*?) \|$", section(page("ledger-entries.md"), "Streams"), re.MULTILINE)
    printed = {(stream, kind) for stream, kinds in rows for kind in re.findall(r"`(\w+)`", kinds)}
    assert printed == set(recorded)


def test_codes_and_their_words(page: Callable[[str], str]) -> None:
    text = section(page("ledger-entries.md"), "scale")
    assert {int(code): words for code, words in re.findall(r"^\| (\d+) \| (.*?) \|", text, re.MULTILINE)} == CODES
    unsaid = [int(code) for code in re.findall(r"\d+", text[text.index("is none of") :].split("|")[0])]
    assert unsaid == sorted(ORDINARY)


def test_verdict_codes(page: Callable[[str], str]) -> None:
    row = next(line for line in page("ledger-entries.md").splitlines() if line.startswith("| `batch.code`"))
    assert row.split("|")[3].strip() == ", ".join(f"{code} {words}" for code, words in sorted(WORDS.items()))


def test_payloads_carry_no_floats(recorded: Recorded) -> None:
    def floats(value: object) -> bool:
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return isinstance(value, float) or any(floats(item) for item in inside)

    assert not any(floats(payload) for payloads in recorded.values() for payload in payloads)


def test_the_comparison_can_fail(fields: Fields) -> None:
    assert fields([{"a": None, "b": [{"c": 1}]}, {"a": {"d": 1}, "b": []}], set()) == {"a.d", "b[].c"}
    assert printed_fields("| `x` | s | gone |") == {"x"}
