"""Who may open the administrator's pages: every address is asked, also those that somebody adds later."""

import pytest
from flask import url_for

from attendance.database.models import (
    Account,
    AccountRole,
    Camera,
    Course,
    LabelColour,
    QueuedMail,
    Role,
    Room,
    Status,
    StatusLabel,
    Student,
    TeachingBreak,
)
from tests.factories import (
    NINE,
    enrol,
    make_camera,
    make_course,
    make_department,
    make_group,
    make_lecturer,
    make_room,
    make_session,
    make_student,
)
from webapp.imports.kinds import KINDS


@pytest.fixture
def furnished(site, site_db):
    """Something to be reached at each address; the rows' ids by the names that addresses have for them."""
    lecturer = make_lecturer(site_db, name="Ada Byron")
    course, student, room = make_course(site_db, lecturers=(lecturer,)), make_student(site_db), make_room(site_db)
    enrol(site_db, course, student)
    camera = make_camera(site_db, room=room, token="cam_x")
    session, group = make_session(site_db, course, room), make_group(site_db, course, members=(student,))
    head = make_lecturer(site_db, role=Role.DEPARTMENT, of=make_department(site_db))
    holidays = TeachingBreak(first_day=NINE.date(), last_day=NINE.date(), name="Holidays")
    label = StatusLabel(kind=Status.LATE, name="Online", letter="O", colour=LabelColour.BLUE, weight=1)
    mail = QueuedMail(kind="test", recipient="ada@example.edu", data={})
    site_db.add_all([holidays, label, mail])
    site_db.commit()
    return {
        "account_id": head.id,
        "role_id": head.roles[0].id,
        "department_id": head.roles[0].department_id,
        "course_id": course.id,
        "student_id": student.id,
        "room_id": room.id,
        "camera_id": camera.id,
        "session_id": session.id,
        "group_id": group.id,
        "break_id": holidays.id,
        "label_id": label.id,
        "kind_name": "students",
        "mail_id": mail.id,
        "mail_kind": "invitation",
        "token": "A" * 22,
    }


def admin_addresses(site, values):
    """(method, address) of everything under /admin."""
    asked = []
    with site.app.test_request_context():
        for rule in site.app.url_map.iter_rules():
            if not rule.rule.startswith("/admin"):
                continue
            known = values | dict(rule.defaults or {})
            unknown = rule.arguments - known.keys()
            assert not unknown, f"{rule.rule}: teach this test what {unknown} is"
            address = url_for(rule.endpoint, **{name: known[name] for name in rule.arguments})
            asked += [(method, address) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]
    assert len(asked) > 40
    return asked


def test_a_lecturer_who_is_no_administrator_opens_none_of_them(site, site_db, furnished):
    visitor = site.visitor(site_db.get(Account, furnished["account_id"]))
    token = visitor.token()
    counts = {model: site_db.query(model).count() for model in (Camera, Course, Account, Room, Student)}
    for method, address in admin_addresses(site, furnished):
        data = {"csrf_token": token} if method == "POST" else None
        answer = visitor.client.open(address, method=method, data=data)
        assert answer.status_code == 403, (method, address)
        assert "This page is for administrators" in answer.text
    site_db.expire_all()
    assert counts == {model: site_db.query(model).count() for model in counts}


def test_somebody_signed_out_is_asked_to_sign_in(site, furnished):
    client = site.visitor().client
    for method, address in admin_addresses(site, furnished):
        answer = client.open(address, method=method)
        assert answer.status_code == 302, (method, address)
        assert answer.headers["Location"].startswith("/signin")


def test_an_administrator_opens_each(site, site_db, furnished):
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    visitor = site.visitor(admin)
    for method, address in admin_addresses(site, furnished):
        if method == "GET":
            expected = 404 if "/runs/" in address else 200
            assert visitor.get(address).status_code == expected, address
    for kind in KINDS:
        assert visitor.get(f"/admin/import/{kind}").status_code == 200


def test_every_change_needs_the_form_of_this_sign_in(site, site_db, furnished):
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    client = site.visitor(admin).client
    for method, address in admin_addresses(site, furnished):
        if method == "POST":
            assert client.post(address).status_code == 400, address
    assert site_db.get(Student, furnished["student_id"]) is not None


def test_what_is_not_there_is_404(site, site_db, furnished):
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    visitor = site.visitor(admin)
    for missing in (999_999, 2**31, 10**30):
        gone = {name: missing if isinstance(value, int) else value for name, value in furnished.items()}
        for method, address in admin_addresses(site, gone):
            if str(missing) in address:
                answer = visitor.get(address) if method == "GET" else visitor.post(address)
                assert answer.status_code == 404, (method, address)
    assert visitor.get("/admin/import/nothing").status_code == 404
    assert visitor.get("/admin/import/runs/..%2F..%2Fsecret").status_code == 404


def test_somebody_made_lecturer_or_inactive_is_out_at_once(site, site_db):
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    visitor = site.visitor(admin)
    assert visitor.get("/admin").status_code == 200
    admin.roles.clear()
    site_db.commit()
    assert visitor.get("/admin").status_code == 403
    admin.roles.append(AccountRole(role=Role.ADMIN, everywhere=True))
    admin.active = False
    site_db.commit()
    assert visitor.get("/admin").status_code == 302
