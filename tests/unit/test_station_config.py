"""The configuration: defaults are the simulated laboratory, every fault is named with its key path, all at once."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeball.station.configuration.config import ConfigError, load_config, parse_config, read_effective
from timeball.station.configuration.configdoc import describe
from timeball.station.configuration.settings import (
    Config,
    HostInstrument,
    LineInstrument,
    ReplayInstrument,
    SimulatedInstrument,
)
from timeball.station.paths import config_file, default_state_dir


def faults(text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    return dict(caught.value.errors)


def test_no_file_gives_the_simulated_laboratory() -> None:
    config = load_config()
    assert [clock.name for clock in config.clock] == ["Cs1", "Cs2", "Cs3", "Cs4", "Cs5", "H1", "H2", "H3"]
    assert [type(item) for item in config.instrument] == [SimulatedInstrument, HostInstrument]
    assert config.simulated
    assert config.ntp.listen == ("127.0.0.1:11123",)
    assert config.console.listen == "127.0.0.1:8123"


def test_an_empty_file_gives_the_same_as_no_file() -> None:
    assert parse_config("") == load_config()


def test_an_unknown_key_is_refused_with_its_path_and_a_suggestion() -> None:
    assert faults("[ensemble]\nmemroy_s = 1.0\n") == {"ensemble.memroy_s": "unknown key; did you mean memory_s?"}


def test_an_unknown_section_is_refused() -> None:
    assert faults("[stering]\n") == {"stering": "unknown key; did you mean steering?"}


def test_all_faults_are_named_at_once() -> None:
    found = faults(
        """
        surprise = 1
        [station]
        name = "two words"
        [ensemble]
        cap = 3
        interval_s = nan
        [[clock]]
        name = "Cs1"
        knd = "5071A"
        [[instrument]]
        kind = "lin"
        [[instrument]]
        kind = "line"
        a = "Cs1"
        b = "H1"
        [ntp]
        listen = "127.0.0.1:123"
        [lease]
        renew_s = "often"
        """
    )
    assert found == {
        "surprise": "unknown key",
        "station.name": "must be a name of up to 32 letters, digits and _ . + -, found 'two words'",
        "ensemble.cap": "must be a number ≤ 1.0, found 3",
        "ensemble.interval_s": "must be a finite number, found nan",
        "clock[0].knd": "unknown key; did you mean kind?",
        "clock[0].kind": "is missing",
        "instrument[0].kind": "must be one of host, line, ntp, replay, simulated, found 'lin'; did you mean line?",
        "instrument[1].port": "is missing",
        "ntp.listen": "must be a list, found '127.0.0.1:123'",
        "lease.renew_s": "must be a number, found 'often'",
    }


def test_text_that_is_no_toml_says_where() -> None:
    assert "line 2" in faults("[ensemble]\ncap = = 3\n")[""]


def test_a_file_that_is_not_there_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load_config(tmp_path / "none.toml")


def test_an_integer_is_a_number() -> None:
    assert parse_config("[ensemble]\nmemory_s = 864000\n").ensemble.memory_s == 864000.0


def test_a_real_laboratory_is_understood() -> None:
    config = parse_config(
        """
        [[clock]]
        name = "H1"
        kind = "EFOS-C"
        tau_min_s = 1e5
        [[clock]]
        name = "Cs1"
        kind = "5071A"
        [ensemble]
        cap = 0.6
        [output]
        source = "H1"
        [actuator]
        kind = "none"
        [time_of_day]
        sources = ["realtime", "ntp:ntp.example:123"]
        [[instrument]]
        kind = "line"
        port = "tcp://counter:2000"
        a = "H1"
        b = "Cs1"
        unit_s = 1e-9
        [[instrument]]
        kind = "host"
        by = "pps"
        device = "/sys/class/pps/pps0"
        """
    )
    assert not config.simulated
    line, host = config.instrument
    assert isinstance(line, LineInstrument)
    assert line.unit_s == 1e-9
    assert isinstance(host, HostInstrument)
    assert host.by == "pps"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("clock = []", "clock"),
        ('[[clock]]\nname="OUT"\nkind="5071A"\n[output]\nsource="OUT"\n[ensemble]\ncap=1', "clock[0].name"),
        ('[[clock]]\nname="A"\nkind="5071A"\n[[clock]]\nname="A"\nkind="5071A"', "clock[1].name"),
        ('[[clock]]\nname="A"\nkind="5071A"\nzero_weight=true', "clock"),
        ('[output]\nsource="X9"', "output.source"),
        ('[output]\nclock="UTC"', "output.clock"),
        ("instrument = []", "instrument"),
        ('[[instrument]]\nkind="simulated"\n[[instrument]]\nkind="simulated"', "instrument"),
        ('[[instrument]]\nkind="line"\nport="x"\na="H1"\nb="H1"', "instrument[0].b"),
        ('[[instrument]]\nkind="line"\nport="x"\na="H1"\nb="H9"', "instrument[0].b"),
        ('[[instrument]]\nkind="replay"\nfiles=["a"]\n[[instrument]]\nkind="simulated"', "instrument"),
        ('[[instrument]]\nkind="host"\nby="pps"', "instrument[0].device"),
        ('[[instrument]]\nkind="host"\nagainst="HOST"', "instrument[0].against"),
        ('[[instrument]]\nkind="host"', "instrument[0].by"),
        ('[[instrument]]\nkind="line"\nport="x"\na="H1"\nb="H2"', "actuator.kind"),
        ('[[instrument]]\nkind="line"\nport="x"\na="H1"\nb="H2"', "time_of_day.sources"),
        ('[time_of_day]\nsources=["realtime"]', "time_of_day.sources"),
        ('[time_of_day]\nsources=["realtime","realtime"]', "time_of_day.sources"),
        ('[time_of_day]\nsources=["realtime","sundial"]', "time_of_day.sources"),
        ('[time_of_day]\nsources=["realtime","ntp:host:0"]', "time_of_day.sources"),
        ("[steering]\nmax_phase_per_day_s=1e-7", "steering.max_phase_per_day_s"),
        ("[steering]\nmax_rate_change=1e-11", "steering.max_rate_change"),
        ("[steering]\nwindow_s=100", "steering.window_s"),
        ("[steering]\ntime_constant_s=100", "steering.time_constant_s"),
        ("[steering]\ntracking_time_constant_s=100", "steering.tracking_time_constant_s"),
        ("[ensemble]\ncap=0.05", "ensemble.cap"),
        ("[lease]\nrenew_s=5", "lease.timekeeper_s"),
        ("[lease]\ntimekeeper_s=60", "lease.timekeeper_s"),
        ("[lease]\nscale_max_age_s=60", "lease.scale_max_age_s"),
        ("[observer]\ninterval_s=9", "observer.interval_s"),
        ('[ntp]\nlisten=["127.0.0.1:99999"]', "ntp.listen[0]"),
        ('[ntp]\nlisten=["127.0.0.1:123","127.0.0.1:123"]', "ntp.listen"),
        ('[console]\nlisten="127.0.0.1:0"', "console.listen"),
        ('[[clock]]\nname="A"\nkind="sundial"', "clock[0].kind"),
    ],
)
def test_a_broken_rule_is_named_by_its_key(text: str, path: str) -> None:
    assert path in faults(text)


def test_json_carries_the_configuration_whole(tmp_path: Path) -> None:
    config = parse_config('[ensemble]\ncap = 0.25\n[[clock]]\nname="A"\nkind="5071A"\n' * 1 + _clocks("B", "C", "D"))
    assert Config.from_json(config.to_json()) == config
    config_file(tmp_path).parent.mkdir()
    config_file(tmp_path).write_bytes(config.to_json())
    assert read_effective(tmp_path) == config


def _clocks(*names: str) -> str:
    return "".join(f'[[clock]]\nname="{name}"\nkind="5071A"\n' for name in names) + '[output]\nsource = "A"\n'


def test_a_torn_effective_configuration_is_a_typed_error(tmp_path: Path) -> None:
    config_file(tmp_path).parent.mkdir()
    config_file(tmp_path).write_bytes(load_config().to_json()[:100])
    with pytest.raises(ConfigError, match="no effective configuration"):
        read_effective(tmp_path)


def test_a_configuration_cannot_be_changed_afterwards() -> None:
    with pytest.raises(AttributeError):
        load_config().ensemble.cap = 1.0  # type: ignore[misc]


def test_replay_speed_has_no_infinity() -> None:
    assert "instrument[0].speed" in faults('[[instrument]]\nkind="replay"\nfiles=["a"]\nspeed=inf\n')


# --- the table of settings ------------------------------------------------------------------------------------------


def test_every_setting_has_a_meaning_and_stands_once() -> None:
    rows = describe()
    assert len({row.path for row in rows}) == len(rows)
    assert all(len(row.meaning) > 10 for row in rows)
    sections = {row.path.partition(".")[0].partition("[")[0] for row in rows}
    # the further outputs are written [[output]]
    assert sections == set(Config.__struct_fields__) - {"outputs"}


def test_the_table_gives_ranges_and_defaults() -> None:
    row = next(row for row in describe() if row.path == "ensemble.cap")
    assert (row.type, row.default) == ("number > 0, ≤ 1", str(load_config().ensemble.cap))
    required = [row.path for row in describe() if row.default == "required"]
    assert required == ["clock[].name", "clock[].kind"] + [f"instrument[line].{key}" for key in ("port", "a", "b")] + [
        "instrument[replay].files",
        "instrument[ntp].server",
        "instrument[ntp].clock",
        "output[chrony-sock].path",
        "output[phc].device",
        *(f"ledger.reader[].{key}" for key in ("name", "token_sha256", "types")),
    ]


def test_every_default_of_the_table_is_what_a_file_may_say() -> None:
    """Written into a file, the defaults of the table give the default configuration."""
    rows = [row for row in describe() if "[" not in row.path and row.default not in ("none", "required")]
    sections = itertools.groupby(rows, key=lambda row: row.path.split(".")[0])
    text = "\n".join(
        f"[{section}]\n" + "\n".join(f"{row.path.split('.')[1]} = {row.default}" for row in members)
        for section, members in sections
    )
    assert len(tomllib.loads(text)) >= 14
    assert parse_config(text) == load_config()


# --- nothing else escapes -------------------------------------------------------------------------------------------

keys = st.sampled_from(["cap", "interval_s", "kind", "name", "listen", "by", "", "x"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
sections_of_junk = st.dictionaries(st.sampled_from([*Config.__struct_fields__, "junk"]), values, max_size=4)


@given(sections_of_junk)
def test_whatever_stands_in_a_file_only_config_errors_come_out(junk: dict[str, object]) -> None:
    text = _toml_of(junk)
    if text is None:
        return
    try:
        config = parse_config(text)
    except ConfigError as error:
        count = len(error.errors)
    else:
        count = len(msgspec.json.decode(config.to_json()))
    assert count > 0


def _toml_of(junk: dict[str, object]) -> str | None:
    """TOML knows no null; everything else is written inline."""
    try:
        return "".join(f"{key} = {_inline(value)}\n" for key, value in junk.items())
    except TypeError:
        return None


def _inline(value: object) -> str:
    if value is None:
        raise TypeError
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {_inline(item)}' for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    return repr(value)


# --- where state lies -----------------------------------------------------------------------------------------------


def test_the_state_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_state_dir() == tmp_path / "timeball"
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/invalid")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_state_dir() == tmp_path / ".local" / "state" / "timeball"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert default_state_dir() == tmp_path / ".local" / "state" / "timeball"


def test_replay_is_no_laboratory() -> None:
    text = '[actuator]\nkind="none"\n[time_of_day]\nsources=["realtime","rtc"]\n[[instrument]]\nkind="replay"\n'
    config = parse_config(text + 'files=["a.clk"]')
    assert isinstance(config.instrument[0], ReplayInstrument)
    assert not config.simulated


def test_a_replay_needs_no_source_of_the_time_of_day() -> None:
    config = parse_config('[actuator]\nkind="none"\n[[instrument]]\nkind="replay"\nfiles=["a.clk"]\n')
    assert config.replayed
    assert "simulated" in config.time_of_day.sources


READER = '[[ledger.reader]]\nname = "ministry"\ntoken_sha256 = "{}"\ntypes = {}\n'


def test_a_reader_is_named_strictly_and_not_recorded() -> None:
    from timeball.station.fold.rules import config_payload

    digest = "ab" * 32
    config = parse_config(READER.format(digest, '["approval"]'))
    assert [(reader.name, reader.token_sha256, reader.types) for reader in config.ledger.reader] == [
        ("ministry", digest, ("approval",))
    ]
    assert Config.from_json(config.to_json()) == config
    assert config_payload(config) == config_payload(Config()), "names and hashes of readers stay out of the ledger"
    for text, path in (
        (READER.format("ABC", '["x"]'), "ledger.reader[0].token_sha256"),
        (READER.format(digest, "[]"), "ledger.reader[0].types"),
        (READER.format(digest, '["x"]') + "role = 1\n", "ledger.reader[0].role"),
        ("[ledger]\nreader = 3\n", "ledger.reader"),
    ):
        with pytest.raises(ConfigError) as caught:
            parse_config(text)
        assert [found for found, _ in caught.value.errors] == [path]
