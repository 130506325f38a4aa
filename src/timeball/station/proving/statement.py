"""The statement of a proof: what follows from its entries about one moment. One pure function, for maker and verifier.

It believes that the entries are genuine and in their roles (`evidence` checks that) and says what they say: UTC −
served, its uncertainty and bound, whether sync was claimed, and on which decisions that rests. All numbers are decimal
strings, as in the ledger; `nan` and `inf` mean unknown. What it says of a file of format v1 is fixed: files are kept
for years, so a change of any word or figure is a new format, and this one is verified as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from timeball.station.proving import roles
from timeball.station.proving.claim import MOST_GAP_S, Facts, LeaseState, judge
from timeball.station.proving.errors import StatementError
from timeball.station.proving.extra import Item
from timeball.station.proving.moment import Moment
from timeball.station.proving.pages import Said, Served, after_one, between, read_served

Json = dict[str, Any]
Items = Mapping[str, Item]


def make_statement(moment: Moment, items: Items, approvals: Sequence[Item] = ()) -> Json:
    """The statement about `moment`; raises `StatementError` when the entries do not surround it or cannot be read."""
    before = read_served(_payload(items, roles.SERVED), roles.SERVED)
    after = read_served(_payload(items, roles.SERVED_NEXT), roles.SERVED_NEXT) if _has(items, "served-next") else None
    _check_around(moment, before, after)
    open_end = _why_not_enclosed(items, before, after)
    served = between(before, after, moment.tai_ns) if after and not open_end else after_one(before, moment.tai_ns)
    config = _config(items)
    leases = [_lease(items, roles.LEASE, config, moment), _lease(items, roles.OBSERVER_LEASE, config, moment)]
    said = [before] if after is None else [before, after]
    facts = Facts(moment.tai_ns, open_end, served.bound_s, [one.against for one in said], leases, _looks(items))
    claim, why = judge(facts)
    return {
        "station": str(config.get("station", {}).get("name", "")),
        "simulated": _simulated(config),
        "utc": moment.utc,
        "tai_ns": str(moment.tai_ns),
        "tai_minus_utc_s": moment.tai_minus_utc_s,
        "leap_second": moment.utc[17:19] == "60",
        **_figures(served),
        "claim": claim,
        "why": why,
        "enclosed": not open_end,
        "leases_closed": all(_has(items, role) for role in (roles.LEASE_NEXT, roles.OBSERVER_LEASE_NEXT)),
        **_decisions(items),
        "approvals": [{"index": item.index, "by": item.envelope.by, "type": item.envelope.type} for item in approvals],
    }


def _figures(served: Served) -> Json:
    return {
        "utc_minus_served_s": repr(served.utc_minus_served_s),
        "u_s": repr(served.u_s),
        "bound_s": repr(served.bound_s),
        "pages_differ_s": repr(served.differ_s),
    }


def _check_around(moment: Moment, before: Said, after: Said | None) -> None:
    """The moment lies between the statements, and both count TAI − UTC as the table in the file does."""
    if before.tai_ns > moment.tai_ns or (after is not None and after.tai_ns <= moment.tai_ns):
        raise StatementError(roles.SERVED, "the moment does not lie between the statements of this file")
    for said in (before, after):
        if said is not None and moment.leaps.tai_minus_utc(said.tai_ns) != said.tai_minus_utc_s:
            raise StatementError(
                "leap_seconds",
                f"the station counted TAI − UTC = {said.tai_minus_utc_s} s, "
                f"the table in this file says {moment.leaps.tai_minus_utc(said.tai_ns)} s",
            )


def _why_not_enclosed(items: Items, before: Said, after: Said | None) -> str:
    """Why the two statements do not answer for what lies between; empty when they do."""
    if after is None:
        return "no later statement of the station follows: it may have been off"
    if after.boot_id != before.boot_id:
        return "the host was booted between the two statements"
    gap_ns = items[roles.SERVED_NEXT].envelope.time_ns - items[roles.SERVED].envelope.time_ns
    if gap_ns > MOST_GAP_S * 1e9 or after.tai_ns - before.tai_ns > MOST_GAP_S * 1e9:
        return f"the next statement of the station came {gap_ns / 1e9:.0f} s later: it may have been off"
    return ""


def _config(items: Items) -> Json:
    payload = _payload(items, roles.CONFIG)
    config = payload.get("config") if isinstance(payload, dict) else None
    if not isinstance(config, dict) or not isinstance(config.get("station", {}), dict):
        raise StatementError(roles.CONFIG, "this is no configuration")
    return config


def _simulated(config: Json) -> bool:
    """A simulated laboratory stands behind it, as the recorded configuration says: nothing here is traceable."""
    instruments = config.get("instrument", [])
    return any(isinstance(one, dict) and one.get("kind") == "simulated" for one in instruments)


def _lease(items: Items, role: str, config: Json, moment: Moment) -> LeaseState | None:
    if not _has(items, role):
        return None
    envelope, payload = items[role].envelope, _payload(items, role)
    following = items.get(f"{role}-next")
    if envelope.time_ns > moment.tai_ns or (following and following.envelope.time_ns <= moment.tai_ns):
        raise StatementError(role, "it is not the lease entry in force at the moment")
    name = role.removeprefix("lease-")
    try:
        length_s = float(config["lease"][f"{name}_s"])
        return LeaseState(name, payload["state"] == "granted", str(payload["why"]), envelope.time_ns, length_s)
    except (KeyError, TypeError, ValueError) as error:
        raise StatementError(role, f"this is no lease entry: {error!r}") from error


def _looks(items: Items) -> list[tuple[int, list[int]]]:
    """The code of each verdict and the epochs of its looks."""
    found = []
    for role in (roles.VERDICT, roles.VERDICT_NEXT):
        if _has(items, role):
            try:
                batch = _payload(items, role)["batch"]
                found.append((int(batch["code"]), [int(epoch) for epoch in batch["epochs"]]))
            except (KeyError, TypeError, ValueError) as error:
                raise StatementError(role, f"this is no verdict: {error!r}") from error
    return found


def _decisions(items: Items) -> Json:
    """Which entries it rests on, and what they say in brief; null where the file holds none."""
    return {role.replace("-", "_"): _brief(items, role) for role in roles.ROLES if role != roles.APPROVAL}


def _brief(items: Items, role: str) -> Json | None:
    item = items.get(role)
    if item is None:
        return None
    envelope = item.envelope
    brief: Json = {"index": item.index, "seq": envelope.seq, "time": envelope.time}
    if item.payload is None:
        return {**brief, "missing": True}
    try:
        return {**brief, **_BRIEFS.get(role, lambda _payload: {})(item.payload)}
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise StatementError(item.place, f"it does not hold what its type promises: {error!r}") from error


def _brief_served(payload: Json) -> Json:
    names = ("tai_ns", "bound_s", "utck_minus_utc_s", "u_s", "residual_s", "against")
    return {name: payload[name] for name in names}


def _brief_scale(payload: Json) -> Json:
    weights = dict(zip(payload["clocks"], payload["weights"][-1], strict=True))
    words = {"algorithm": payload["algorithm"], "version": payload["version"], "readings": payload["readings"]}
    return {**words, "epoch": payload["epochs"][-1], "weights": weights}


def _brief_verdict(payload: Json) -> Json:
    batch = payload["batch"]
    return {"code": batch["code"], "verdict": batch["verdict"], "key": payload["key"]}


_LEASE_WORDS = ("state", "why")
_BRIEFS: dict[str, Any] = {
    roles.SERVED: _brief_served,
    roles.SERVED_NEXT: _brief_served,
    roles.CONFIG: lambda payload: {"software": payload["software"]},
    roles.COLLECTOR_KEY: lambda payload: {"vkey": payload["vkey"]},
    roles.OBSERVER_KEY: lambda payload: {"vkey": payload["vkey"]},
    roles.SCALE: _brief_scale,
    roles.READINGS: lambda payload: {"kind": payload["batch"]["kind"], "key": payload["key"]},
    roles.STEER: lambda payload: {"epoch": payload["epoch"], "why": payload["why"]},
    roles.VERDICT: _brief_verdict,
    roles.VERDICT_NEXT: _brief_verdict,
    roles.WITNESSING: lambda payload: {name: payload[name] for name in ("state", "size", "since", "why")},
    **dict.fromkeys(
        (roles.LEASE, roles.LEASE_NEXT, roles.OBSERVER_LEASE, roles.OBSERVER_LEASE_NEXT),
        lambda payload: {name: payload[name] for name in _LEASE_WORDS},
    ),
}


def _has(items: Items, role: str) -> bool:
    return role in items and items[role].payload is not None


def _payload(items: Items, role: str) -> Any:
    if role not in items:
        raise StatementError(role, "the file holds no such entry")
    payload = items[role].payload
    if payload is None:
        raise StatementError(items[role].place, "its payload is not in this file: erased, or withheld")
    return payload
