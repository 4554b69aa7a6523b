"""How students come in: by a link for once, which says nothing to who is not meant."""

import re
import statistics
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.models import QueuedMail, Student, StudentLink, utc_now
from attendance.settings import Settings
from tests.factories import enrol, make_course, make_lecturer, make_student
from tests.webapp.me.students import StudentVisitor, enter, link_of
from tests.webapp.visiting import make_settings, plain
from webapp.account import identity
from webapp.account.permissions import Access, need_of


@pytest.fixture
def site_settings(tmp_path, migrated_file) -> Settings:
    """A site that can send mail."""
    mail = {"host": "mail.example.edu", "sender": "attendance@example.edu"}
    return make_settings(tmp_path / "site", migrated_file, mail=mail, web={"address": "https://attendance.example.edu"})


@pytest.fixture
def ann(site_db):
    student = make_student(site_db, "s1", "Ann")
    student.email, student.language = "ann@example.edu", "en"
    site_db.commit()
    return student


def ask(site, who):
    visitor = StudentVisitor(site.app)
    return visitor, visitor.post("/me/signin", {"who": who})


@pytest.mark.parametrize("who", ["s1", "ANN@example.edu"])
def test_a_link_goes_to_the_address_on_record(site, site_db, ann, who):
    visitor, answer = ask(site, who)
    assert answer.headers["Location"] == "/me/signin/sent"
    assert "a link is on its way there. It works once, for 30 minutes." in visitor.text("/me/signin/sent")
    mail = site_db.scalars(sa.select(QueuedMail)).one()
    assert (mail.kind, mail.recipient, mail.language, mail.data) == (
        "student_link", "ann@example.edu", "en", {"student": ann.id},
    )  # fmt: skip
    assert site_db.scalars(sa.select(StudentLink)).all() == []  # made when the mail is sent


def test_who_asks_learns_nothing_from_the_answer_or_its_time(site, site_db, ann):
    make_student(site_db, "s2", "No Address")
    site_db.commit()
    answers, times = {}, {}
    for who in ("s1", "s2", "nobody", "nobody@example.edu"):
        took = []
        for _ in range(3):
            visitor = StudentVisitor(site.app)
            token = visitor.token()
            began = time.perf_counter()
            answer = visitor.client.post("/me/signin", data={"csrf_token": token, "who": who})
            took.append(time.perf_counter() - began)
        times[who] = statistics.median(took)
        sent = re.sub(r"\d\d:\d\d", "", visitor.text("/me/signin/sent"))  # when it is printed: a minute may turn
        answers[who] = (answer.status_code, answer.headers["Location"], sent)
    assert len(set(answers.values())) == 1
    assert min(times.values()) >= 0.3
    assert max(times.values()) - min(times.values()) < 0.15, times
    assert site_db.scalar(sa.select(sa.func.count()).select_from(QueuedMail)) == 3


def test_asking_often_is_slowed_down_the_same_for_known_and_unknown_and_no_lecturer_is_kept_out(site, site_db, ann):
    for who in ("s1", "nobody"):
        assert [ask(site, who)[1].status_code for _ in range(6)] == [302] * 5 + [429]
        _, answer = ask(site, who)
        assert "Too many attempts. Try again in" in plain(answer.text)
    assert site_db.scalar(sa.select(sa.func.count()).select_from(QueuedMail)) == 5
    lecturer = make_lecturer(site_db)
    site_db.commit()
    visitor = site.visitor()
    answer = visitor.post("/signin", {"email": lecturer.email, "password": "correct horse battery"})
    assert answer.status_code == 302


def test_a_link_works_once_and_looking_at_it_uses_nothing(site, site_db, ann):
    link = link_of(site_db, ann)
    for _ in range(3):  # a mail program and a scanner look at it
        page = StudentVisitor(site.app).get(link)
        assert page.status_code == 200
        assert "Ann" not in page.text
    token = link.partition("=")[2]
    visitor = StudentVisitor(site.app)
    assert visitor.post("/me/link", {"link": token, "index_number": "S1"}).headers["Location"] == "/me"
    assert "Ann Index number s1" in visitor.text("/me")
    again = StudentVisitor(site.app)
    for answer in (again.get(link), again.post("/me/link", {"link": token, "index_number": "s1"})):
        assert answer.status_code == 404
        assert "This link does not work It was used already, is older than 30 minutes" in plain(answer.text)


def test_an_expired_link_one_of_somebody_deleted_and_one_cut_short_get_the_same_page(site, site_db, ann):
    bob = make_student(site_db, "s2")
    expired, deleted = link_of(site_db, ann, minutes=-1), link_of(site_db, bob)
    site_db.delete(bob)
    site_db.commit()
    pages = [
        StudentVisitor(site.app).get(link)
        for link in (expired, deleted, link_of(site_db, ann)[:-3], "/me/link", "/me/link?link=" + "x" * 9_000)
    ]
    assert [page.status_code for page in pages] == [404] * 5
    assert len({plain(page.text) for page in pages}) == 1


