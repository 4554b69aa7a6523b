"""The register's page, its CSV, and correcting an entry."""

import csv
import io
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database import corrections
from attendance.database.excuses import NewExcuse, give_excuse
from attendance.database.models import Attendance, AttendanceChange, Enrolment, Role, Source, Status, utc_now
from attendance.database.register import close_ended_sessions
from tests.factories import make_course, make_lecturer, make_session
from tests.webapp.lessons import LONG_AGO, make_lesson, see
from tests.webapp.visiting import plain
from webapp.register.views import streams_of

DEADLOCK = sa.exc.OperationalError("UPDATE", {}, Exception(1213, "Deadlock found"))


@pytest.fixture
def lesson(site_db):
    return make_lesson(site_db, "Ada Byron", "Kurt Gödel", "Łukasz Żak", code="CS101")


@pytest.fixture
def visitor(site, lesson):
    return site.visitor(lesson.lecturer)


def entry_path(lesson, n=0):
    return f"/sessions/{lesson.session.id}/students/{lesson.students[n].id}"


def test_shows_who_came_and_who_is_not_yet_seen(site_db, lesson, visitor):
    see(site_db, lesson, lesson.students[0], minute=2, until=20, confidence=0.94)
    see(site_db, lesson, lesson.students[1], minute=14, confidence=0.55)
    text = visitor.text(f"/sessions/{lesson.session.id}")
    assert "Present 1 Late 1 Absent 0 Excused 0 Not yet seen 1" in text
    assert "High · 94%" in text
    assert "Low · 55%" in text
    assert "Running now" in text


def test_before_and_after(site, site_db):
    later = make_lesson(site_db, starts_at=utc_now() + timedelta(days=2))
    visitor = site.visitor(later.lecturer)
    assert "Scheduled 3" in visitor.text(f"/sessions/{later.session.id}")
    past = make_lesson(site_db, starts_at=LONG_AGO, lecturer=later.lecturer)
    assert "absences are being written" in visitor.text(f"/sessions/{past.session.id}")
    close_ended_sessions(site.sessions, utc_now())
    text = visitor.text(f"/sessions/{past.session.id}")
    assert "Absent 3" in text
    assert "who had not been seen is absent" in text
    assert "data-live" not in visitor.get(f"/sessions/{past.session.id}").text


def test_an_empty_roster_says_what_to_do(site, site_db, lesson):
    empty = make_session(site_db, make_course(site_db, lecturers=(lesson.lecturer,)))
    site_db.commit()
    assert "An administrator enrols students" in site.visitor(lesson.lecturer).text(f"/sessions/{empty.id}")


def test_can_be_searched_without_javascript(lesson, visitor):
    text = visitor.text(f"/sessions/{lesson.session.id}?q=lukasz")
    assert "1 of 3 students shown" in text
    assert "Kurt" not in text
    assert "Nobody on this register fits" in visitor.text(f"/sessions/{lesson.session.id}?state=excused")


def test_a_name_with_markup_is_text(site, site_db):
    lesson = make_lesson(site_db, '<img src=x onerror="alert(1)">')
    page = site.visitor(lesson.lecturer).get(f"/sessions/{lesson.session.id}").text
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_the_csv_is_the_register_as_shown(site_db, lesson, visitor):
    see(site_db, lesson, lesson.students[1], minute=14, confidence=0.55)
    answer = visitor.get(f"/sessions/{lesson.session.id}/register.csv")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=register_CS101_")
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert [(row["Student"], row["Status"], row["Source"]) for row in rows] == [
        ("Ada Byron", "Not yet seen", ""),
        ("Kurt Gödel", "Late", "Camera"),
        ("Łukasz Żak", "Not yet seen", ""),
    ]
    assert rows[1]["Confidence"] == "55%"


def exported(visitor, lesson, query=""):
    answer = visitor.get(f"/sessions/{lesson.session.id}/register.csv{query}")
    return [row["Student"] for row in csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig")))]


def test_every_line_of_the_csv_has_a_cell_under_each_heading(site_db, lesson, visitor):
    start = lesson.session.starts_at
    ill = NewExcuse(lesson.students[0].id, None, start - timedelta(days=1), start + timedelta(days=1), "ill", "file 7")
    give_excuse(site_db, ill, account_id=lesson.lecturer.id)
    site_db.commit()
    text = visitor.get(f"/sessions/{lesson.session.id}/register.csv").data.decode("utf-8-sig")
    head, *lines = csv.reader(io.StringIO(text))
    assert {"Remark", "Excuse"} <= set(head)
    assert {len(line) for line in lines} == {len(head)}
    assert "ill" in dict(zip(head, lines[0], strict=True))["Excuse"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Ada Byron", "Kurt Gödel", "Łukasz Żak"]),
        ("?q=lukasz", ["Łukasz Żak"]),
        ("?state=late", ["Kurt Gödel"]),
        ("?state=unseen&q=a", ["Ada Byron", "Łukasz Żak"]),
        ("?q=nobody", []),
    ],
)
def test_the_csv_of_a_filtered_register_is_what_is_shown(site_db, lesson, visitor, query, names):
    see(site_db, lesson, lesson.students[1], minute=14)
    page = visitor.get(f"/sessions/{lesson.session.id}{query}").text
    link = re.findall(r'data-export href="([^"]+)"', page)[0].replace("&amp;", "&")
    shown = re.findall(r'<th scope="row"><a[^>]*>([^<]+)</a>', page)
    assert exported(visitor, lesson, query) == shown == names
    assert [row["Student"] for row in csv.DictReader(io.StringIO(visitor.get(link).data.decode("utf-8-sig")))] == names


