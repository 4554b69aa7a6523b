"""Administration of webhooks: receivers, their secrets, each shown once, and what was delivered to them."""

import json
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session, joinedload

from attendance.database.models import (
    AuditAction,
    EventKind,
    QueueState,
    WebhookDelivery,
    WebhookEndpoint,
    utc_now,
)
from attendance.database.outgoing.deliveries import deliver_again, switch_off, switch_on
from attendance.database.outgoing.events import add_event
from webapp.account.noting import noted
from webapp.account.permissions import Permission, needs
from webapp.admin.lookup import fetch
from webapp.admin.questions import Question, ask
from webapp.admin.writing import begin_change, committed, taken
from webapp.tools.paging import paginate
from webapp.tools.storage import database
from webapp.webhooks.forms import EVENT_WORDS, form_of
from webapp.webhooks.payloads import body_of, moment
from webapp.webhooks.signing import BOTH_VALID, new_secret, renew_secret
from webapp.webhooks.subjects import subjects_of

blueprint = needs(Permission.ADMINISTER)(Blueprint("webhooks", __name__))

_A_PAGE = 50
_STALLED = timedelta(minutes=10)
"""After so long a delivery that is due shows that no worker runs."""
_TAKEN = lazy_gettext("Another receiver has this name.")


@blueprint.get("")
def index() -> str:
    """The receivers."""
    db, now = database(), utc_now()
    endpoints = db.scalars(
        sa.select(WebhookEndpoint).options(joinedload(WebhookEndpoint.department)).order_by(WebhookEndpoint.name)
    ).all()
    return render_template(
        "webhooks/index.html",
        endpoints=endpoints,
        waiting=_waiting(db),
        stalled=_stalled_since(db, now),
        words=EVENT_WORDS,
    )


@blueprint.route("/new", methods=["GET", "POST"])
def new_endpoint() -> ResponseReturnValue:
    """Add a receiver; the answer shows its secret."""
    form = form_of(None)
    if form.validate_on_submit():
        db = begin_change()
        if not taken(form.name, WebhookEndpoint.name, _TAKEN, but=None):
            endpoint = WebhookEndpoint(**form.values(), secret=new_secret())
            db.add(endpoint)
            noted(AuditAction.WEBHOOK_ADDED, subject=endpoint.name)
            if committed(db, form.name, _TAKEN):
                return _secret_page(endpoint, endpoint.secret, gettext("%(name)s is added.", name=endpoint.name))
        db.rollback()
    return render_template("webhooks/form.html", form=form, endpoint=None), 422 if form.errors else 200


@blueprint.route("/<int:webhook_id>", methods=["GET", "POST"])
def endpoint(webhook_id: int) -> ResponseReturnValue:
    """A receiver: what it is told, how it fares, and what was delivered to it lately."""
    found = fetch(WebhookEndpoint, webhook_id)
    form = form_of(found)
    if form.validate_on_submit():
        db = begin_change()
        if not taken(form.name, WebhookEndpoint.name, _TAKEN, but=webhook_id):
            changed = [name for name, value in form.values().items() if getattr(found, name) != value]
            for name, value in form.values().items():
                setattr(found, name, value)
            details = {"fields": ", ".join(changed)}
            noted(AuditAction.WEBHOOK_CHANGED, subject=found.name, details=details)
            if committed(db, form.name, _TAKEN):
                flash(gettext("%(name)s is saved.", name=found.name), "success")
                return redirect(url_for("webhooks.endpoint", webhook_id=webhook_id))
        db.rollback()
    return render_template("webhooks/form.html", form=form, endpoint=found, now=utc_now()), 422 if form.errors else 200


