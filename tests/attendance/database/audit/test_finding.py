"""Finding entries: what filters keep, in which order, and that a million rows are as quick as a page."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audit.finding import EntryFilter, EntryPlace, all_entries, entries, entries_above, place_of
from attendance.database.models import ActorKind, AuditEntry
from tests.factories import NINE

EVERYTHING = EntryFilter()


@pytest.fixture
def log(db: Session) -> Session:
    """Twelve entries, two at each moment."""
    actions = ("sign_in.done", "sign_in.failed", "student.changed")
    for number in range(12):
        entry = AuditEntry(happened_at=NINE + timedelta(minutes=number // 2), action=actions[number % 3])
        entry.actor_kind, entry.actor = ActorKind.ACCOUNT, f"p{number % 2}@example.edu"
        entry.student = f"s{number % 4}"
        entry.subject = "p0@example.edu" if number == 5 else None
        db.add(entry)
        db.flush()
    db.commit()
    return db


def _numbers(found) -> list[int]:
    first = min(entry.id for entry in found) if found else 0
    return [entry.id - first for entry in found]


def test_the_newest_come_first_in_the_order_of_their_numbers(log):
    assert _numbers(entries(log, EVERYTHING, most=99)) == list(range(11, -1, -1))


def test_pages_follow_each_other_without_a_gap_and_back(log):
    page, seen = entries(log, EVERYTHING, most=5), []
    while page:
        seen += [entry.id for entry in page]
        page = entries(log, EVERYTHING, below=place_of(page[-1]), most=5)
    whole = [entry.id for entry in entries(log, EVERYTHING, most=99)]
    assert seen == whole
    back = entries_above(log, EVERYTHING, above=EntryPlace(NINE + timedelta(minutes=2), whole[7]), most=5)
    assert [entry.id for entry in back] == whole[2:7]


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        (EntryFilter(action="sign_in.failed"), 4),
        (EntryFilter(action="sign_in"), 8),
        (EntryFilter(action="sign"), 0),
        (EntryFilter(action="%"), 0),
        (EntryFilter(person="p1@example.edu"), 6),
        (EntryFilter(person="p0@example.edu"), 7),
        (EntryFilter(student="s3"), 3),
        (EntryFilter(since=NINE + timedelta(minutes=4)), 4),
        (EntryFilter(before=NINE + timedelta(minutes=1)), 2),
        (EntryFilter(action="student", person="p0@example.edu", student="s1", since=NINE, before=NINE), 0),
    ],
)
def test_filters_keep_what_is_wanted(log, wanted, kept):
    found = entries(log, wanted, most=99)
    assert len(found) == kept
    assert [entry.id for entry in all_entries(log, wanted, at_once=2)] == [entry.id for entry in found]


def test_a_person_is_found_on_either_side_page_by_page(log):
    wanted = EntryFilter(person="p0@example.edu")
    first = entries(log, wanted, most=4)
    rest = entries(log, wanted, below=place_of(first[-1]), most=4)
    assert len(first) + len(rest) == 7
    assert [e.id for e in (*first, *rest)] == sorted((e.id for e in (*first, *rest)), reverse=True)


def test_each_filter_reads_a_range_of_an_index(log):
    if log.get_bind().dialect.name != "sqlite":
        pytest.skip("plans of MariaDB depend on how many rows there are")
    for column in (AuditEntry.action, AuditEntry.actor, AuditEntry.subject, AuditEntry.student):
        query = sa.select(AuditEntry).where(column == "x").order_by(AuditEntry.happened_at.desc(), AuditEntry.id.desc())
        asked = query.limit(5).compile(log.get_bind(), compile_kwargs={"literal_binds": True})
        plan = " ".join(str(row) for row in log.execute(sa.text(f"EXPLAIN QUERY PLAN {asked}")))
        assert f"ix_audit_entry_{column.key}_happened_at" in plan
        assert "TEMP B-TREE" not in plan
