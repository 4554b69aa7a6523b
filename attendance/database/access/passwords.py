"""Lecturers' passwords: argon2id hashes, and what makes a password too weak."""

import secrets

import argon2

from attendance.texts import english

_MIN_LENGTH = 10
_MAX_LENGTH = 200
_MIN_DIFFERENT = 5
# Without 0 and o, 1 and l and i: a password that is read out or copied by hand. 31 letters, 16 of them: 79 bits.
_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
_GROUPS, _GROUP = 4, 4

# RFC 9106's second recommended setting ("low memory"): argon2id, 64 MiB, 3 passes, 4 lanes; argon2-cffi's default.
NO_PASSWORD = "!"  # noqa: S105 - it opens nothing
"""In place of a hash: whoever has it sets a password with a link first. No password is right."""

_HASHER = argon2.PasswordHasher()


def hash_password(password: str) -> str:
    """The password's argon2id hash, with its salt and cost in it."""
    return _HASHER.hash(password)


def generate_password() -> str:
    """A password that is easy to read out and that nobody can guess: "k7mq-9xwd-2hfr-p4tn"."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def verify_password(password_hash: str, password: str) -> bool:
    """Whether the password is the hash's; False also for a hash that is none."""
    try:
        return _HASHER.verify(password_hash, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


def password_problem(password: str) -> str | None:
    """What is wrong with a password that somebody wants to set, in one sentence; None when nothing is."""
    if len(password) < _MIN_LENGTH:
        return english("A password has at least %(min_length)s characters.", min_length=_MIN_LENGTH)
    if len(password) > _MAX_LENGTH:
        return english("A password has at most %(max_length)s characters.", max_length=_MAX_LENGTH)
    if len(set(password)) < _MIN_DIFFERENT:
        return english("A password has at least %(min_different)s different characters.", min_different=_MIN_DIFFERENT)
    return None
