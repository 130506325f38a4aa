"""`timeball check` says of everything that answers the public what was configured, and is silent of what was not."""

from __future__ import annotations

import pytest

from timeball.cli.root import run
from timeball.station.configuration.config import parse_config
from timeball.station.configuration.configwords import explain

CASES = {
    '[ntp]\nsmeared = ["192.0.2.2:123"]\nsmear_s = 3600': "On 192.0.2.2:123 leap seconds are smeared, cosine over 3600",
    '[ntp]\nallow = ["192.0.2.0/24"]\ndeny = ["192.0.2.66"]': "answered are 192.0.2.0/24; not 192.0.2.66. Who",
    '[ntp]\nnts_only = ["198.51.100.0/24"]': "everybody is answered; over NTS alone 198.51.100.0/24.",
    '[ntp]\ndeny = ["192.0.2.66"]\nrefusal = "kiss"': "Who is refused gets a kiss of death",
    "[ntp]\nsource_rate = 0.5": "0.5 requests a second and 16 at once of one address; one in 4 beyond that is told so",
    "[ntp]\nprefix_rate = 9\nkiss_every = 0": "256 at once of one network (IPv4 /24, IPv6 /48); beyond that there is",
    "": "Nobody is limited",
    '[ntp]\nkeys = "/etc/timeball/keys"': "under the keys of /etc/timeball/keys",
    "[ntp]\nversion5 = true": "NTPv5",
    '[ntp]\nuser = "nobody"': "become nobody",
    '[nts]\nlisten = ["[::]:4460"]\nserver = "n.example"': "NTS clients are sent to n.example, port of ntp.listen[0]",
    '[roughtime]\nlisten = ["[::]:5319"]': "on [::]:5319 over UDP and TCP, signed by online keys of 24 h under a long",
    '[roughtime]\nlisten = ["[::]:5319"]\ndelegation = "/d"\ngrease = 0.01': "of /d, delegated to offline. 0.01",
    '[metrics]\nlisten = "127.0.0.1:9975"': "http://127.0.0.1:9975/metrics",
    '[khronos]\nservers = ["a:1", "b:1", "c:1", "d:1"]\nsample = 3': "asks 3 of 4 servers every 640 s; it is an alarm,",
}


@pytest.mark.parametrize("text", CASES)
def test_what_is_configured_is_said_and_nothing_else(text: str) -> None:
    words = "\n".join(explain(parse_config(text)))
    assert CASES[text] in words
    silent = "\n".join(explain(parse_config("[ntp]\nsource_rate = 1\n")))
    assert not text or CASES[text] not in silent
    for word in ("NTS", "Roughtime", "Metrics", "watchdog", "smeared", "MAC", "root"):
        assert word not in silent


def test_without_a_file_it_explains_what_run_starts_without_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check"]) == 0
    said = capsys.readouterr().out
    assert "NTS keys are exchanged on 127.0.0.1:14460" in said
    assert "Roughtime is answered on 127.0.0.1:15319" in said
    assert "http://127.0.0.1:9975/metrics" in said