def test_a_filtered_export_is_named_by_its_filter(lesson, visitor):
    answer = visitor.get(f"/sessions/{lesson.session.id}/register.csv?q=ada&state=unseen")
    assert answer.headers["Content-Disposition"].endswith("_ada_unseen.csv")


def test_a_correction_is_kept_with_its_reason_and_shown_in_the_history(site, site_db, lesson, visitor):
    see(site_db, lesson, lesson.students[0], minute=15)
    answer = visitor.post(entry_path(lesson), {"status": "present", "reason": "  Sat  behind the pillar. "})
    assert answer.location == f"/sessions/{lesson.session.id}"
    text = visitor.text(answer.location)
    assert "Ada Byron is now present." in text
    assert "Person Ada Lovelace" in text
    history = visitor.text(entry_path(lesson))
    assert "Late changed to Present Sat behind the pillar. Ada Lovelace," in history
    with site.sessions() as db:
        row = db.scalar(sa.select(Attendance))
        change = db.scalar(sa.select(AttendanceChange))
    assert (row.status, row.source) == (Status.PRESENT, Source.PERSON)
    assert (change.old_status, change.account_id) == (Status.LATE, lesson.lecturer.id)


def test_somebody_without_a_row_can_be_corrected(site, site_db, lesson, visitor):
    visitor.post(entry_path(lesson, 2), {"status": "excused", "reason": "ill"})
    assert "No entry changed to Excused ill" in visitor.text(entry_path(lesson, 2))


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"status": "present", "reason": ""}, "Say why"),
        ({"status": "present", "reason": " \n "}, "Say why"),
        ({"status": "present", "reason": "x" * 501}, "At most 500 characters."),
        ({"status": "present", "reason": "a\x00b"}, "characters that cannot be shown"),
        ({"status": "unseen", "reason": "x"}, "Choose a status."),
        ({"reason": "x"}, "Choose a status."),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"X-Requested-With": "fetch"}])
def test_a_correction_that_cannot_be_is_named(site, lesson, visitor, form, message, headers):  # noqa: PLR0917
    answer = visitor.post(entry_path(lesson), form, headers=headers)
    assert answer.status_code == 422
    assert message in answer.text
    with site.sessions() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(Attendance)) == 0


def test_a_script_gets_the_new_row(lesson, visitor):
    fetch = {"X-Requested-With": "fetch"}
    form = visitor.get(entry_path(lesson), headers=fetch).text
    assert "<html" not in form
    answer = visitor.post(entry_path(lesson), {"status": "late", "reason": "came with me"}, headers=fetch).json
    assert answer["message"] == "Ada Byron is now late."
    assert f'id="student-{lesson.students[0].id}"' in answer["html"]
    assert answer["counts"] == {"late": 1, "unseen": 2}


def test_goes_back_to_where_one_came_from_but_not_elsewhere(lesson, visitor):
    form = {"status": "late", "reason": "x"}
    back = visitor.post(entry_path(lesson), {**form, "next": "/records?status=late&page=2"})
    assert back.location == "/records?status=late&page=2"
    assert visitor.post(entry_path(lesson), {**form, "next": "//evil.example"}).location.startswith("/sessions/")
    assert "evil" not in visitor.get(f"{entry_path(lesson)}?next=//evil.example").text


def test_a_correction_needs_the_token(lesson, visitor):
    answer = visitor.client.post(entry_path(lesson), data={"status": "late", "reason": "x"})
    assert answer.status_code == 400


def test_streams_are_bounded(site, lesson, visitor):
    streams = streams_of(site.app)
    address = f"/sessions/{lesson.session.id}/live"
    for person in range(streams.limit):
        assert streams.enter(person)
    assert visitor.get(address, headers={"Accept": "text/event-stream"}).status_code == 503
    streams.leave(0)
    with visitor.get(address, headers={"Accept": "text/event-stream"}, buffered=False) as answer:
        assert answer.status_code == 200
        assert answer.mimetype == "text/event-stream"
        assert answer.headers["X-Accel-Buffering"] == "no"
    assert streams.enter(0)  # given back when the visitor left


