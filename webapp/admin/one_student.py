"""The form that names one student, to enrol or to put into a group."""

import sqlalchemy as sa
from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session

from attendance.database.models import Student
from attendance.tables.fields import INDEX_NUMBER
from webapp.admin.forms import AdminForm, text_field


class OneStudentForm(AdminForm):
    """A student, by index number."""

    index_number = text_field(lazy_gettext("Index number"), INDEX_NUMBER)

    def find(self, db: Session) -> Student | None:
        """The student whom a valid form names; None, with an error at the field, if there is none."""
        student = db.scalar(sa.select(Student).where(Student.index_number == self.index_number.data))
        if student is None:
            self.refuse(
                gettext("There is no student with index number %(index_number)s.", index_number=self.index_number.data)
            )
        return student

    def refuse(self, problem: str) -> None:
        """Say at the field why it cannot be this student."""
        self.index_number.errors = [problem]
