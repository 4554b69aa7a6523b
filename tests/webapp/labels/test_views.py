"""Statuses of the institution's and of a course's own: named by people, chosen in registers, counted in rates."""

import csv
import io
import re

import pytest
import sqlalchemy as sa

from attendance.database.labels import LabelValues, add_label, remove_label
from attendance.database.models import Attendance, LabelColour, Status, StatusLabel
from tests.factories import make_course, make_lecturer
from tests.webapp.lessons import make_lesson, see

ONLINE = {"name": "Online", "letter": "O", "kind": "present", "colour": "blue", "percent": "50"}


@pytest.fixture
def lesson(site_db):
    """A running lesson of three, the first of them seen."""
    made = make_lesson(site_db, "Ada Byron", "Kurt Gödel", "Łukasz Żak", code="CS101")
    see(site_db, made, made.students[0])
    return made


def make_label(db, kind=Status.PRESENT, name="Online", letter="O", *, weight=0.5, course_id=None):
    """A label, committed."""
    return add_label(db, LabelValues(kind, name, letter, LabelColour.BLUE, weight), course_id=course_id)


def labels_in(db):
    db.rollback()
    db.expire_all()
    return db.scalars(sa.select(StatusLabel).order_by(StatusLabel.id)).all()


def statuses_in(db):
    db.rollback()
    db.expire_all()
    rows = db.scalars(sa.select(Attendance).order_by(Attendance.student_id))
    return [(row.status, row.label and row.label.name) for row in rows]


def test_an_administrator_names_one_and_every_lecturer_can_choose_it(site, site_db, admin, lesson):
    answer = admin.post("/admin/statuses", ONLINE, follow_redirects=True)
    assert "Online is added" in answer.text
    (label,) = labels_in(site_db)
    assert (label.course_id, label.kind, label.weight, label.colour) == (None, Status.PRESENT, 0.5, LabelColour.BLUE)
    visitor = site.visitor(lesson.lecturer)
    address = f"/sessions/{lesson.session.id}/students/{lesson.students[1].id}"
    assert "Online (Present)" in visitor.text(address)
    answer = visitor.post(address, {"status": f"present.{label.id}", "reason": "from home"}, follow_redirects=True)
    assert "Kurt Gödel is now Online." in answer.text
    assert statuses_in(site_db)[1] == (Status.PRESENT, "Online")
    text = visitor.text(f"/sessions/{lesson.session.id}")
    assert "Present 2 Online 1 Late 0" in text
    assert "Online Present" in text  # in the row: the label, and what it stands for
    history = visitor.text(address)
    assert re.search(r"No entry changed to Online Present from home", history)
    checked = re.findall(r'<input[^>]*checked[^>]*value="([^"]+)"', visitor.get(address).text)
    assert checked == [f"present.{label.id}"]


def test_it_stands_in_exports_with_its_letter(site, site_db, lesson):
    label = make_label(site_db)
    visitor = site.visitor(lesson.lecturer)
    address = f"/sessions/{lesson.session.id}/students/{lesson.students[1].id}"
    visitor.post(address, {"status": f"present.{label.id}", "reason": "from home"})
    for path in (f"/sessions/{lesson.session.id}/register.csv", "/records.csv"):
        rows = {row["Student"]: row for row in csv.DictReader(io.StringIO(visitor.get(path).text.lstrip("\ufeff")))}
        assert [rows["Kurt Gödel"][name] for name in ("Status", "Label", "Letter")] == ["Present", "Online", "O"]
        assert [rows["Ada Byron"][name] for name in ("Status", "Label", "Letter")] == ["Present", "", ""]
    assert "Online Present" in visitor.text("/records")
    assert "Online Present" in visitor.text(f"/students/{lesson.students[1].id}")


def test_the_register_is_narrowed_to_a_label_and_to_its_kind(site, site_db, lesson):
    label = make_label(site_db)
    visitor, register = site.visitor(lesson.lecturer), f"/sessions/{lesson.session.id}"
    visitor.post(f"{register}/students/{lesson.students[1].id}", {"status": f"present.{label.id}", "reason": "home"})
    assert "1 of 3 students shown" in visitor.text(f"{register}?state=present.{label.id}")
    assert "2 of 3 students shown" in visitor.text(f"{register}?state=present")
    page = visitor.get(f"{register}?state=present.{label.id}").text
    tiles = dict(re.findall(r'<a href="([^"]+)" data-tile="([^"]+)"', page))
    assert tiles[f"{register}?state=absent"] == "absent"
    assert tiles[register] == f"present.{label.id}"  # pressed again, it shows everybody