def test_a_register_that_will_not_change_ends_the_asking(site, site_db):
    lesson = make_lesson(site_db, starts_at=LONG_AGO)
    close_ended_sessions(site.sessions, utc_now())
    visitor = site.visitor(lesson.lecturer)
    page = visitor.get(f"/sessions/{lesson.session.id}").text
    revision = page.split('data-revision="')[1].split('"')[0]
    assert visitor.get(f"/sessions/{lesson.session.id}/live?revision={revision}").status_code == 204


def test_a_correction_that_loses_a_race_is_made_again(site, lesson, visitor, monkeypatch):
    real, deadlocks = corrections.correct_status, [DEADLOCK, DEADLOCK]

    def loses(db, **words):
        row = real(db, **words)
        if deadlocks:
            raise deadlocks.pop()
        return row

    monkeypatch.setattr(corrections, "correct_status", loses)
    answer = visitor.post(entry_path(lesson), {"status": "excused", "reason": "ill"})
    assert answer.status_code == 302
    with site.sessions() as db:
        assert db.scalars(sa.select(Attendance.status)).all() == [Status.EXCUSED]
        assert db.scalars(sa.select(AttendanceChange.reason)).all() == ["ill"]


def test_a_student_who_leaves_the_roster_meanwhile_is_not_there(lesson, visitor, monkeypatch):
    def gone(*_, **__):
        raise corrections.NoEntryError("The student is not on the roster of this session.")

    monkeypatch.setattr(corrections, "correct_status", gone)
    assert visitor.post(entry_path(lesson), {"status": "excused", "reason": "ill"}).status_code == 404


def test_the_second_of_two_sees_the_others_change_and_chooses(site, site_db, lesson, visitor):
    see(site_db, lesson, lesson.students[0], minute=15)
    other = site.visitor(make_lecturer(site_db, name="Grace Hopper", role=Role.ADMIN))
    site_db.commit()
    assert 'name="version" type="hidden" value="1"' in visitor.get(entry_path(lesson)).text
    other.post(entry_path(lesson), {"status": "present", "reason": "sat behind me", "version": "1"})
    mine = {"status": "excused", "reason": "ill", "version": "1", "next": "/records"}
    answer = visitor.post(entry_path(lesson), mine)
    text = plain(answer.text)
    assert answer.status_code == 409
    assert "This entry was changed while you had it open. Nothing of yours is saved yet." in text
    assert "Late changed to Present sat behind me Grace Hopper," in text
    assert "ill</textarea>" in answer.text
    assert 'name="version" type="hidden" value="2"' in answer.text
    assert 'href="/records"' in answer.text  # leaving it leads back, too
    assert visitor.post(entry_path(lesson), {**mine, "version": "2"}).location == "/records"
    with site.sessions() as db:
        assert db.scalars(sa.select(AttendanceChange.reason).order_by(AttendanceChange.id)).all() == [
            "sat behind me",
            "ill",
        ]


def test_a_script_is_told_of_the_others_change(site, site_db, lesson, visitor):
    see(site_db, lesson, lesson.students[0], minute=15)
    form = {"status": "present", "reason": "x", "version": "0"}
    answer = visitor.post(entry_path(lesson), form, headers={"X-Requested-With": "fetch"})
    assert answer.status_code == 409
    assert "<html" not in answer.text
    assert "The system has entered it meanwhile: Late" in plain(answer.text)


def test_a_form_sent_twice_is_one_change(site, lesson, visitor):
    form = {"status": "late", "reason": "x", "version": "0"}
    assert [visitor.post(entry_path(lesson), form).status_code for _ in range(2)] == [302, 302]
    with site.sessions() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(AttendanceChange)) == 1


@pytest.mark.parametrize("version", ["x", "-1", "1" * 25, "1\n"])
def test_a_version_that_is_none_is_refused(lesson, visitor, version):
    form = {"status": "late", "reason": "x", "version": version}
    answer = visitor.post(entry_path(lesson), form)
    assert answer.status_code == 422
    assert "Open this entry again." in answer.text


def test_an_entry_is_given_back_to_the_machine(site, site_db, lesson, visitor):
    see(site_db, lesson, lesson.students[0], minute=15)
    visitor.post(entry_path(lesson), {"status": "excused", "reason": "ill", "version": "1"})
    assert "Give back to the machine" in visitor.text(entry_path(lesson))
    answer = visitor.post(f"{entry_path(lesson)}/give-back", {"version": "2"})
    assert answer.location == f"/sessions/{lesson.session.id}"
    assert "Ada Byron is given back to the machine: late." in visitor.text(answer.location)
    text = visitor.text(entry_path(lesson))
    assert "Give back to the machine" not in text
    assert "Excused changed to Late Given back to the machine. Ada Lovelace," in text


