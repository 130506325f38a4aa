"""`[output]` and `[[output]]`: what they become, and errors at the key that the operator wrote."""

from __future__ import annotations

import pytest

from timeball.station.configuration.config import Config, ConfigError, parse_config
from timeball.station.configuration.configwords import explain
from timeball.station.configuration.outputs import PHC, ChronySock
from timeball.station.supervision.supervisor import MODULES, STOP_ORDER, station_commands

SIGNAL = '[[output]]\nkind = "signal"\n'
SOCK = '[[output]]\nkind = "chrony-sock"\npath = "/run/x/utc.sock"\n'
CARD = '[[output]]\nkind = "phc"\ndevice = "/dev/ptp0"\n'


def faults(text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert len(dict(caught.value.errors)) == len(caught.value.errors)
    return dict(caught.value.errors)


def test_a_table_is_the_signal_and_nothing_else_is_fed() -> None:
    config = parse_config('[output]\nsource = "H2"\n')
    assert (config.output.source, config.outputs) == ("H2", ())
    assert parse_config("").outputs == ()


def test_a_list_holds_the_signal_and_what_is_fed_in_any_order() -> None:
    config = parse_config(SOCK + SIGNAL + 'source = "H2"\n' + CARD + "every_s = 0.5\n")
    assert config.output.source == "H2"
    assert config.outputs == (ChronySock(path="/run/x/utc.sock"), PHC(device="/dev/ptp0", every_s=0.5))
    assert Config.from_json(config.to_json()) == config
    assert parse_config(SOCK).output == Config().output


def test_errors_stand_at_the_item_as_it_was_written() -> None:
    assert faults(SOCK + SIGNAL + 'source = "H9"\n').keys() == {"output[1].source"}
    assert faults(SIGNAL + SOCK.replace("/run", "run")).keys() == {"output[1].path"}
    assert faults(SOCK + "every = 1\n" + CARD.replace("device", "devise")).keys() == {
        *("output[0].every", "output[1].devise", "output[1].device"),
    }
    assert "did you mean every_s" in faults(SOCK + "every = 1\n")["output[0].every"]
    assert faults(CARD + "max_rate = 1.0\n").keys() == {"output[0].max_rate"}
    assert faults(SIGNAL + "residual_limit_s = -1\n").keys() == {"output[0].residual_limit_s"}


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        (SIGNAL + SIGNAL, "output[1].kind", "a station has one signal"),
        ('[[output]]\nkind = "shm"\n', "output[0].kind", "must be one of signal, chrony-sock, phc, found 'shm'"),
        ("[[output]]\n", "output[0].kind", "found nothing"),
        ("output = [3]\n", "output[0]", "must be a table"),
        ("output = 3\n", "output", "must be a table"),
        ("[[outputs]]\n", "outputs", "did you mean [[output]]?"),
        (SOCK + SOCK, "output[1].path", "is fed twice"),
        (CARD + CARD, "output[1].device", "is fed twice"),
        (CARD.replace("/dev/ptp0", "simulated:"), "output[0].device", "simulated:NAME"),
        (CARD.replace("/dev/ptp0", "simulated:../x"), "output[0].device", "simulated:NAME"),
        (CARD.replace("/dev/ptp0", "eth0"), "output[0].device", "must be an absolute path"),
        (SOCK.replace("/run/x/utc.sock", "simulated:x"), "output[0].path", "neither an absolute path"),
        (CARD + 'ptp4l = "ptp4l"\n', "output[0].ptp4l", "must be an absolute path"),
        (SOCK.replace("utc", "u" * 100), "output[0].path", "at most 107"),
    ],
)
def test_what_cannot_be(text: str, path: str, words: str) -> None:
    found = faults(text)
    assert found.keys() == {path}
    assert words in found[path] or words.replace("at most", "≤") in found[path] or "length" in found[path]


def test_each_is_explained_in_words() -> None:
    words = "\n".join(explain(parse_config(SOCK + CARD + 'ptp4l = "/run/ptp4l"\n')))
    assert "A chronyd is fed through /run/x/utc.sock every 1 s, while time is served as synchronised." in words
    assert "The PTP clock /dev/ptp0 follows TAI" in words
    assert "ptp4l at /run/ptp4l is told the clock class" in words
    assert "What is fed is simulated time" in words
    assert "What is fed" not in "\n".join(explain(parse_config("")))


def test_the_feeder_is_started_where_something_is_fed(tmp_path) -> None:
    assert "feeder" not in station_commands(tmp_path, parse_config(""))
    assert "feeder" in station_commands(tmp_path, parse_config(SOCK))
    assert MODULES["feeder"] == "timeball.station.feeder"
    assert "feeder" in STOP_ORDER[0]