@blueprint.get("/<int:webhook_id>/deliveries")
def deliveries(webhook_id: int) -> str:
    """What was, or is to be, delivered to a receiver, the newest first; `?list=` shows those of one state."""
    found, shown = fetch(WebhookEndpoint, webhook_id), request.args.get("list", "")
    query = (
        sa.select(WebhookDelivery)
        .options(joinedload(WebhookDelivery.event))
        .where(WebhookDelivery.endpoint_id == webhook_id)
        .order_by(WebhookDelivery.id.desc())
    )
    states = {
        "waiting": (QueueState.WAITING, QueueState.SENDING),
        "failed": (QueueState.FAILED, QueueState.DROPPED),
        "sent": (QueueState.SENT,),
    }
    if shown in states:
        query = query.where(WebhookDelivery.state.in_(states[shown]))
    page = paginate(database(), query, size=_A_PAGE)
    return render_template(
        "webhooks/deliveries.html",
        endpoint=found,
        page=page,
        shown=shown if shown in states else "",
        words=EVENT_WORDS,
        subjects=subjects_of(database(), [delivery.event for delivery in page.items]),
    )


@blueprint.get("/deliveries/<int:delivery_id>")
def delivery(delivery_id: int) -> str:
    """One delivery: how it went, and its text as it is now."""
    found = fetch(WebhookDelivery, delivery_id)
    body = body_of(database(), found.event) if found.event.kind in EVENT_WORDS else None
    return render_template(
        "webhooks/delivery.html",
        delivery=found,
        body=json.dumps(json.loads(body), indent=2, ensure_ascii=False) if body is not None else None,
        words=EVENT_WORDS,
        subject=subjects_of(database(), [found.event]).get(found.event_id, ""),
    )


@blueprint.post("/deliveries/<int:delivery_id>/again")
def send_again(delivery_id: int) -> ResponseReturnValue:
    """Send a delivery that has ended once more, with the same id."""
    found = fetch(WebhookDelivery, delivery_id)
    db = begin_change()
    if not found.endpoint.on:
        flash(gettext("%(name)s is switched off. Switch it on first.", name=found.endpoint.name), "error")
    elif deliver_again(db, found, now=utc_now()):
        noted(AuditAction.WEBHOOK_SENT_AGAIN, subject=found.endpoint.name, details={"event": found.event.uid})
        flash(gettext("It waits to be sent again."), "success")
    db.commit()
    return redirect(url_for("webhooks.delivery", delivery_id=delivery_id))


@blueprint.post("/<int:webhook_id>/ping")
def ping(webhook_id: int) -> ResponseReturnValue:
    """Send a receiver a test."""
    found = fetch(WebhookEndpoint, webhook_id)
    db = begin_change()
    if found.on:
        now = utc_now()
        add_event(db, EventKind.PING, {"sent_at": moment(now)}, [found.id], now=now)
        found.paused_until = None  # who asks wants to know now
        noted(AuditAction.WEBHOOK_TESTED, subject=found.name)
        flash(gettext("A test waits to be sent. How it went is shown here within a minute."), "success")
    db.commit()
    return redirect(url_for("webhooks.deliveries", webhook_id=webhook_id))


@blueprint.post("/<int:webhook_id>/on")
def turn_on(webhook_id: int) -> ResponseReturnValue:
    """Tell a receiver what happens from now on."""
    found = fetch(WebhookEndpoint, webhook_id)
    db = begin_change()
    if not found.on:
        switch_on(found)
        noted(AuditAction.WEBHOOK_ON, subject=found.name)
        flash(gettext("%(name)s is told what happens from now on.", name=found.name), "success")
    db.commit()
    return redirect(url_for("webhooks.endpoint", webhook_id=webhook_id))


@blueprint.post("/<int:webhook_id>/off")
def turn_off(webhook_id: int) -> ResponseReturnValue:
    """Tell a receiver nothing any more."""
    found = fetch(WebhookEndpoint, webhook_id)
    db = begin_change()
    if found.on:
        switch_off(db, found, None, now=utc_now())
        noted(AuditAction.WEBHOOK_OFF, subject=found.name)
        flash(gettext("%(name)s is told nothing any more.", name=found.name), "success")
    db.commit()
    return redirect(url_for("webhooks.endpoint", webhook_id=webhook_id))


