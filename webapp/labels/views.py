"""The statuses of the institution's and of a course's own: listing, adding, changing, retiring and deleting them.

The institution's are an administrator's; a course's belong to whoever may open the course.
"""

from typing import NoReturn

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from attendance.database.labels import (
    LabelError,
    LabelGoneError,
    add_label,
    bring_back_label,
    change_label,
    labels_for,
    remove_label,
    used_labels,
)
from attendance.database.models import Course, StatusLabel
from webapp.account.identity import current_account
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reach_course
from webapp.labels.forms import LabelForm, form_of
from webapp.records.tallies import roster_sizes
from webapp.tools.storage import database

of_institution = needs(Permission.ADMINISTER)(Blueprint("institution_labels", __name__))
of_course = needs(Permission.PLAN)(Blueprint("labels", __name__))
"""Below a course, whose id each view then gets."""


def labels(course_id: int | None = None) -> str:
    """The labels of the institution, or those that a course sees, and a form for another one."""
    return _list_page(_owner(course_id), LabelForm(formdata=None))


def add(course_id: int | None = None) -> ResponseReturnValue:
    """Add a label."""
    course, form = _owner(course_id), LabelForm()
    if not form.validate():
        return _list_page(course, form), 422
    try:
        label = add_label(database(), form.values(), course_id=course_id, account_id=current_account().id)
    except LabelError as error:
        form.blame(error)
        return _list_page(course, form), 422
    flash(gettext("%(name)s is added. It can be chosen in registers at once.", name=label.name), "success")
    return _back(course_id)


def label(label_id: int, course_id: int | None = None) -> ResponseReturnValue:
    """Change a label."""
    course = _owner(course_id)
    found = database().get(StatusLabel, label_id)
    if found is None or found.course_id != course_id:
        _gone()
    form = form_of(found)
    used = label_id in used_labels(database(), [label_id])
    if not form.validate_on_submit():
        return _form_page(course, found, form, used=used), 422 if form.errors else 200
    try:
        change_label(database(), label_id, form.values(), course_id=course_id, account_id=current_account().id)
    except LabelError as error:
        form.blame(error)
        return _form_page(course, found, form, used=used), 422
    except LabelGoneError:
        _gone()
    flash(gettext("%(name)s is saved.", name=form.name.data), "success")
    return _back(course_id)


def remove(label_id: int, course_id: int | None = None) -> ResponseReturnValue:
    """Delete a label that was never given; retire one that was."""
    _owner(course_id)
    try:
        retired = remove_label(database(), label_id, course_id=course_id, account_id=current_account().id)
    except LabelGoneError:
        _gone()
    if retired is None:
        flash(gettext("The status is deleted."), "success")
    else:
        text = gettext(
            "%(name)s is retired: entries that have it keep it, and nobody can choose it.", name=retired.name
        )
        flash(text, "success")
    return _back(course_id)


def bring_back(label_id: int, course_id: int | None = None) -> ResponseReturnValue:
    """Offer a retired label again."""
    _owner(course_id)
    try:
        offered = bring_back_label(database(), label_id, course_id=course_id, account_id=current_account().id)
    except LabelGoneError:
        _gone()
    flash(gettext("%(name)s can be chosen again.", name=offered.name), "success")
    return _back(course_id)


def _owner(course_id: int | None) -> Course | None:
    """The course whose labels are meant, None for the institution; a course that one may not change is not there."""
    if course_id is None:
        return None
    return reach_course(course_id)


def _list_page(course: Course | None, form: LabelForm) -> str:
    seen = labels_for(database(), [] if course is None else [course.id], retired=True)
    own = [label for label in seen if label.course_id == (course.id if course else None)]
    return render_template(
        "labels/institution.html" if course is None else "labels/course.html",
        course=course,
        roster=roster_sizes(database(), [course.id])[course.id] if course else None,
        own=own,
        institutions=[label for label in seen if label.course_id is None and not label.retired_at] if course else [],
        used=used_labels(database(), [label.id for label in own]),
        form=form,
    )


def _form_page(course: Course | None, label: StatusLabel, form: LabelForm, *, used: bool) -> str:
    return render_template("labels/form.html", course=course, label=label, form=form, used=used)


def _back(course_id: int | None) -> ResponseReturnValue:
    return redirect(url_for(".labels", course_id=course_id))


def _gone() -> NoReturn:
    """Answer that somebody else has deleted it; one of another course answers the same."""
    abort(404, gettext("There is no such status any more: somebody has deleted it, or it is not yours."))


for _blueprint in (of_institution, of_course):
    _blueprint.add_url_rule("", view_func=labels)
    _blueprint.add_url_rule("", view_func=add, methods=["POST"])
    _blueprint.add_url_rule("/<int:label_id>", view_func=label, methods=["GET", "POST"])
    _blueprint.add_url_rule("/<int:label_id>/remove", view_func=remove, methods=["POST"])
    _blueprint.add_url_rule("/<int:label_id>/bring-back", view_func=bring_back, methods=["POST"])