def test_given_back_unseen_the_history_stays(lesson, visitor):
    visitor.post(entry_path(lesson), {"status": "excused", "reason": "ill", "version": "0"})
    answer = visitor.post(
        f"{entry_path(lesson)}/give-back", {"version": "1"}, headers={"X-Requested-With": "fetch"}
    ).json
    assert answer["message"] == "Ada Byron is given back to the machine: not yet seen."
    assert 'data-state="unseen"' in answer["html"]
    text = visitor.text(entry_path(lesson))
    assert "Excused changed to No entry Given back to the machine." in text
    assert "No entry changed to Excused ill" in text


def test_giving_back_what_somebody_changed_meanwhile_shows_it(site_db, lesson, visitor):
    see(site_db, lesson, lesson.students[0], minute=15)
    visitor.post(entry_path(lesson), {"status": "excused", "reason": "ill"})
    visitor.post(entry_path(lesson), {"status": "present", "reason": "not ill"})
    answer = visitor.post(f"{entry_path(lesson)}/give-back", {"version": "2", "next": "/records"})
    assert answer.status_code == 409
    assert "Excused changed to Present not ill" in plain(answer.text)
    assert 'value="/records"' in answer.text


def test_nothing_is_given_back_that_the_machine_has(site_db, lesson, visitor):
    path = f"{entry_path(lesson)}/give-back"
    assert visitor.post(path, {"version": "0"}).status_code == 404
    see(site_db, lesson, lesson.students[0], minute=15)
    answer = visitor.post(path, {"version": "1"})
    assert (answer.status_code, "The machine decides this entry already." in answer.text) == (400, True)
    assert visitor.post(path, {"version": "x"}).status_code == 422


def test_who_is_on_no_roster_leaves_the_register_with_the_entry(site_db, lesson, visitor):
    visitor.post(entry_path(lesson), {"status": "present", "reason": "was there"})
    site_db.execute(sa.delete(Enrolment).where(Enrolment.student_id == lesson.students[0].id))
    site_db.commit()
    answer = visitor.post(f"{entry_path(lesson)}/give-back", {"version": "1"}, headers={"X-Requested-With": "fetch"})
    assert (answer.status_code, answer.json["html"]) == (200, None)


def test_a_remark_is_shown_exported_and_kept_in_the_history(site_db, lesson, visitor):
    assert "Keep the remark" not in visitor.text(entry_path(lesson))  # there is no status yet
    see(site_db, lesson, lesson.students[0], minute=2)
    answer = visitor.post(f"{entry_path(lesson)}/remark", {"remark": " left  at ten ", "version": "1"})
    text = visitor.text(answer.location)
    assert "Ada Byron: The remark is saved." in text
    assert "Present left at ten" in text
    assert "Remark: left at ten Ada Lovelace," in visitor.text(entry_path(lesson))
    for path in (f"/sessions/{lesson.session.id}/register.csv", "/records.csv"):
        lines = csv.DictReader(io.StringIO(visitor.get(path).data.decode("utf-8-sig")))
        assert next(iter(lines))["Remark"] == "left at ten"
    for path in ("/records", f"/students/{lesson.students[0].id}"):
        assert "Present left at ten" in visitor.text(path)
    visitor.post(f"{entry_path(lesson)}/remark", {"remark": "", "version": "2"})
    assert "The remark was taken away." in visitor.text(entry_path(lesson))
    assert "left at ten" not in visitor.text(f"/sessions/{lesson.session.id}")


def test_a_remark_that_cannot_be_is_named(site_db, lesson, visitor):
    path = f"{entry_path(lesson)}/remark"
    assert visitor.post(path, {"remark": "x", "version": "0"}).status_code == 400
    see(site_db, lesson, lesson.students[0], minute=2)
    for remark in ("x" * 501, "a\x00b"):
        answer = visitor.post(path, {"remark": remark, "version": "1"})
        assert answer.status_code == 422
        assert "cannot be shown, or is too long" in answer.text
    visitor.post(entry_path(lesson), {"status": "late", "reason": "bus", "version": "1"})
    answer = visitor.post(path, {"remark": "mine", "version": "1"})
    assert answer.status_code == 409
    assert "Present changed to Late bus" in plain(answer.text)
    assert "mine</textarea>" in answer.text


def test_a_title_is_text(site, site_db):
    lesson = make_lesson(site_db, starts_at=LONG_AGO, code="R&D</title><b>1")
    page = site.visitor(lesson.lecturer).get(f"/sessions/{lesson.session.id}").text
    title = page.partition("<title>")[2].partition("</title>")[0]
    assert "<" not in title
    assert title.startswith("Register R&amp;D")
    assert "Mon 4 Mar 2024 · Test University" in title
