"""Who answers for recordings that are put into registers: an operator's token of the role `recorder`.

A recording changes registers that are closed, so somebody must have said that it is what it is said to be. The token
says who, in the audit log; revoked, it ends a run before its next sitting is put into the outbox.
"""

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.access.tokens import hash_token
from attendance.database.models import ApiToken, TokenRole
from attendance.errors import AttendanceError
from attendance.settings.recordings import RecordingsSettings


class RecorderError(AttendanceError):
    """Nobody answers for the recordings: there is no token, or it is unknown, revoked or of another role."""


def token_of(settings: RecordingsSettings) -> str:
    """The token that is set.

    Raises:
        RecorderError: there is none, or its file cannot be read.
    """
    if settings.token is not None:
        return settings.token.get_secret_value().strip()
    if settings.token_file is None:
        raise RecorderError(
            "no token says who answers for the recordings: make one with `attendance token add NAME --role recorder`, "
            "keep it in a file, and name that with --token-file (ATTENDANCE_RECORDINGS_TOKEN_FILE)"
        )
    try:
        return settings.token_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise RecorderError(f"the token's file {settings.token_file} cannot be read: {reason}") from None


class RecorderToken:
    """Asks the database whether a token is still one of a recorder."""

    def __init__(self, sessions: sessionmaker[Session], token: str) -> None:
        self._sessions = sessions
        self._hash = hash_token(token)

    def name(self) -> str:
        """Whose token it is.

        Raises:
            RecorderError: nobody's, or one of another role.
        """
        with self._sessions() as db:
            found = db.scalar(sa.select(ApiToken).where(ApiToken.token_hash == self._hash))
            if found is not None and found.role is TokenRole.RECORDER:
                return found.name
        raise RecorderError(
            "the token for recordings is unknown, revoked or of another role than recorder; make one with "
            "`attendance token add NAME --role recorder`"
        )

    def check(self) -> None:
        """See whether it still is.

        Raises:
            RecorderError: as `name`.
        """
        self.name()
