"""Administration of mail: what waits, what failed and why, what was sent lately, and how each kind looks."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext
from sqlalchemy.orm import Session

from attendance.database.mail import queue_mail
from attendance.database.models import AuditAction, QueuedMail, QueueState, utc_now
from attendance.database.outgoing.queue import try_again
from webapp.account.identity import current_account
from webapp.account.noting import noted
from webapp.account.permissions import Permission, needs
from webapp.mail.kinds import KINDS, MailKind
from webapp.mail.letters import Letter, writing
from webapp.serving.security import CONTENT_SECURITY_POLICY
from webapp.tools.languages import offered
from webapp.tools.storage import begin_change, database

blueprint = needs(Permission.ADMINISTER)(Blueprint("mail", __name__))

_SHOWN = 50
_LATELY = timedelta(days=7)
_STALLED = timedelta(minutes=10)
"""After so long a mail that is due shows that no worker runs."""

# A mail brings its styles in its elements, and runs nothing.
_LETTER_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"


@blueprint.get("")
def index() -> str:
    """The queue and the kinds."""
    db, now = database(), utc_now()
    return render_template(
        "mail/index.html",
        settings=current_app.config["ATTENDANCE"].mail,
        kinds=KINDS,
        counts=_counts(db, now),
        stalled=_stalled_since(db, now),
        waiting=_rows(db, QueuedMail.state.in_((QueueState.WAITING, QueueState.SENDING)), QueuedMail.not_before),
        failed=_rows(db, QueuedMail.state == QueueState.FAILED, QueuedMail.ended_at.desc()),
        ended=_rows(
            db,
            sa.and_(QueuedMail.state.in_((QueueState.SENT, QueueState.DROPPED)), QueuedMail.ended_at > now - _LATELY),
            QueuedMail.ended_at.desc(),
        ),
    )


@blueprint.post("/test")
def send_test() -> ResponseReturnValue:
    """Queue a test mail to whoever asks."""
    if not current_app.config["ATTENDANCE"].mail.on:
        abort(404)
    me = current_account()
    db = begin_change()
    noted(AuditAction.MAIL_TESTED, subject=me.email)
    queue_mail(db, kind="test", to=me.email, language=me.language or str(get_locale()), key=None, data={})
    db.commit()
    flash(gettext("A test mail to %(to)s waits to be sent. It comes within a minute.", to=me.email), "success")
    return redirect(url_for("mail.index"))


@blueprint.post("/<int:mail_id>/again")
def send_again(mail_id: int) -> ResponseReturnValue:
    """Try a mail that failed again."""
    db = begin_change()
    mail = db.get(QueuedMail, mail_id)
    if mail is None:
        abort(404)
    if try_again(db, mail, now=utc_now()):
        noted(AuditAction.MAIL_SENT_AGAIN, details={"mail": mail.id, "kind": mail.kind})
        flash(gettext("The mail to %(to)s waits to be sent again.", to=mail.recipient), "success")
    db.commit()
    return redirect(url_for("mail.index"))


@blueprint.get("/kinds/<mail_kind>")
def preview(mail_kind: str) -> ResponseReturnValue:
    """How a kind of mail looks, with made-up data; `?language=` chooses the language."""
    kind, language = _kind(mail_kind), _language()
    answer = Response(
        render_template(
            "mail/preview.html",
            kind=kind,
            letter=_example(kind, language),
            language=language,
            languages=offered(current_app),
            linked=bool(current_app.config["ATTENDANCE"].web.address),
        )
    )
    answer.headers["Content-Security-Policy"] = f"{CONTENT_SECURITY_POLICY}; frame-src 'self'"
    return answer


@blueprint.get("/kinds/<mail_kind>/letter")
def letter(mail_kind: str) -> ResponseReturnValue:
    """The HTML form of the example, for the frame of the preview: it may run nothing and fetch nothing."""
    answer = Response(_example(_kind(mail_kind), _language()).html)
    answer.headers["Content-Security-Policy"] = _LETTER_POLICY
    answer.headers["X-Frame-Options"] = "SAMEORIGIN"
    return answer


def _kind(name: str) -> MailKind:
    return KINDS[name] if name in KINDS else abort(404)


def _language() -> str:
    wanted = request.args.get("language", "")
    return wanted if wanted in offered(current_app) else str(get_locale())


def _example(kind: MailKind, language: str) -> Letter:
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # the application behind the proxy
    with writing(app, language):
        return kind.example()


def _rows(db: Session, which: sa.ColumnElement[bool], order: sa.ColumnExpressionArgument[Any]) -> list[QueuedMail]:
    return list(db.scalars(sa.select(QueuedMail).where(which).order_by(order, QueuedMail.id).limit(_SHOWN)))


def _counts(db: Session, now: datetime) -> dict[str, int]:
    """By state how many mails there are; of those that ended well, of the last days."""
    old = sa.and_(QueuedMail.state.in_((QueueState.SENT, QueueState.DROPPED)), QueuedMail.ended_at <= now - _LATELY)
    query = sa.select(QueuedMail.state, sa.func.count()).where(~old).group_by(QueuedMail.state)
    counted = {state.value: number for state, number in db.execute(query)}
    return {state.value: counted.get(state.value, 0) for state in QueueState}


def _stalled_since(db: Session, now: datetime) -> datetime | None:
    """Since when a mail is due that no worker takes; None: all is well. A worker is slow where much is due."""
    due = sa.and_(QueuedMail.state == QueueState.WAITING, QueuedMail.not_before < now - _STALLED)
    oldest = db.scalar(sa.select(sa.func.min(QueuedMail.not_before, type_=QueuedMail.not_before.type)).where(due))
    sent = db.scalar(sa.select(sa.func.max(QueuedMail.ended_at, type_=QueuedMail.ended_at.type)))
    return oldest if oldest is not None and (sent is None or sent < now - _STALLED) else None
