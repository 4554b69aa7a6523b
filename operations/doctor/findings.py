"""What an examination finds."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """Works, but may not for long, or not for everybody."""
    PROBLEM = "problem"
    """Something does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found, in words for an operator."""

    subject: str
    """What was examined."""
    verdict: Verdict
    text: str
    """What was found."""
    remedy: str = ""
    """What to do, when something is to be done."""


def ok(subject: str, text: str) -> Finding:
    """All is well."""
    return Finding(subject, Verdict.OK, text)


def warning(subject: str, text: str, remedy: str) -> Finding:
    """Something will need attention."""
    return Finding(subject, Verdict.WARNING, text, remedy)


def problem(subject: str, text: str, remedy: str) -> Finding:
    """Something needs attention now."""
    return Finding(subject, Verdict.PROBLEM, text, remedy)
