"""What can be wrong with NTS: typed errors, those of a request with the reason it is counted under."""

from __future__ import annotations

from timeball.protocols.nts.reasons import Reason


class NTSError(ValueError):
    """Bytes that are not what they should be: `field` names which, `text` shows what stood there."""

    def __init__(self, field: str, text: object, why: str) -> None:
        super().__init__(f"NTS {field} {text}: {why}")
        self.field, self.text = field, str(text)


class KeyRingError(NTSError):
    """Keys that make no ring: of a wrong length, twice the same id, or too many."""


class UnknownAEAD(NTSError):
    """An algorithm of another number than those served."""


class AuthenticationFailed(NTSError):
    """A tag that does not fit: another key, or somebody changed what it protects."""


class RefusedRequest(NTSError):
    """A request that gets no time; `reason` is what it is counted under, and says whether it gets a NAK."""

    reason: Reason


class NotARequest(RefusedRequest):
    """Not of version 4 and mode 3, or of an impossible length."""

    reason = Reason.NOT_A_REQUEST


class TruncatedField(RefusedRequest):
    """A field that does not fit where it stands; in a reply too."""

    reason = Reason.TRUNCATED


class NoUniqueID(RefusedRequest):
    """Not exactly one unique identifier, or a short one."""

    reason = Reason.NO_UNIQUE_ID


class NoCookie(RefusedRequest):
    """Not exactly one cookie."""

    reason = Reason.NO_COOKIE


class NoAuthenticator(RefusedRequest):
    """No authenticator, or not at the end."""

    reason = Reason.NO_AUTHENTICATOR


class BadAuthenticator(RefusedRequest):
    """Nonce and ciphertext do not stand as they should; in a reply too."""

    reason = Reason.BAD_AUTHENTICATOR


class BadEncrypted(RefusedRequest):
    """What was encrypted is no row of fields, or may not stand there; in a reply too."""

    reason = Reason.BAD_ENCRYPTED


class UnknownKey(RefusedRequest):
    """A cookie of a key that is not held."""

    reason = Reason.UNKNOWN_KEY


class ForgedCookie(RefusedRequest):
    """A cookie that was not sealed with the key that it names."""

    reason = Reason.FORGED_COOKIE


class ForgedRequest(RefusedRequest):
    """The authenticator does not fit the packet."""

    reason = Reason.FORGED_REQUEST


class NotAReply(NTSError):
    """A packet of another mode or version than a reply to our request."""


class BogusUID(NTSError):
    """The reply is to another request than ours, or made up without having seen it."""


class UnprotectedReply(NTSError):
    """A reply to a protected request that carries no authenticator: to be discarded (RFC 8915 section 5.7)."""


class ForgedReply(NTSError):
    """The reply's authenticator does not fit it."""


class NTSNak(NTSError):
    """The server says that it could not open our cookie or our request; nobody vouches that it is the server."""
