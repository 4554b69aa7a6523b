"""Parts of pages that are read again by themselves while something goes on (`static/js/live-parts.js`).

A register has a stream of its own, which holds a thread. A list of sessions is asked for every few seconds instead: the
answer to a part that is the same is empty.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from flask import make_response, request
from flask.typing import ResponseReturnValue

from attendance.database.models import ClassSession
from webapp.tools.class_sessions.phases import Phase, phase_of

_SOON_S = 5
_LONGEST_S = 3_600
_GOES_ON = (Phase.OPEN, Phase.RUNNING, Phase.ENDED)


def fragment(html: str) -> ResponseReturnValue:
    """A part of a page; 304 for a browser that says it has the same (If-None-Match)."""
    response = make_response(html)
    response.set_etag(hashlib.sha256(html.encode()).hexdigest()[:16])
    return response.make_conditional(request)


def ask_again_s(sessions: Iterable[ClassSession], now: datetime) -> int | None:
    """After how many seconds a list of sessions is to be read again.

    Returns:
        A few while one of them runs, is about to or is being closed; else until attendance of the next one counts, an
        hour at most; None when nothing of them changes by itself any more.
    """
    waits = []
    for session in sessions:
        phase = phase_of(session, now)
        if phase in _GOES_ON:
            return _SOON_S
        if phase is Phase.SCHEDULED:
            waits.append((session.opens_at - now).total_seconds())
    return None if not waits else int(min(max(min(waits), 0) + 1, _LONGEST_S))
