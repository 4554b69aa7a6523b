"""Two imports at once, and pages that are used meanwhile, on SQLite and on MariaDB."""

import threading
import time
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from attendance.database.models import Course, Enrolment, Room, Student
from attendance.database.transactions import transact
from attendance.tables.fields import INDEX_NUMBER
from webapp.imports.kinds import KINDS
from webapp.imports.plan import RecordKind
from webapp.imports.together import ImportFile, Importing

LINES = 4_000
_PATIENCE_S = 5.0
"""For one look and one small change on a machine that is busy with other tests; alone it is some milliseconds."""


def enrolments(first: int) -> bytes:
    lines = (f"C{n % 7},s{n},Student {n}" for n in range(first, first + LINES))
    return "\n".join(("course_code,index_number,name", *lines)).encode()


def test_two_imports_at_once_are_both_right_and_nobody_else_waits_long(db, sessions):
    importing = Importing(ZoneInfo("UTC"), INDEX_NUMBER, frozenset({RecordKind.COURSES}))
    reports, waits, over = [], [], threading.Event()

    def import_one(first):
        with sessions() as own:
            file = ImportFile(KINDS["enrolments"], "e.csv", enrolments(first))
            reports.extend(importing.run(own, [file], apply=True))

    def use_pages():
        number = 0
        while not over.wait(0.02):
            began, number = time.monotonic(), number + 1
            with sessions() as own:
                own.scalars(sa.select(Student).order_by(Student.index_number).limit(50)).all()
                transact(own, lambda own: own.add(Room(name=f"Room {number}")))  # noqa: B023 - it is called at once
            waits.append(time.monotonic() - began)

    threads = [threading.Thread(target=import_one, args=(first,)) for first in (0, LINES // 2)]
    page = threading.Thread(target=use_pages)
    for thread in (page, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    page.join()
    added = sum(report.counts["added"] for report in reports)
    assert [report.counts["refused"] for report in reports] == [0, 0]
    assert added == LINES + LINES // 2
    counts = [db.scalar(sa.select(sa.func.count()).select_from(model)) for model in (Student, Enrolment, Course)]
    assert counts == [LINES + LINES // 2, LINES + LINES // 2, 7]
    assert len(waits) > 3
    assert max(waits) < _PATIENCE_S
