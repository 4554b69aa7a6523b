"""Students: finding, adding, changing and deleting them."""

import sqlalchemy as sa
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext, ngettext

from attendance.database.access.identities import release_students
from attendance.database.access.student_links import end_own_page_sign_ins
from attendance.database.consent import by_account, give_consent
from attendance.database.models import Attendance, AuditAction, Enrolment, ErasureKind, Student, utc_now
from attendance.database.transactions import inserted
from attendance.database.upkeep.erasure import delete_student as erase_and_delete
from attendance.database.upkeep.erasure_requests import is_being_erased, request_erasure
from attendance.tables.index_numbers import likeness
from webapp.account.identity import current_account
from webapp.account.noting import noted
from webapp.admin.blueprint import blueprint
from webapp.admin.lookup import count, counts_by, fetch
from webapp.admin.questions import Question, ask
from webapp.admin.search import matches, searched
from webapp.admin.student_page import NewStudentForm, StudentForm, student_page
from webapp.admin.writing import begin_change, committed, taken
from webapp.imports.likeness import numbers_like
from webapp.tools.names import by_student_name
from webapp.tools.paging import paginate
from webapp.tools.storage import database
from webapp.tools.times import start_of_day

_A_PAGE = 50
_TAKEN = lazy_gettext("Another student has this index number.")
_ADDRESS_TAKEN = lazy_gettext("Another student has this e-mail address.")
_LISTS = {
    "": (lazy_gettext("All"), sa.true()),
    "no-encodings": (lazy_gettext("Cannot be recognised yet"), Student.gallery_encodings == 0),
    "no-consent": (
        lazy_gettext("No consent"),
        Student.consent_given_at.is_(None) & Student.consent_withdrawn_at.is_(None),
    ),
    "withdrawn": (lazy_gettext("Consent withdrawn"), Student.consent_withdrawn_at.is_not(None)),
    "no-course": (lazy_gettext("In no course"), ~sa.exists().where(Enrolment.student_id == Student.id)),
}


@blueprint.get("/students")
def students() -> str:
    """The list; `?q=` searches names and index numbers, `?list=` shows those who lack something."""
    db, text = database(), searched()
    shown = request.args.get("list", "")
    shown = shown if shown in _LISTS else ""
    query = sa.select(Student).where(matches(text, Student.name, Student.index_number), _LISTS[shown][1])
    # The whole list goes by index number, which an index keeps in order; what was found, by name.
    order = by_student_name(db) if text else (Student.index_number,)
    page = paginate(db, query.order_by(*order), size=_A_PAGE)
    courses = counts_by(Enrolment.student_id, Enrolment.student_id.in_([student.id for student in page.items]))
    lists = [(value, word) for value, (word, _) in _LISTS.items()]
    return render_template("admin/students.html", page=page, courses=courses, text=text, shown=shown, lists=lists)


@blueprint.route("/students/new", methods=["GET", "POST"])
def new_student() -> ResponseReturnValue:
    """Add a student."""
    form = NewStudentForm()
    if form.validate_on_submit():
        db, day = begin_change(), form.consent_given_on.data
        student = Student(**_details(form))
        if not _taken(form, None) and not _consents_too_early(form):
            if not inserted(db, student):  # somebody took the number or the address between question and answer
                form.index_number.errors = [_TAKEN]
            elif day is not None:
                recorder, means = by_account(current_account().id), form.consent_means.data or None
                give_consent(db, student, given_at=start_of_day(day), means=means, recorder=recorder)
            if not form.index_number.errors:
                noted(AuditAction.STUDENT_ADDED, student=student.index_number)
            if not form.index_number.errors and committed(db, form.index_number, _TAKEN):
                flash(gettext("%(student)s is added.", student=student.name), "success")
                _ask_about(student.index_number)
                return redirect(url_for("admin.student", student_id=student.id))
        db.rollback()
    return render_template("admin/student_form.html", form=form, student=None), 422 if form.errors else 200


@blueprint.get("/students/<int:student_id>")
def student(student_id: int) -> ResponseReturnValue:
    """A student's details, consent, photos and courses."""
    return student_page(fetch(Student, student_id))


