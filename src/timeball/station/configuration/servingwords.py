"""What answers the public, in words: NTP with its limits, NTS, Roughtime, metrics; and the watchdog."""

from __future__ import annotations

from timeball.station.configuration.serving import NTP, NTS
from timeball.station.configuration.settings import Config


def serving(config: Config) -> list[str]:
    """One sentence a server that is configured, and one a rule of who is answered."""
    return [
        f"NTP is answered on {', '.join(config.ntp.listen)}; the console is http://{config.console.listen}.",
        *_ntp(config.ntp),
        *_nts(config.nts),
        *_roughtime(config),
        *_metrics(config),
    ]


def watchdog(config: Config) -> list[str]:
    """How many servers are asked by the watchdog, and when it rings."""
    khronos = config.khronos
    if not khronos.servers:
        return []
    asked = min(khronos.sample, len(khronos.servers))
    return [
        f"The watchdog asks {asked} of {len(khronos.servers)} servers every {khronos.every_s:g} s; it is an alarm, and "
        f"moves nothing, when they are more than {khronos.limit_s:g} s from served time."
    ]


def _ntp(ntp: NTP) -> list[str]:
    words = []
    if ntp.smeared:
        where = ", ".join(ntp.smeared)
        words.append(f"On {where} leap seconds are smeared, {ntp.smear} over {ntp.smear_s:g} s, and not announced.")
    words += [*_access(ntp), _limits(ntp)]
    if ntp.keys:
        words.append(f"Requests with a MAC are answered under the keys of {ntp.keys}.")
    if ntp.version5:
        words.append("NTPv5 of a draft is answered too.")
    if ntp.user:
        who = "the NTP server, Roughtime, the exporter and the key exchange's workers"
        words.append(f"Started by root, {who} become {ntp.user}.")
    return words


def _access(ntp: NTP) -> list[str]:
    if not (ntp.allow or ntp.deny or ntp.nts_only):
        return []
    words = [f"answered are {', '.join(ntp.allow)}" if ntp.allow else "everybody is answered"]
    if ntp.deny:
        words.append(f"not {', '.join(ntp.deny)}")
    if ntp.nts_only:
        words.append(f"over NTS alone {', '.join(ntp.nts_only)}")
    told = "gets a kiss of death" if ntp.refusal == "kiss" else "gets no answer"
    return [f"Of networks the longest that fits decides: {'; '.join(words)}. Who is refused {told}."]


def _limits(ntp: NTP) -> str:
    limits = [
        f"{rate:g} requests a second and {burst:g} at once {whose}"
        for rate, burst, whose in (
            (ntp.source_rate, ntp.source_burst, "of one address"),
            (ntp.prefix_rate, ntp.prefix_burst, "of one network (IPv4 /24, IPv6 /48)"),
        )
        if rate
    ]
    if not limits:
        return "Nobody is limited, however often they ask."
    kiss = f"one in {ntp.kiss_every} beyond that is told so" if ntp.kiss_every else "beyond that there is no answer"
    return f"Answered are {', '.join(limits)}; {kiss}. {ntp.sources} addresses are remembered."


def _nts(nts: NTS) -> list[str]:
    if not nts.listen:
        return []
    shown = f"shows {nts.certificate}" if nts.certificate else "shows a certificate of its own making"
    keys = f"makes a new cookie key every {nts.rotate_s / 3600:g} h and takes cookies under {nts.kept} older ones"
    if nts.cluster_leader:
        keys = f"fetches its cookie keys from {nts.cluster_leader}"
    if nts.cluster_listen:
        keys += f", which {' and '.join(nts.cluster_peers)} may fetch on {nts.cluster_listen}"
    words = [f"NTS keys are exchanged on {', '.join(nts.listen)}; the station {shown}, and {keys}."]
    if nts.server or nts.port:
        words.append(f"NTS clients are sent to {nts.server or 'the same host'}, port {nts.port or 'of ntp.listen[0]'}.")
    return words


def _roughtime(config: Config) -> list[str]:
    settings = config.roughtime
    if not settings.listen:
        return []
    keys = f"by online keys of {settings.delegation}, delegated to offline"
    if not settings.delegation:
        keys = f"by online keys of {settings.delegate_s / 3600:g} h under a long-term key that lies on this host"
    words = f"Roughtime is answered on {', '.join(settings.listen)} over UDP and TCP, signed {keys}."
    if settings.grease:
        words += f" {settings.grease:.2g} of the replies are wrong on purpose, and do not verify."
    return [words]


def _metrics(config: Config) -> list[str]:
    listen = config.metrics.listen
    return [f"Metrics are given to everybody who asks on http://{listen}/metrics."] if listen else []