def test_many_entries_and_a_register_by_hand_take_a_label(site, site_db, lesson):
    late = make_label(site_db, Status.LATE, "Tram", "T", course_id=lesson.course.id)
    visitor, register = site.visitor(lesson.lecturer), f"/sessions/{lesson.session.id}"
    form = {
        "scope": "chosen",
        "chosen": [f"{lesson.students[1].id}.0"],
        "status": f"late.{late.id}",
        "reason": "strike",
    }
    answer = visitor.post(f"{register}/bulk", form, follow_redirects=True)
    assert "1 entry is now Tram." in answer.text
    shown = [f"{lesson.students[0].id}.1", f"{lesson.students[2].id}.0"]
    form = {"choice": "present_but", "shown": " ".join(shown), "absent": shown[1:], "ticked": f"late.{late.id}"}
    visitor.post(f"{register}/by-hand", form)
    assert statuses_in(site_db) == [(Status.PRESENT, None), (Status.LATE, "Tram"), (Status.LATE, "Tram")]


@pytest.mark.parametrize("retired", [True, False])
def test_one_that_went_while_a_form_was_open_is_refused_in_a_sentence(site, site_db, lesson, retired):
    label = make_label(site_db)
    visitor, register = site.visitor(lesson.lecturer), f"/sessions/{lesson.session.id}"
    if retired:
        visitor.post(
            f"{register}/students/{lesson.students[0].id}", {"status": f"present.{label.id}", "reason": "home"}
        )
    remove_label(site_db, label.id, course_id=None)
    before = statuses_in(site_db)
    form = {"status": f"present.{label.id}", "reason": "what I typed"}
    sentence = "This status was deleted or retired meanwhile. Choose another one."
    answer = visitor.post(f"{register}/students/{lesson.students[1].id}", form)
    assert (answer.status_code, sentence in answer.text, "what I typed" in answer.text) == (422, True, True)
    many = {**form, "scope": "chosen", "chosen": [f"{lesson.students[1].id}.0"]}
    answer = visitor.post(f"{register}/bulk", many)
    assert (answer.status_code, sentence in answer.text, "what I typed" in answer.text) == (422, True, True)
    assert statuses_in(site_db) == before
    answer = visitor.post(f"{register}/students/{lesson.students[1].id}", {**form, "status": "present.x"})
    assert "Choose a status." in answer.text


def test_its_weight_counts_in_every_rate(site, site_db, lesson):
    half, nothing = make_label(site_db).id, make_label(site_db, Status.LATE, "Too late", "TL", weight=0.0).id
    visitor, register = site.visitor(lesson.lecturer), f"/sessions/{lesson.session.id}"
    for student, key in zip(lesson.students[1:], (f"present.{half}", f"late.{nothing}"), strict=True):
        visitor.post(f"{register}/students/{student.id}", {"status": key, "reason": "home"})
    page = visitor.get(f"/courses/{lesson.course.id}/students").text
    assert re.findall(r'(?s)cell-rate">.*?(\d+)%', page) == ["100", "50", "0"]
    assert "50% attended" in visitor.text(f"/students/{lesson.students[1].id}")
    assert "(0%)" in visitor.text(f"/students/{lesson.students[2].id}?course={lesson.course.id}")


def test_the_matrix_and_the_calendar_have_its_letter_and_colour(site, site_db, lesson):
    half = make_label(site_db).id
    visitor, student = site.visitor(lesson.lecturer), lesson.students[1].id
    form = {"status": f"present.{half}", "reason": "home"}
    visitor.post(f"/sessions/{lesson.session.id}/students/{student}", form)
    page = visitor.get(f"/courses/{lesson.course.id}/matrix").text
    assert page.count('<td class="m-present label-blue">O</td>') == 1
    assert '<span class="mark-key m-present label-blue">O</span>Online' in page
    assert re.findall(r'(?s)matrix-rate">.*?(\d+)%', page) == ["100", "50"]
    (line,) = [
        line for line in visitor.get(f"/courses/{lesson.course.id}/matrix.csv").text.split("\n") if "Kurt" in line
    ]
    assert line.strip().endswith(",O")
    assert re.search(
        r'class="visit m-present label-blue"[^>]*>O<.*?, Online<', visitor.get(f"/students/{student}").text
    )