def test_a_link_that_was_passed_on_is_of_no_use_without_the_index_number(site, site_db, ann):
    token = link_of(site_db, ann).partition("=")[2]
    friend = StudentVisitor(site.app)
    for guess in ("", "s2", "ann@example.edu"):
        answer = friend.post("/me/link", {"link": token, "index_number": guess})
        assert answer.status_code == 422
        assert "This link belongs to another index number." in plain(answer.text)
        assert "Ann" not in answer.text
    assert [friend.post("/me/link", {"link": token, "index_number": "s3"}).status_code for _ in range(3)] == [
        422, 422, 429,
    ]  # fmt: skip
    assert site_db.scalars(sa.select(StudentLink.id)).all() != []  # it is not spent, and ends by itself


@pytest.mark.parametrize(("who", "index_number_asked"), [("s1", False), ("ann@example.edu", False), ("s9", True)])
def test_the_browser_that_asked_needs_no_second_proof(site, site_db, ann, who, index_number_asked):
    visitor, _ = ask(site, who)
    link = link_of(site_db, ann)
    assert ("Your index number" in visitor.text(link)) is index_number_asked
    answer = visitor.post("/me/link", {"link": link.partition("=")[2]})
    assert answer.status_code == (422 if index_number_asked else 302)


def test_asking_for_another_link_is_no_proof_for_one_that_was_there_before(site, site_db, ann):
    """Whoever finds a link in somebody's mail reads the address beside it, and asks with that."""
    found = link_of(site_db, ann)
    thief, answer = ask(site, "ann@example.edu")
    assert answer.status_code == 302
    assert "Your index number" in thief.text(found)
    assert thief.post("/me/link", {"link": found.partition("=")[2]}).status_code == 422
    assert thief.post("/me/link", {"link": link_of(site_db, ann).partition("=")[2]}).status_code == 302


def test_it_ends_by_signing_out_everywhere_by_time_and_with_a_new_address(site, site_db, ann, monkeypatch):
    here, there = enter(site, site_db, ann), enter(site, site_db, ann)
    answer = here.post("/me/signout")
    assert answer.headers["Location"] == "/me/signin"
    for visitor in (here, there):
        assert visitor.get("/me").status_code == 302
    later = enter(site, site_db, ann)

    with monkeypatch.context() as patch:
        patch.setattr(identity, "utc_now", lambda: utc_now() + timedelta(seconds=3601))
        answer = later.get("/me")
        assert answer.headers["Location"] == "/me/signin?ended=1"
    assert "Your time here is over." in later.text("/me/signin?ended=1")
    moved = enter(site, site_db, ann)
    site_db.execute(sa.update(Student).values(email="other@example.edu"))
    site_db.commit()
    assert moved.get("/me").status_code == 302


def test_whoever_gets_the_id_of_a_deleted_student_is_shown_to_nobody(site, site_db, ann):
    """SQLite gives the id of the last row to the next one."""
    visitor, number = enter(site, site_db, ann), ann.id
    assert visitor.get("/me").status_code == 200
    site_db.delete(ann)
    site_db.commit()
    later = utc_now() + timedelta(minutes=2)
    site_db.add(Student(id=number, index_number="s2", name="Bob Secret", created_at=later))
    site_db.commit()
    answer = visitor.get("/me")
    assert answer.location == "/me/signin?ended=1"
    assert "Bob" not in answer.text


def test_a_student_opens_no_lecturers_page_and_a_lecturer_no_students(site, site_db, ann):
    lecturer = make_lecturer(site_db)
    course = make_course(site_db, lecturers=(lecturer,))
    enrol(site_db, course, ann)
    site_db.commit()
    visitor = enter(site, site_db, ann)
    teacher = site.visitor(lecturer)
    values = {"session_id": 1, "student_id": ann.id, "course_id": course.id, "form": "csv"}
    with site.app.test_request_context():
        for rule in site.app.url_map.iter_rules():
            if rule.endpoint == "static" or "GET" not in (rule.methods or ()):
                continue
            path = site.app.url_map.bind("localhost").build(
                rule.endpoint, {name: values.get(name, 1) for name in rule.arguments}
            )
            if path.startswith("/me"):
                answer = teacher.get(path)
                assert answer.status_code in (200, 302, 404), path
                assert "Ann" not in answer.text, path
            elif need_of(site.app, rule.endpoint) is not Access.ANYBODY:
                answer = visitor.get(path)
                assert answer.status_code in (302, 401), (path, answer.status)
                assert answer.status_code == 401 or "/signin" in answer.headers["Location"], path
    assert visitor.get("/me").status_code == 200  # still


def test_signing_in_as_one_ends_being_the_other(site, site_db, ann):
    lecturer = make_lecturer(site_db)
    site_db.commit()
    visitor = StudentVisitor(site.app).enter_as(lecturer)
    assert visitor.get("/").status_code == 200
    token = link_of(site_db, ann).partition("=")[2]
    visitor.post("/me/link", {"link": token, "index_number": "s1"})
    assert visitor.get("/me").status_code == 200
    assert visitor.get("/").status_code == 302
    visitor.post("/signin", {"email": lecturer.email, "password": "correct horse battery"})
    assert visitor.get("/").status_code == 200
    assert visitor.get("/me").status_code == 302


def test_where_no_mail_is_sent_it_says_whom_to_ask(tmp_path, migrated_file, site):
    site.app.config["ATTENDANCE"] = make_settings(tmp_path / "other", migrated_file)
    visitor = StudentVisitor(site.app)
    assert "No mail is sent from here. Ask an administrator" in visitor.text("/me/signin")
    assert visitor.client.post("/me/signin", data={"who": "s1"}).status_code == 400  # there is no form
