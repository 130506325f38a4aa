"""What is suggested for a misspelt name, and where the commands do."""

from __future__ import annotations

import calendar
import json
from pathlib import Path

import pytest
from bulletins import circular_t
from click.testing import CliRunner

from timeball.cli.root import root
from timeball.readings.names import did_you_mean

MONTHS = tuple(calendar.month_name[at].upper() for at in range(1, 13))


def test_the_nearest_come_first_and_case_does_not_count() -> None:
    assert did_you_mean("ptbb", ["PTB", "OP", "NPL"]) == "; did you mean PTB?"
    assert did_you_mean("AMC22", ["AMC1", "AMC2"]) == "; did you mean AMC2 or AMC1?"
    assert did_you_mean("XYZ", ["PTB", "OP"]) == ""
    assert did_you_mean("XYZ", []) == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("circular-t", "{bulletin}", "--lab", "INPPL"),
        ("steer", "propose", "{bulletin}", "--lab", "INPPL"),
        ("steer", "simulate", "{bulletin}", "--lab", "inpl"),
    ],
)
def test_a_laboratory_that_is_misspelt_is_guessed_at(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    bulletin = tmp_path / "cirt.456"
    bulletin.write_text(circular_t())
    done = CliRunner().invoke(root, [each.format(bulletin=bulletin) for each in arguments])
    assert done.exit_code == 1
    assert "did you mean INPL?" in done.output


def test_a_model_that_is_misspelt_is_guessed_at() -> None:
    done = CliRunner().invoke(root, ["steer", "simulate", "--model", "active-masser"])
    assert (done.exit_code, "did you mean active-maser" in done.output) == (1, True)


@pytest.mark.parametrize("law", ["weekly", "monthly"])
def test_a_law_on_the_bulletin_that_is_not_there_says_what_it_takes_for_it(tmp_path: Path, law: str) -> None:
    """Circular T alone, sixteen months of it: the weekly law answers UTCr, the monthly one what is there."""
    files = []
    for at in range(16):
        mjd = tuple(61009 + 30 * at + 5 * place for place in range(7))
        values = [f"{(step - 61009) / 30:.1f}" for step in mjd]
        path = tmp_path / f"cirt.{456 + at}"
        published = f"{2026 + (at + 1) // 12} {MONTHS[(at + 1) % 12]} 25, 12h UTC"
        path.write_text(circular_t({"OP": ("Paris", values, "0.2   1.1   1.1")}, mjd, 456 + at, published, note=""))
        files.append(str(path))
    done = CliRunner().invoke(root, ["steer", "simulate", *files, "--lab", "OP", "--law", law, "--json"])
    assert done.exit_code == 0, done.output
    assumed = json.loads(done.stdout)["assumed"]
    if law == "monthly":
        assert "as if UTCr had told them" in assumed
    else:
        few = CliRunner().invoke(root, ["steer", "simulate", files[0], "--lab", "OP", "--law", law])
        assert "Circular T one in five days" in few.output
        assert assumed.startswith("The files hold Circular T alone, and this law answers UTCr")
