"""Students: adding, changing and deleting them."""

from dataclasses import asdict, dataclass
from datetime import date

from flask_babel import gettext
from sqlalchemy.orm import Session

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
from webapp.changes.errors import ChangeError, refuse_taken, unless_meanwhile
from webapp.imports.likeness import numbers_like
from webapp.tools.fields import institutions_rule
from webapp.tools.languages import LANGUAGES, say
from webapp.tools.storage import count_rows
from webapp.tools.times import start_of_day


@dataclass(frozen=True)
class StudentValues:
    """Who a student is to be.

    Attributes:
        index_number: fits the institution's rule, or is what it was.
        name: fits its rule.
        email: None for none.
        language: a code of those that pages are in, or what it was; None: the browser's.
        declared_group: None for none.
    """

    index_number: str
    name: str
    email: str | None = None
    language: str | None = None
    declared_group: str | None = None


@dataclass(frozen=True)
class GivenConsent:
    """A consent that is recorded with a new student: the day, and by which means, if that is known."""

    day: date
    means: str | None


@dataclass(frozen=True)
class StudentHas:
    """What goes with a student who is deleted: enrolments, and entries of registers."""

    courses: int
    entries: int


def values_of(student: Student) -> StudentValues:
    """Who a student is."""
    return StudentValues(student.index_number, student.name, student.email, student.language, student.declared_group)


def add_student(db: Session, wanted: StudentValues, consent: GivenConsent | None = None) -> Student:
    """Add a student, perhaps with the consent.

    Raises:
        ChangeError: another has the index number or the address; or a former student of the number is being erased, so
            that a consent could not be withdrawn.
    """
    _refuse_what_cannot_be(db, wanted, None)
    if consent is not None and is_being_erased(db, wanted.index_number):
        words = gettext(
            "A student of this index number is being erased. Wait until that is done, or record the consent later."
        )
        raise ChangeError("consent_given_on", words, conflict=True)
    student = Student(**asdict(wanted))
    if not inserted(db, student):  # somebody took the number or the address meanwhile
        raise ChangeError("index_number", _number_taken(), conflict=True)
    if consent is not None:
        recorder = by_account(current_account().id)
        give_consent(db, student, given_at=start_of_day(consent.day), means=consent.means, recorder=recorder)
    noted(AuditAction.STUDENT_ADDED, student=student.index_number)
    return student


def change_student(db: Session, student: Student, wanted: StudentValues) -> bool:
    """Change who a student is; encodings under a former index number are erased.

    Returns:
        Whether they are: the photos must be added again.

    Raises:
        ChangeError: another has the index number or the address, or another of the new number is being erased, with
            whom this one's photos would go.
    """
    before, after = asdict(values_of(student)), asdict(wanted)
    fields = [name for name in after if after[name] != before[name]]
    if not fields:
        return False
    _refuse_what_cannot_be(db, wanted, student)
    renumbered, former = "index_number" in fields, student.index_number
    if renumbered and is_being_erased(db, wanted.index_number):
        words = gettext("A student of this index number is being erased. Wait until that is done.")
        raise ChangeError("index_number", words, conflict=True)
    left_behind = renumbered and student.gallery_encodings > 0
    if left_behind:
        recorder = by_account(current_account().id)
        request_erasure(db, former, kind=ErasureKind.FORMER_NUMBER, now=utc_now(), recorder=recorder)
        student.gallery_encodings = 0
    if "email" in fields:
        end_own_page_sign_ins(db, [student.id])
    if renumbered:  # whom the provider bound may have gone by the former number
        release_students(db, [student.id])
    with unless_meanwhile(db, "index_number", _number_taken()):
        for name in fields:
            setattr(student, name, after[name])
        if renumbered:
            noted(AuditAction.STUDENT_RENUMBERED, student=wanted.index_number, subject=former)
        noted(AuditAction.STUDENT_CHANGED, student=wanted.index_number, details={"fields": ", ".join(fields)})
    return left_behind


def what_student_has(db: Session, student: Student) -> StudentHas:
    """What goes with a student."""
    return StudentHas(
        courses=count_rows(db, Enrolment, Enrolment.student_id == student.id),
        entries=count_rows(db, Attendance, Attendance.student_id == student.id),
    )


def delete_student(db: Session, student: Student) -> None:
    """Delete a student with every trace in the registers; photos and encodings are erased within seconds."""
    erase_and_delete(db, student, now=utc_now(), recorder=by_account(current_account().id))


def likeness_words(db: Session, index_number: str) -> str | None:
    """What should be asked where an index number is hardly told apart from another student's; None for nothing."""
    others = numbers_like(db, index_number)
    return say(likeness(index_number, others[0], gettext("who is there already"))) if others else None


def encodings_left_behind_words() -> str:
    """That the photos must be added again."""
    return gettext("The encodings under the former index number are being erased. Add the photos again.")


def _refuse_what_cannot_be(db: Session, wanted: StudentValues, present: Student | None) -> None:
    but, language = (None, None) if present is None else (present.id, present.language)
    if present is None or wanted.index_number != present.index_number:  # one of long ago may break today's rule
        problem = institutions_rule().problem(wanted.index_number)
        if problem is not None:
            words = gettext("%(label)s %(problem)s.", label=gettext("Index number"), problem=problem)
            raise ChangeError("index_number", words)
    refuse_taken(db, "index_number", Student.index_number, wanted.index_number, _number_taken(), but=but)
    words = gettext("Another student has this e-mail address.")
    refuse_taken(db, "email", Student.email, wanted.email, words, but=but)
    if wanted.language not in (None, language, *LANGUAGES):
        raise ChangeError("language", gettext("Choose a language of the list."))


def _number_taken() -> str:
    return gettext("Another student has this index number.")
