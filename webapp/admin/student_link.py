"""A link to a student's own page that an administrator hands over: made here, shown once."""

from datetime import timedelta

from flask import current_app, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from attendance.database.access.student_links import address_of_student_link, make_student_link
from attendance.database.models import AuditAction, Student, utc_now
from webapp.account.noting import noted
from webapp.admin.blueprint import blueprint
from webapp.admin.lookup import fetch
from webapp.admin.questions import Question, ask
from webapp.admin.writing import begin_change
from webapp.tools.requests import site_address
from webapp.tools.storage import database


@blueprint.route("/students/<int:student_id>/link", methods=["GET", "POST"])
def student_link(student_id: int) -> ResponseReturnValue:
    """A link for one student, for where no mail is sent or the address is not known."""
    student, settings = fetch(Student, student_id), current_app.config["ATTENDANCE"]
    back = url_for("admin.student", student_id=student_id)
    days: int = settings.web.link_days
    answer = ask(
        Question(
            title=gettext("Link to the own page of %(name)s?", name=student.name),
            consequences=[
                ngettext(
                    "With the link the student opens the own page, once, within %(num)s day. It asks for the index "
                    "number first.",
                    "With the link the student opens the own page, once, within %(num)s days. It asks for the index "
                    "number first.",
                    days,
                ),
                gettext("Make sure that it is this student who gets it: it shows all that is kept of the student."),
            ],
            button=gettext("Make a link"),
            back=back,
            crumbs=[(gettext("Students"), url_for("admin.students")), (student.name, back)],
            refused=None if settings.students.own_page else gettext("Students have no pages of their own here."),
        )
    )
    if answer is not None:
        return answer
    now, lifetime = utc_now(), timedelta(days=days)
    begin_change()
    token = make_student_link(database(), student_id, now=now, lifetime=lifetime)
    noted(AuditAction.OWN_PAGE_LINK_MADE, student=student.index_number)
    database().commit()
    address = address_of_student_link(site_address(), token)
    return render_template("admin/student_link.html", student=student, address=address, until=now + lifetime, back=back)
