"""What can go wrong at a sign-in through the provider: each with a word for logs, and the page that a person gets."""

from enum import StrEnum

from attendance.errors import AttendanceError


class Reason(StrEnum):
    """Why nobody is signed in. The value is what logs and the audit log say."""

    AWAY = "the provider does not answer"
    BUSY = "too many wait for the provider"
    UNUSABLE = "the provider's answers cannot be used"
    UNTRUE = "the provider's answer is not to be believed"
    CLOCK = "the clocks of the provider and of this server differ"
    STALE = "the sign-in was not begun in this browser, was ended before, or took too long"
    CODE = "the provider takes the code for wrong or used"
    DECLINED = "the person, or the provider, declined"
    TOO_MANY = "too many failed attempts"
    NOT_ADMITTED = "no condition of oidc.admit is met"
    NO_CLAIM = "the provider does not say which address or number the person has"
    UNVERIFIED = "the provider has not verified the e-mail address"
    NOBODY = "nobody here has this address or number"
    TAKEN = "the address or number is bound to another person of the provider"
    INACTIVE = "the account may not sign in"


class ProviderError(AttendanceError):
    """The institution's provider cannot be asked, or says what is not to be believed; `reason` says which."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        """Args: detail: for logs and operators; what the provider said is cut, and no token is in it."""
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason, self.detail = reason, detail


def quoted(said: object) -> str:
    """What somebody else said, for a log: short, and on one line."""
    return "".join(character for character in str(said)[:200] if character.isprintable())
