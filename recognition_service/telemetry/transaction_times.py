"""How long transactions take, for metrics."""

import time
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

_BEGAN = "transaction_began"


def time_transactions(sessions: sessionmaker[Session], observe: Callable[[float], None]) -> None:
    """Have every committed transaction of these sessions timed, from its beginning to its commit.

    Args:
        sessions: of no other part, or else its transactions are timed too.
        observe: given the seconds of each.
    """

    def begun(session: Session, *_: object) -> None:
        session.info.setdefault(_BEGAN, time.monotonic())  # savepoints begin too

    def committed(session: Session) -> None:
        began = session.info.pop(_BEGAN, None)
        if began is not None:
            observe(time.monotonic() - began)

    sa.event.listen(sessions, "after_begin", begun)
    sa.event.listen(sessions, "after_commit", committed)
