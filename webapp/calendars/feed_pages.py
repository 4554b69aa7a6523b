"""The address at which feeds are read, and the pages on which people make one for themselves or for a room."""

from flask import Blueprint, Response, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from attendance.database.models import AuditAction, Room, utc_now
from webapp.account.identity import current_account
from webapp.account.noting import noted
from webapp.account.permissions import Access, Permission, needs
from webapp.admin.lookup import fetch
from webapp.admin.writing import begin_change as begin_administration
from webapp.calendars.feed_address import address_of
from webapp.calendars.feeds import Owner, calendar_of, feed_of, is_feed, make_feed, read_feed, tag_of
from webapp.tools.requests import site_address
from webapp.tools.storage import begin_change, database

blueprint = Blueprint("feeds", __name__)
_LONGEST_TOKEN = 100
_FRESH_S = 600


@blueprint.get("/feeds/calendar.ics")
@needs(Access.ANYBODY)
def read() -> ResponseReturnValue:
    """A feed, for whoever has its address. The secret is a parameter, which no log of ours holds."""
    token = request.args.get("key", "")
    if not token or len(token) > _LONGEST_TOKEN or not is_feed(database(), token):
        abort(404)
    db, now = begin_change(), utc_now()
    reading = read_feed(db, token, now=now)
    if reading is None:
        abort(404)
    db.commit()
    if reading.wait_s:
        text = gettext("This calendar was read too often. It can be read again later.")
        return Response(text, 429, {"Retry-After": str(reading.wait_s)}, content_type="text/plain; charset=utf-8")
    institution = current_app.config["INSTITUTION_NAME"]
    body = calendar_of(db, reading.feed, institution=institution, site=site_address(), now=now)
    answer = Response(body, content_type="text/calendar; charset=utf-8")
    # Not "attachment": the log names files that people take, and calendar programs read this one every hour.
    answer.headers.set("Content-Disposition", "inline", filename="sessions.ics")
    answer.headers["X-Robots-Tag"] = "noindex"
    answer.headers["Cache-Control"] = f"private, max-age={_FRESH_S}"
    answer.set_etag(tag_of(body))
    return answer.make_conditional(request)


@blueprint.get("/profile/calendar")
@needs(Access.SIGNED_IN)
def mine() -> str:
    """One's own feed."""
    return _page_of(current_account(), "calendars/my_feed.html")


@blueprint.post("/profile/calendar")
@needs(Access.SIGNED_IN)
def make_mine() -> ResponseReturnValue:
    """A new address for one's own feed, which the answer shows."""
    return _made(current_account(), "calendars/my_feed.html")


@blueprint.post("/profile/calendar/end")
@needs(Access.SIGNED_IN)
def end_mine() -> ResponseReturnValue:
    """End one's own feed."""
    _end(current_account())
    return redirect(url_for("feeds.mine"))


@blueprint.get("/admin/rooms/<int:room_id>/calendar")
@needs(Permission.ADMINISTER)
def room(room_id: int) -> str:
    """A room's feed, for a screen at its door."""
    return _page_of(fetch(Room, room_id), "calendars/room_feed.html")


@blueprint.post("/admin/rooms/<int:room_id>/calendar")
@needs(Permission.ADMINISTER)
def make_rooms(room_id: int) -> ResponseReturnValue:
    """A new address for a room's feed, which the answer shows."""
    return _made(fetch(Room, room_id), "calendars/room_feed.html")


@blueprint.post("/admin/rooms/<int:room_id>/calendar/end")
@needs(Permission.ADMINISTER)
def end_rooms(room_id: int) -> ResponseReturnValue:
    """End a room's feed."""
    _end(fetch(Room, room_id))
    return redirect(url_for("feeds.room", room_id=room_id))


def _page_of(owner: Owner, template: str) -> str:
    """The page of a feed: whether there is one, and when it was read."""
    return render_template(template, owner=owner, feed=feed_of(database(), owner), address=None)


def _made(owner: Owner, template: str) -> ResponseReturnValue:
    """Make a feed's address, and answer with the page that shows it this once."""
    db = begin_administration() if isinstance(owner, Room) else begin_change()
    token = make_feed(db, owner)
    noted(AuditAction.FEED_MADE, subject=owner.name if isinstance(owner, Room) else None)
    db.commit()
    # The answer to the POST itself: a secret in a cookie would outlive this page.
    return render_template(template, owner=owner, feed=feed_of(db, owner), address=address_of(token))


def _end(owner: Owner) -> None:
    """End a feed, if there is one."""
    db = begin_administration() if isinstance(owner, Room) else begin_change()
    feed = feed_of(db, owner)
    if feed is not None:
        db.delete(feed)
        noted(AuditAction.FEED_ENDED, subject=owner.name if isinstance(owner, Room) else None)
        flash(gettext("The address has ended: calendars that read it stay as they are."), "success")
    db.commit()
