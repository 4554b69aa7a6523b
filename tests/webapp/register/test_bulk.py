"""Several entries changed at once on the register's page, and undone from the message."""

import re

import pytest
import sqlalchemy as sa

from attendance.database.models import Attendance, AttendanceChange, Status
from tests.webapp.lessons import make_lesson, see
from tests.webapp.visiting import plain


@pytest.fixture
def lesson(site_db):
    return make_lesson(site_db, "Ada Byron", "Kurt Gödel", "Łukasz Żak", code="CS101")


@pytest.fixture
def visitor(site, lesson):
    return site.visitor(lesson.lecturer)


def address(lesson):
    return f"/sessions/{lesson.session.id}"


def choose(lesson, *versions):
    return [f"{student.id}.{version}" for student, version in zip(lesson.students, versions, strict=False)]


def statuses(site):
    with site.sessions() as db:
        return db.scalars(sa.select(Attendance.status).order_by(Attendance.student_id)).all()


WORDS = {"status": "excused", "reason": "the tram stood still"}


def test_chosen_rows_are_changed_and_undone_from_the_message(site, site_db, lesson, visitor):
    see(site_db, lesson, lesson.students[0], minute=15)
    answer = visitor.post(f"{address(lesson)}/bulk", {**WORDS, "scope": "chosen", "chosen": choose(lesson, 1, 0)})
    assert answer.location == address(lesson)
    page = visitor.get(answer.location).text
    assert "2 entries are now excused." in page
    assert statuses(site) == [Status.EXCUSED] * 2
    undo = re.findall(rf'action="({address(lesson)}/bulk/[0-9a-f]+/undo)"', page)[0]
    assert "Undone: 2 entries are as before." in visitor.text(visitor.post(undo).location)
    assert statuses(site) == [Status.LATE]
    assert "There was nothing to undo any more." in visitor.text(visitor.post(undo).location)


def test_all_that_are_shown_are_changed_without_scripts(site, lesson, visitor):
    page = visitor.get(f"{address(lesson)}?q=k").text  # Kurt and Łukasz
    shown = re.findall(r'name="shown" type="hidden" value="([^"]+)"', page)[0]
    action = re.findall(r'action="([^"]+/bulk[^"]*)"', page)[0]
    answer = visitor.post(action, {**WORDS, "scope": "shown", "shown": shown})
    assert answer.location == f"{address(lesson)}?q=k"
    assert "2 entries are now excused." in visitor.text(answer.location)
    with site.sessions() as db:
        students = db.scalars(sa.select(Attendance.student_id).order_by(Attendance.student_id)).all()
    assert students == [student.id for student in lesson.students[1:]]


def test_who_was_changed_meanwhile_is_left_alone_and_named(site, site_db, lesson, visitor):
    see(site_db, lesson, lesson.students[1], minute=15)
    answer = visitor.post(f"{address(lesson)}/bulk", {**WORDS, "scope": "chosen", "chosen": choose(lesson, 0, 0)})
    text = visitor.text(answer.location)
    assert "1 entry is now excused." in text
    assert "Left alone, because they were changed meanwhile: Kurt Gödel." in text
    assert statuses(site) == [Status.EXCUSED, Status.LATE]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"chosen": []}, "Choose at least one row."),
        ({"scope": "shown", "shown": ""}, "No row is shown."),
        ({"scope": "everybody"}, "Choose which entries."),
        ({"status": ""}, "Choose a status."),
        ({"reason": " "}, "Say why"),
    ],
)
def test_what_is_missing_is_named_and_what_was_chosen_stays(site, lesson, visitor, given, message):
    form = {**WORDS, "scope": "chosen", "chosen": choose(lesson, 0)} | given
    answer = visitor.post(f"{address(lesson)}/bulk", form)
    assert answer.status_code == 422
    assert message in plain(answer.text)
    assert (f'value="{lesson.students[0].id}.0" checked' in answer.text) == bool(form["chosen"])
    assert statuses(site) == []


@pytest.mark.parametrize("entry", ["x", "1", "1.x", "99999999999.1", "2147483648.0", "1.0 2.0"])
def test_a_form_that_was_tampered_with_is_refused(site, lesson, visitor, entry):
    answer = visitor.post(f"{address(lesson)}/bulk", {**WORDS, "scope": "chosen", "chosen": [entry]})
    assert answer.status_code == 400
    assert statuses(site) == []


def test_nobody_changes_or_undoes_in_the_register_of_another(site, site_db, lesson, visitor):
    other = site.visitor(make_lesson(site_db).lecturer)
    form = {**WORDS, "scope": "chosen", "chosen": choose(lesson, 0)}
    assert other.post(f"{address(lesson)}/bulk", form).status_code == 404
    visitor.post(f"{address(lesson)}/bulk", form)
    with site.sessions() as db:
        batch = db.scalar(sa.select(AttendanceChange.batch))
    assert other.post(f"{address(lesson)}/bulk/{batch}/undo").status_code == 404
    assert statuses(site) == [Status.EXCUSED]
