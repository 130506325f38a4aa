"""docs/commands.md names every command, option and exit code, and none that does not exist."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from timeball.cli.ledger import SUBCOMMANDS as OF_LEDGER
from timeball.cli.nts import SUBCOMMANDS as OF_NTS
from timeball.cli.output import ExitCode
from timeball.cli.root import SUBCOMMANDS
from timeball.cli.root import root as timeball
from timeball.cli.roughtime import SUBCOMMANDS as OF_ROUGHTIME
from timeball.cli.steer import SUBCOMMANDS as OF_STEER
from timeball.cli.transfer import SUBCOMMANDS as OF_TRANSFER

HELP = {"-h", "--help"}
GROUPS = {"ledger": OF_LEDGER, "nts": OF_NTS, "roughtime": OF_ROUGHTIME, "steer": OF_STEER, "transfer": OF_TRANSFER}
NAMES = [*SUBCOMMANDS, *(f"{group} {name}" for group, names in GROUPS.items() for name in names)]


def sections(text: str) -> dict[str, str]:
    """Text of each `## timeball NAME` section by name; the root command's by ''."""
    parts = re.split(r"^## timeball ?(.*)$", text, flags=re.MULTILINE)
    bodies = [re.split(r"^## ", body, flags=re.MULTILINE)[0] for body in parts[2::2]]
    return dict(zip(parts[1::2], bodies, strict=True))


def printed_options(section: str) -> set[str]:
    """Options in the first column of a section's table."""
    cells = re.findall(r"^\| (`-.*?`) \| ", section, re.MULTILINE)
    return {option for cell in cells for option in re.findall(r"(?<![\w|\\])--?[a-z][\w-]*", cell)}


def real_options(command: click.Command) -> set[str]:
    return {name for item in command.params if isinstance(item, click.Option) for name in item.opts}


def load(name: str) -> click.Command:
    """The command of that name; `group name` is one of a group."""
    command: click.Command | None = timeball
    for word in name.split():
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    assert command is not None
    return command


def test_every_command_has_a_section_and_no_other(page: Callable[[str], str]) -> None:
    assert set(sections(page("commands.md"))) == {"", *NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_options_of_a_command(page: Callable[[str], str], name: str) -> None:
    assert printed_options(sections(page("commands.md"))[name]) == real_options(load(name)) - HELP


def test_options_of_the_root(page: Callable[[str], str]) -> None:
    assert printed_options(sections(page("commands.md"))[""]) == real_options(timeball) | HELP


@pytest.mark.parametrize("name", NAMES)
def test_choices_are_all_named(page: Callable[[str], str], name: str) -> None:
    section = sections(page("commands.md"))[name].replace("\\|", "|")
    for option in load(name).params:
        if isinstance(option.type, click.Choice):
            assert "|".join(option.type.choices) in section, option.name


def printed_keys(section: str) -> set[str]:
    """Keys of the sentence that begins with `JSON:`."""
    sentence = re.search(r"^JSON: (.*?)\.(?:\s|$)", section, re.MULTILINE | re.DOTALL)
    assert sentence is not None
    return set(re.findall(r"`(\w+)`", sentence[1]))


@pytest.mark.parametrize("name", ["scale", "stability", "mask", "hat", "simulate", "verify", "replay", "check"])
def test_keys_of_the_json(page: Callable[[str], str], state: Path, tmp_path: Path, name: str) -> None:
    clocks = ["--clock", "A=5071A", "--clock", "B=5071A", "--clock", "C=5071A", "--days", "0.1"]
    file = tmp_path / "three.clk"
    assert run_quietly(["simulate", *clocks, "--output", str(file)])
    arguments = {
        "scale": [str(file), "--clocks", "A,B,C"],
        "stability": [str(file), "--clock", "A"],
        "mask": [str(file), "--clock", "A", "--mask", "g811"],
        "hat": [str(file), "--clock", "A", "--clock", "B", "--clock", "C"],
        "simulate": ["--model", "ocxo", "--days", "0.1"],
        "verify": [str(state)],
        "replay": [str(state)],
        "check": [],
    }
    document = json.loads(run_quietly([name, *arguments[name], "--json"]))
    assert printed_keys(sections(page("commands.md"))[name]) == set(document)


def run_quietly(arguments: list[str]) -> str:
    """Standard output of a command that ends well."""
    done = CliRunner().invoke(timeball, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_exit_codes(page: Callable[[str], str]) -> None:
    text = page("commands.md")
    table = text[text.index("## Exit codes") : text.index("## timeball\n")]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == {int(code) for code in ExitCode}


def test_models_are_named(page: Callable[[str], str]) -> None:
    from timeball.simulation.models import MODELS

    assert all(f"`{name}`" in sections(page("commands.md"))["simulate"] for name in MODELS)


def shown_commands(text: str) -> list[list[str]]:
    """Commands shown in indented or fenced blocks: `timeball NAME …` up to a comment."""
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [line.split("#")[0].split() for line in lines if re.match(r"(    |\$ )?\s*timeball [a-z]", line)]


def test_every_command_line_in_the_pages_could_be_typed(root: Path) -> None:
    seen = 0
    for path in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        for words in shown_commands(path.read_text(encoding="utf-8")):
            names = " ".join(words[1:3]) if words[1] in GROUPS else words[1]
            name, rest = names, words[1 + len(names.split()) :]
            assert name in NAMES, f"{path.name}: {' '.join(words)}"
            used = {word.strip("[]").split("=")[0] for word in rest if word.startswith(("-", "[-"))}
            assert used <= real_options(load(name)) | HELP, f"{path.name}: {' '.join(words)}"
            seen += 1
    assert seen > 10


def test_the_entry_point_is_the_command(root: Path) -> None:
    scripts = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert list(scripts) == ["timeball"]


def test_the_comparison_can_fail() -> None:
    text = "## timeball run\n\n| option | meaning |\n|---|---|\n| `--gone PATH` | no such |\n"
    assert printed_options(sections(text)["run"]) == {"--gone"}
    assert shown_commands("    timeball fly --high\n") == [["timeball", "fly", "--high"]]
