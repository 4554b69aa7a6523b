"""Photos that students propose: bounded, decided by a person, gone with the consent and by themselves."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.consent import BY_COMMAND
from attendance.database.engine import session_factory
from attendance.database.models import (
    ErasureKind,
    GalleryJob,
    GalleryJobPhoto,
    PhotoProposal,
    ProposalState,
)
from attendance.database.requests.proposals import (
    MOST_A_DAY,
    MOST_WAITING,
    ProposalError,
    decide_proposals,
    proposals_of,
    propose_photos,
    proposed_photo,
    take_back_proposal,
)
from attendance.database.upkeep.erasure_requests import request_erasure
from attendance.database.upkeep.retention import Retention, purge
from tests.factories import NINE, make_lecturer, make_student

FORTNIGHT = timedelta(days=14)
NEVER = timedelta(days=36_500)


@pytest.fixture
def people(db):
    """A student who consents, and a lecturer."""
    student, lecturer = make_student(db, "s1"), make_lecturer(db)
    student.consent_given_at = NINE
    db.commit()
    return student, lecturer


def propose(db, student, *names, now=NINE, kept_for=FORTNIGHT):
    photos = [(name, name.encode() * 3) for name in names]
    propose_photos(db, student_id=student.id, photos=photos, kept_for=kept_for, now=now)
    ids = sa.select(PhotoProposal.id).where(PhotoProposal.file_name.in_(names)).order_by(PhotoProposal.id)
    return list(db.scalars(ids))


def decide(db, student, lecturer, accepted=(), rejected=(), reason="", *, now=NINE):  # noqa: PLR0917
    return decide_proposals(
        db, student_id=student.id, accepted=accepted, rejected=rejected, reason=reason, account_id=lecturer.id,
        kept_for=FORTNIGHT, now=now,
    )  # fmt: skip


def test_accepted_ones_go_to_the_gallery_and_no_content_stays(db, people):
    student, lecturer = people
    a, b, c = propose(db, student, "a.jpg", "b.jpg", "c.jpg")
    assert db.scalars(sa.select(GalleryJob.id)).all() == []  # nothing is made of them before
    assert decide(db, student, lecturer, [a], [b], "Somebody else.") == (1, 1)
    job = db.scalars(sa.select(GalleryJob)).one()
    assert (job.index_number, job.requested_by_id) == ("s1", lecturer.id)
    assert db.execute(sa.select(GalleryJobPhoto.file_name, GalleryJobPhoto.content)).all() == [("a.jpg", b"a.jpg" * 3)]
    rows = {row.id: (row.state, row.reason, row.decided_by_id) for row in db.scalars(sa.select(PhotoProposal))}
    assert rows == {
        a: (ProposalState.ACCEPTED, None, lecturer.id),
        b: (ProposalState.REJECTED, "Somebody else.", lecturer.id),
        c: (ProposalState.WAITING, None, None),
    }
    assert db.scalars(sa.select(PhotoProposal.content).where(PhotoProposal.id != c)).all() == [None, None]
    assert decide(db, student, lecturer, [a, b], [], "") == (0, 0)  # pressed twice
    assert len(db.scalars(sa.select(GalleryJob.id)).all()) == 1


def test_nothing_is_taken_or_accepted_without_consent_or_while_erased(db, people):
    student, lecturer = people
    (a,) = propose(db, student, "a.jpg")
    student.consent_given_at = None
    db.commit()
    with pytest.raises(ProposalError, match="Without consent"):
        propose(db, student, "b.jpg")
    with pytest.raises(ProposalError, match="Without consent"):
        decide(db, student, lecturer, [a])
    assert decide(db, student, lecturer, [], [a], "No.") == (0, 1)  # which is always possible
    student.consent_given_at = NINE
    request_erasure(db, "s1", kind=ErasureKind.WITHDRAWAL, now=NINE, recorder=BY_COMMAND)
    db.commit()
    with pytest.raises(ProposalError, match="being erased"):
        propose(db, student, "b.jpg")


def test_they_are_bounded_at_a_time_and_in_a_day(db, people):
    student, lecturer = people
    many = [f"{number}.jpg" for number in range(MOST_WAITING)]
    ids = propose(db, student, *many)
    with pytest.raises(ProposalError, match=f"At most {MOST_WAITING} photos wait at a time; {MOST_WAITING} of yours"):
        propose(db, student, "more.jpg")
    decide(db, student, lecturer, [], ids, "Blurred.")
    again = propose(db, student, *(f"again-{name}" for name in many))
    decide(db, student, lecturer, [], again, "Blurred.")
    with pytest.raises(ProposalError, match=f"At most {MOST_A_DAY} photos are taken in a day"):
        propose(db, student, "more.jpg")
    assert len(propose(db, student, "tomorrow.jpg", now=NINE + timedelta(hours=24))) == 1


def test_they_end_by_themselves_whether_or_not_anybody_purges(db, people, engine):
    student, lecturer = people
    (a,) = propose(db, student, "a.jpg", now=NINE)
    later = NINE + FORTNIGHT
    assert decide(db, student, lecturer, [a], now=later) == (0, 0)
    assert proposed_photo(db, student.id, a, kept_for=FORTNIGHT - FORTNIGHT) is None
    assert proposals_of(db, student.id, kept_for=timedelta()) == []
    assert proposed_photo(db, student.id, a, kept_for=NEVER) == b"a.jpg" * 3
    db.commit()
    done = purge(session_factory(engine), Retention(None, None, None, proposals=later + timedelta(seconds=1)))
    assert done["photos that students proposed"] == 1
    assert db.scalars(sa.select(PhotoProposal.id)).all() == []


def test_a_rejection_has_a_reason_and_only_the_own_are_taken_back(db, people):
    student, lecturer = people
    other = make_student(db)
    db.commit()
    a, b = propose(db, student, "a.jpg", "b.jpg")
    for reason, sentence in (("  ", "The reason is empty."), ("x" * 501, "The reason has 501 characters")):
        with pytest.raises(ProposalError, match=sentence):
            decide(db, student, lecturer, [], [a], reason)
    assert not take_back_proposal(db, proposal_id=a, student_id=other.id)
    assert take_back_proposal(db, proposal_id=a, student_id=student.id)
    decide(db, student, lecturer, [], [b], "No.")
    assert not take_back_proposal(db, proposal_id=b, student_id=student.id)
    assert proposed_photo(db, other.id, b, kept_for=NEVER) is None
