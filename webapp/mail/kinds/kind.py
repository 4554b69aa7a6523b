"""What a kind of mail is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from attendance.database.models import QueuedMail
from webapp.mail.letters import Letter


@dataclass(frozen=True)
class MailKind:
    """A kind of mail.

    Attributes:
        name: as it stands in the queue.
        title: what administrators call it; a lazy text.
        occasion: when it is sent, and to whom; a sentence, lazy too.
        render: makes the letter when it is sent, in its own transaction, which may write (a link is made then). Raises
            `NoLongerWantedError` where there is nothing to say any more.
        example: the letter with made-up data, for the preview.
        urgent: somebody waits for it, so that it goes before others.
    """

    name: str
    title: Any
    occasion: Any
    render: Callable[[Session, QueuedMail], Letter]
    example: Callable[[], Letter]
    urgent: bool = False
