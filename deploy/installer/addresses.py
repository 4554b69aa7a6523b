"""A database's address: what the files of secrets, a shell and SQLAlchemy all take alike."""

import re
from urllib.parse import unquote, urlsplit

from deploy.installer.places import InstallError

_SERVER = re.compile(r"(mysql|mariadb)\+pymysql://(?P<user>[^:/@]*)(:(?P<password>[^@]*))?@(?P<place>[^@]+)")
_MISREAD = re.compile(r"[\s\"'\\$`\x00-\x1f\x7f]")
"""systemd and the shell take a file of secrets apart in ways of their own."""
_ESCAPING = (
    "In the user's name and the password, write % as %25, @ as %40, : as %3A, / as %2F, ? as %3F, # as %23, $ as %24, "
    "\\ as %5C, \" as %22, ' as %27, ` as %60 and a space as %20"
)


def checked_address(url: str, source: str) -> str:
    """The address, if it means the same to all who read it.

    Args:
        url: the address.
        source: what it comes from, for messages, which never show any of it.

    Raises:
        InstallError: it is none, or has signs that must be written otherwise.
    """
    if not url:
        raise InstallError(f"{source} should hold one line, the database's address")
    if _MISREAD.search(url) or (not url.startswith("sqlite:") and url.count("@") > 1):
        raise InstallError(f"{source}: the database's address has signs that must be written otherwise. {_ESCAPING}")
    if not url.startswith("sqlite:///") and not _SERVER.fullmatch(url):
        raise InstallError(f"{source} should hold an address such as mysql+pymysql://user:password@host/name")
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise InstallError(f"{source}: the database's address has a host or port that is none. {_ESCAPING}") from None
    return url


def password_of(url: str, user: str) -> str:
    """The password that an address of MariaDB has for a user; empty where it is another's, or no such address."""
    found = _SERVER.fullmatch(url)
    if found is None or unquote(found["user"]) != user:
        return ""
    return unquote(found["password"] or "")