@blueprint.route("/<int:webhook_id>/secret", methods=["GET", "POST"])
def new_endpoint_secret(webhook_id: int) -> ResponseReturnValue:
    """Make a new secret, which the answer shows; the present one is valid for another day."""
    found = fetch(WebhookEndpoint, webhook_id)
    hours = BOTH_VALID // timedelta(hours=1)
    consequences = [
        gettext(
            "For %(hours)s hours both secrets sign what is sent: give the receiver the new one meanwhile.", hours=hours
        )
    ]
    title = gettext("New secret for %(name)s?", name=found.name)
    answer = ask(_question(found, title, consequences, gettext("Make a new secret")))
    if answer is not None:
        return answer
    db = begin_change()
    secret = renew_secret(found, utc_now())
    noted(AuditAction.WEBHOOK_SECRET_RENEWED, subject=found.name)
    db.commit()
    return _secret_page(found, secret, gettext("%(name)s has a new secret.", name=found.name))


@blueprint.route("/<int:webhook_id>/delete", methods=["GET", "POST"])
def delete_endpoint(webhook_id: int) -> ResponseReturnValue:
    """Delete a receiver with what waits for it."""
    found = fetch(WebhookEndpoint, webhook_id)
    consequences = [
        gettext("It is told nothing any more. What waits for it, and the list of its deliveries, go with it.")
    ]
    title = gettext("Delete %(name)s?", name=found.name)
    answer = ask(_question(found, title, consequences, gettext("Delete the receiver")))
    if answer is not None:
        return answer
    db = begin_change()
    db.execute(sa.delete(WebhookEndpoint).where(WebhookEndpoint.id == webhook_id))
    noted(AuditAction.WEBHOOK_DELETED, subject=found.name)
    db.commit()
    flash(gettext("%(name)s is deleted.", name=found.name), "success")
    return redirect(url_for("webhooks.index"))


def _question(found: WebhookEndpoint, title: str, consequences: list[str], button: str) -> Question:
    back = url_for("webhooks.endpoint", webhook_id=found.id)
    crumbs = [(gettext("Webhooks"), url_for("webhooks.index")), (found.name, back)]
    return Question(title=title, consequences=consequences, button=button, back=back, crumbs=crumbs)


def _secret_page(found: WebhookEndpoint, secret: str, done: str) -> ResponseReturnValue:
    # The answer to the POST itself: a secret in a cookie or an address would outlive this page.
    return render_template("webhooks/secret.html", endpoint=found, secret=secret, done=done)


def _waiting(db: Session) -> dict[int, int]:
    """By endpoint, how many deliveries wait."""
    query = sa.select(WebhookDelivery.endpoint_id, sa.func.count()).where(
        WebhookDelivery.state.in_((QueueState.WAITING, QueueState.SENDING))
    )
    rows: Any = db.execute(query.group_by(WebhookDelivery.endpoint_id))
    return dict(rows.all())


def _stalled_since(db: Session, now: datetime) -> datetime | None:
    """Since when a delivery is due that no worker takes; None: all is well."""
    ready = sa.or_(WebhookEndpoint.paused_until.is_(None), WebhookEndpoint.paused_until < now - _STALLED)
    due = sa.and_(
        WebhookDelivery.state == QueueState.WAITING,
        WebhookDelivery.not_before < now - _STALLED,
        WebhookEndpoint.off_at.is_(None),
        ready,
    )
    column = WebhookDelivery.not_before
    query = sa.select(sa.func.min(column, type_=column.type)).join(WebhookEndpoint).where(due)
    oldest = db.scalar(query)
    ended = db.scalar(sa.select(sa.func.max(WebhookDelivery.ended_at, type_=column.type)))
    return oldest if oldest is not None and (ended is None or ended < now - _STALLED) else None
