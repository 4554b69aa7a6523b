"""Students at their own page, for tests."""

import re
from datetime import timedelta

from sqlalchemy.orm import Session

from attendance.database.access.student_links import make_student_link
from attendance.database.models import Student, utc_now
from tests.webapp.visiting import Site, Visitor


def link_of(db: Session, student: Student, *, minutes: float = 30) -> str:
    """A link for the student, as it stands in a mail, from the site's root."""
    token = make_student_link(db, student.id, now=utc_now(), lifetime=timedelta(minutes=minutes))
    db.commit()
    return f"/me/link?link={token}"


class StudentVisitor(Visitor):
    """A student's browser without a screen."""

    def token(self) -> str:
        """The token that forms of this visitor carry."""
        pages = (self.client.get(path, follow_redirects=True).text for path in ("/me/consent", "/signin"))
        found = next(filter(None, (re.search(r'name="csrf_token" value="([^"]+)"', page) for page in pages)), None)
        assert found, "no form"
        return found[1]


def enter(site: Site, db: Session, student: Student) -> StudentVisitor:
    """A browser in which the student has opened a link."""
    visitor = StudentVisitor(site.app)
    token = link_of(db, student).partition("=")[2]
    answer = visitor.post("/me/link", {"link": token, "index_number": student.index_number})
    assert answer.status_code == 302, answer.text
    return visitor
