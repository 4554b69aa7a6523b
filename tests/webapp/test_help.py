"""Help stands where the question is: at fields whose meaning is not evident, and on pages whose words are our own."""

import re
from pathlib import Path

import pytest

import webapp
from attendance.database.models import Role, Student
from tests.factories import make_lecturer
from tests.webapp.addresses import furnish
from tests.webapp.me.students import enter

TEMPLATES = Path(webapp.__file__).parent / "templates"
EVIDENT = {
    "choice", "code", "current_password", "day", "email", "end", "first_day", "kind", "name", "password", "repeat",
    "start", "your_password",
}  # fmt: skip
"""Fields whose label says it all. `choice` and `kind` are among several under a hint of their own."""


def test_each_field_says_what_it_means_unless_its_label_does():
    silent = {}
    fields = 0
    for file in TEMPLATES.rglob("*.html"):
        for call in re.finditer(r"forms\.field\(([a-z_]+\.)?([a-z_]+)([^}]*)\}\}", file.read_text("utf-8")):
            fields += 1
            if "hint=" not in call[3] and call[2] not in EVIDENT:
                silent[f"{file.relative_to(TEMPLATES)}: {call[2]}"] = call[0]
    assert silent == {}
    assert fields > 90


PAGES = {
    "/sessions/{session_id}": ("What do the statuses mean?", "not recorded"),
    "/courses/{course_id}/students": ("How is the rate counted",),
    "/courses/{course_id}/matrix": ("How is the rate counted",),
    "/courses/{course_id}/report": ("How is the rate counted",),
    "/courses/{course_id}/statuses": ("What is a status of one's own?",),
    "/admin/statuses": ("What is a status of one's own?",),
    "/departments/{department_id}": ("How is the rate counted",),
    "/departments/{department_id}/at-risk": ("How is the rate counted",),
    "/departments/{department_id}/unrecorded": ("not recorded",),
    "/students/{student_id}": ("How is the rate counted",),
    "/students/{student_id}/excuses/new": ("What does an excuse do?",),
    "/records": ("What do the statuses mean?", "not recorded"),
    "/exam-office": ("How is the rate counted",),
    "/admin/courses/{course_id}/groups": ("Who is expected in a session of a group?",),
    "/admin/students/{student_id}": ("What does consent change?",),
    "/me": ("What do the statuses mean?", "How is the rate counted"),
}


@pytest.fixture
def visitors(site, site_db):
    values = furnish(site_db, 1)
    admin = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    return values, site.visitor(admin), enter(site, site_db, site_db.get_one(Student, values["student_id"]))


def test_the_pages_explain_the_words_that_are_the_products_own(visitors):
    values, admin, student = visitors
    for path, questions in PAGES.items():
        answer = (student if path == "/me" else admin).get(path.format(**values))
        assert answer.status_code == 200, path
        asked = re.findall(r"<details><summary>([^<]*)</summary><div>\s*<(?:p|dl)>", answer.text)
        for question in questions:
            assert any(question in one.replace("&#39;", "'") for one in asked), (path, question)