@blueprint.post("/students/<int:student_id>")
def save_student(student_id: int) -> ResponseReturnValue:
    """Keep changed details; encodings under a former index number are erased."""
    student = fetch(Student, student_id)
    form = StudentForm().leave_what_stays(student)
    if not form.validate():
        return student_page(student, form)
    db = begin_change()
    if _taken(form, student_id) or _is_erased_of_another(form, student):
        db.rollback()
        return student_page(student, form)
    renumbered = student.index_number != form.index_number.data
    left_behind = renumbered and student.gallery_encodings > 0
    if left_behind:
        former, recorder = student.index_number, by_account(current_account().id)
        request_erasure(db, former, kind=ErasureKind.FORMER_NUMBER, now=utc_now(), recorder=recorder)
        student.gallery_encodings = 0
    if student.email != (form.email.data or None):
        end_own_page_sign_ins(db, [student.id])
    if renumbered:  # whom the provider bound may have gone by the former number
        release_students(db, [student.id])
    former = student.index_number
    changed = [name for name, value in _details(form).items() if getattr(student, name) != value]
    for name, value in _details(form).items():
        setattr(student, name, value)
    if renumbered:
        noted(AuditAction.STUDENT_RENUMBERED, student=student.index_number, subject=former)
    noted(AuditAction.STUDENT_CHANGED, student=student.index_number, details={"fields": ", ".join(changed)})
    if not committed(db, form.index_number, _TAKEN):
        return student_page(student, form)
    flash(gettext("%(student)s is saved.", student=student.name), "success")
    if renumbered:
        _ask_about(student.index_number)
    if left_behind:
        flash(gettext("The encodings under the former index number are being erased. Add the photos again."), "warning")
    return redirect(url_for("admin.student", student_id=student_id))


@blueprint.route("/students/<int:student_id>/delete", methods=["GET", "POST"])
def delete_student(student_id: int) -> ResponseReturnValue:
    """Delete a student, with every trace in the registers."""
    student = fetch(Student, student_id)
    courses = count(Enrolment, Enrolment.student_id == student_id)
    entries = count(Attendance, Attendance.student_id == student_id)
    back = url_for("admin.student", student_id=student_id)
    consequences = [
        ngettext(
            "%(student)s (%(index_number)s) leaves %(num)s course.",
            "%(student)s (%(index_number)s) leaves %(num)s courses.",
            courses,
            student=student.name,
            index_number=student.index_number,
        )
    ]
    if entries:
        consequences.append(
            ngettext(
                "%(num)s entry of registers, with its history, is deleted.",
                "%(num)s entries of registers, with their history, are deleted.",
                entries,
            )
        )
    consequences.append(
        gettext(
            "The student's photos and face encodings are erased, too, within seconds while the gallery's worker runs."
        )
    )
    answer = ask(
        Question(
            title=gettext("Delete %(student)s?", student=student.name),
            consequences=consequences,
            button=gettext("Delete the student"),
            back=back,
            crumbs=[(gettext("Students"), url_for("admin.students")), (student.name, back)],
            must_type=student.index_number if entries else None,
        )
    )
    if answer is not None:
        return answer
    db = begin_change()
    erase_and_delete(db, student, now=utc_now(), recorder=by_account(current_account().id))
    db.commit()
    flash(gettext("%(student)s is deleted.", student=student.name), "success")
    return redirect(url_for("admin.students"))


def _details(form: StudentForm) -> dict[str, str | None]:
    return {
        "index_number": form.index_number.data,
        "name": form.name.data,
        "email": form.email.data or None,
        "language": form.language.data or None,
        "declared_group": form.declared_group.data or None,
    }


def _is_erased_of_another(form: StudentForm, student: Student) -> bool:
    """Whether another student of this number is being erased, with whom this one's photos would go."""
    number = form.index_number.data
    if number == student.index_number or not is_being_erased(database(), number or ""):
        return False
    form.index_number.errors = [gettext("A student of this index number is being erased. Wait until that is done.")]
    return True


def _consents_too_early(form: NewStudentForm) -> bool:
    """Whether a former student of this number is being erased: until then a consent could not be withdrawn."""
    if form.consent_given_on.data is None or not is_being_erased(database(), form.index_number.data or ""):
        return False
    form.consent_given_on.errors = [
        gettext("A student of this index number is being erased. Wait until that is done, or record the consent later.")
    ]
    return True


def _taken(form: StudentForm, student_id: int | None) -> bool:
    return taken(form.index_number, Student.index_number, _TAKEN, but=student_id) or taken(
        form.email, Student.email, _ADDRESS_TAKEN, but=student_id
    )


def _ask_about(index_number: str) -> None:
    """Say so where a new index number is hardly told apart from another student's."""
    for other in numbers_like(database(), index_number)[:1]:
        flash(likeness(index_number, other, gettext("who is there already")), "warning")
