"""Every change of a consent is kept, with who recorded it, by whichever way it came."""

import sqlalchemy as sa

from attendance.database.consent import BY_COMMAND, BY_STUDENT, by_account, consent_history, give_consent
from attendance.database.engine import begin_writing, downgrade, losses_of_downgrade, upgrade
from attendance.database.models import ConsentChange, ConsentKind, ConsentRecorder, Student
from attendance.database.upkeep.erasure import withdraw_within
from tests.factories import NINE, make_lecturer, make_student


def test_given_corrected_withdrawn_and_given_again(db):
    student, lecturer = make_student(db, "s1"), make_lecturer(db)
    db.commit()
    begin_writing(db)
    for _ in range(2):  # said twice, it is one change
        give_consent(db, student, given_at=NINE, means="form", recorder=by_account(lecturer.id))
    give_consent(db, student, given_at=NINE, means="signed form", recorder=BY_COMMAND)
    for _ in range(2):
        withdraw_within(db, "s1", now=NINE.replace(hour=10), recorder=BY_STUDENT)
    assert (student.consent_given_at, student.consent_means) == (None, None)
    assert student.consent_withdrawn_at == NINE.replace(hour=10)
    give_consent(db, student, given_at=NINE.replace(hour=11), means="own page", recorder=BY_STUDENT)
    db.commit()
    assert student.consent_withdrawn_at is None
    kept = [(each.kind, each.happened_at.hour, each.means, each.recorder) for each in consent_history(db, student.id)]
    assert kept == [
        (ConsentKind.GIVEN, 11, "own page", ConsentRecorder.STUDENT),
        (ConsentKind.WITHDRAWN, 10, None, ConsentRecorder.STUDENT),
        (ConsentKind.GIVEN, 9, "signed form", ConsentRecorder.COMMAND),
        (ConsentKind.GIVEN, 9, "form", ConsentRecorder.ACCOUNT),
    ]
    assert consent_history(db, student.id)[3].account.name == lecturer.name


def test_what_was_known_before_changes_were_kept_is_the_first_one(db, engine):
    given, withdrawn, neither = (make_student(db, number) for number in ("s1", "s2", "s3"))
    given.consent_given_at, given.consent_means = NINE, "form"
    withdrawn.consent_withdrawn_at = NINE
    neither.email = "three@example.edu"
    db.add(ConsentChange(student_id=given.id, kind="given", happened_at=NINE, recorder=ConsentRecorder.COMMAND))
    db.commit()
    losses = losses_of_downgrade(engine, "0012")
    assert losses == ["1 addresses of students", "1 changes of consent: the last one stays"]
    db.close()
    downgrade(engine, "0012", lossy=True)
    upgrade(engine)
    rows = db.execute(
        sa.select(Student.index_number, ConsentChange.kind, ConsentChange.means, ConsentChange.recorder)
        .join(ConsentChange, ConsentChange.student_id == Student.id)
        .order_by(Student.index_number)
    )
    earlier = ConsentRecorder.EARLIER
    assert [tuple(row) for row in rows] == [
        ("s1", ConsentKind.GIVEN, "form", earlier),
        ("s2", ConsentKind.WITHDRAWN, None, earlier),
    ]
    assert db.scalars(sa.select(Student.email)).all() == [None, None, None]
    assert losses_of_downgrade(engine, "0012") == []
