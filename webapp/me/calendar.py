"""The student's own calendar feed: made, made anew and ended on the own page."""

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from attendance.database.audit.noting import THE_STUDENT, note
from attendance.database.models import AuditAction, Student
from webapp.calendars.feed_address import address_of
from webapp.calendars.feeds import feed_of, make_feed
from webapp.me.blueprint import blueprint
from webapp.me.identity import for_student
from webapp.tools.storage import begin_change, database

_PAGE = "calendars/own_feed.html"


@blueprint.get("/calendar")
@for_student
def calendar(student: Student) -> ResponseReturnValue:
    """Whether there is an address, and when it was read."""
    return render_template(_PAGE, student=student, feed=feed_of(database(), student), address=None)


@blueprint.post("/calendar")
@for_student
def make_calendar(student: Student) -> ResponseReturnValue:
    """A new address, which the answer shows."""
    db = begin_change()
    token = make_feed(db, student)
    note(db, AuditAction.FEED_MADE, actor=THE_STUDENT, student=student.index_number)
    db.commit()
    return render_template(_PAGE, student=student, feed=feed_of(db, student), address=address_of(token))


@blueprint.post("/calendar/end")
@for_student
def end_calendar(student: Student) -> ResponseReturnValue:
    """End the address."""
    db = begin_change()
    feed = feed_of(db, student)
    if feed is not None:
        db.delete(feed)
        note(db, AuditAction.FEED_ENDED, actor=THE_STUDENT, student=student.index_number)
    db.commit()
    return redirect(url_for("me.calendar"))
