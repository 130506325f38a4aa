"""What can be wrong with Roughtime bytes from outside: each kind has its class, each error one clear sentence."""

from __future__ import annotations


class RoughtimeError(Exception):
    """Bytes from outside that are not what they should be."""


class MalformedMessage(RoughtimeError):
    """Not a Roughtime message or packet, or a value of another size than its tag demands."""

    def __init__(self, field: str, text: object, why: str) -> None:
        super().__init__(f"Roughtime {field} {text}: {why}")
        self.field, self.text = field, str(text)


class KeyFileError(RoughtimeError):
    """A file of keys or delegations that cannot be used."""


class ServerListError(RoughtimeError):
    """A server list that cannot be used."""


class VerificationError(RoughtimeError):
    """A reply or report that does not hold: nothing of it may be believed."""


class WrongNonce(VerificationError):
    """The reply answers another request, or the chain of a report is broken."""


class WrongVersion(VerificationError):
    """The reply is of a version that was not asked for, or contradicts its own list of versions."""


class WrongRoot(VerificationError):
    """The request is no leaf of the tree that was signed."""


class SpareIndexBits(VerificationError):
    """INDX has bits beyond the length of PATH."""


class ForgedDelegation(VerificationError):
    """The delegation was not signed by the long-term key, or not for this version."""


class ForgedResponse(VerificationError):
    """The response was not signed by the delegated key, or not for this version."""


class OutsideDelegation(VerificationError):
    """The time stated lies outside the times of the delegation."""


class UnusableTime(VerificationError):
    """A radius of zero, which no server may state."""


class CausalityBroken(VerificationError):
    """Valid replies that cannot all be true: `pairs` names them, (earlier, later) by their number from 0."""

    def __init__(self, pairs: list[tuple[int, int]]) -> None:
        words = ", ".join(f"{first + 1} and {second + 1}" for first, second in pairs)
        super().__init__(f"the replies {words} cannot both be true: at least one server signed a wrong time")
        self.pairs = pairs


class UnusableReport(VerificationError):
    """A malfeasance report that is none, or that proves nothing."""