def test_a_course_has_its_own_which_others_neither_see_nor_change(site, site_db, lesson):
    other = make_course(site_db, "ZZ9", lecturers=(make_lecturer(site_db),))
    site_db.commit()
    visitor = site.visitor(lesson.lecturer)
    own = f"/courses/{lesson.course.id}/statuses"
    visitor.post(own, ONLINE)
    (label,) = labels_in(site_db)
    assert label.course_id == lesson.course.id
    assert "Online O Present 50%" in visitor.text(own)
    stranger = site.visitor(other.lecturers[0])
    assert stranger.get(own).status_code == 404
    assert stranger.post(f"{own}/{label.id}/remove").status_code == 404
    stranger.post(f"/courses/{other.id}/statuses/{label.id}/remove")
    stranger.post(f"/courses/{other.id}/statuses/{label.id}", {**ONLINE, "name": "Mine"})
    assert stranger.get("/admin/statuses").status_code == 403
    assert [label.name for label in labels_in(site_db)] == ["Online"]


def test_it_is_changed_deleted_retired_and_offered_again(site, site_db, admin, lesson):
    label = make_label(site_db)
    address = f"/admin/statuses/{label.id}"
    answer = admin.post(address, {**ONLINE, "name": "Remote", "percent": "100"}, follow_redirects=True)
    assert "Remote is saved." in answer.text
    site.visitor(lesson.lecturer).post(
        f"/sessions/{lesson.session.id}/students/{lesson.students[1].id}",
        {"status": f"present.{label.id}", "reason": "x"},
    )
    answer = admin.post(address, {**ONLINE, "kind": "late"})
    assert (answer.status_code, "what it stands for stays" in answer.text) == (422, True)
    answer = admin.post(f"{address}/remove", follow_redirects=True)
    assert "Remote is retired" in answer.text
    assert "Remote (Present)" not in site.visitor(lesson.lecturer).text(
        f"/sessions/{lesson.session.id}/students/{lesson.students[2].id}"
    )
    assert "Remote can be chosen again" in admin.post(f"{address}/bring-back", follow_redirects=True).text
    unused = make_label(site_db, Status.EXCUSED, "Medical", "M").id
    assert "The status is deleted." in admin.post(f"/admin/statuses/{unused}/remove", follow_redirects=True).text
    for path in (f"/admin/statuses/{unused}", f"/admin/statuses/{unused}/remove"):  # its page is still open
        gone = admin.post(path, ONLINE)
        assert (gone.status_code, "somebody has deleted it" in gone.text) == (404, True)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"letter": "p"}, "Present has this letter already."),
        ({"name": "remote"}, "Remote is called so already."),
        ({"letter": "R"}, "Remote has this letter already."),
        ({"letter": "ABC"}, "has 3 characters; at most 2 fit"),
        ({"name": ""}, "Type a name."),
        ({"kind": "gone"}, "Choose what it stands for."),
        ({"colour": "#fff"}, "Choose a colour."),
        ({"percent": "101"}, "Type a whole number from 0 to 100."),
        ({"percent": "half"}, "Not a valid integer value."),
    ],
)
def test_what_cannot_be_is_said_at_its_field_and_nothing_is_lost(site_db, admin, given, sentence):
    make_label(site_db, name="Remote", letter="R")
    answer = admin.post("/admin/statuses", {**ONLINE, **given})
    assert (answer.status_code, sentence in answer.text) == (422, True)
    assert 'value="O' in answer.text or given.get("letter", "") in answer.text
    assert len(labels_in(site_db)) == 1


def test_a_long_or_right_to_left_name_is_kept_and_isolated(site_db, admin):
    name = "حضور عن بُعد"
    admin.post("/admin/statuses", {**ONLINE, "name": name, "letter": "ح"})
    assert f"<bdi>{name}</bdi>" in admin.get("/admin/statuses").text
