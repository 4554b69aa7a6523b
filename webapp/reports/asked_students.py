"""What the address of a course's list of students asks for: the list and the matrix are narrowed alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from attendance.database.models import Course, CourseGroup
from attendance.database.thresholds import threshold_of
from webapp.reports.asked import Order, asked_below, asked_number, asked_order, asked_search
from webapp.reports.course_marks import groups_of_course
from webapp.reports.period import Period, asked_period


@dataclass(frozen=True, slots=True)
class AskedStudents:
    """Which students of a course, and in which order.

    Attributes:
        groups: of the course, to choose from.
        below: only those below so many percent; None for all.
        threshold: in percent; `below`, or else the course's own.
        period: whose sessions count.
    """

    groups: Sequence[CourseGroup]
    group_id: int | None
    search: str
    below: int | None
    threshold: int
    order: Order
    period: Period

    @property
    def narrowed(self) -> bool:
        """Whether anybody or anything may be left out."""
        return bool(self.search or self.group_id or self.below or self.period)

    def words(self) -> Iterator[str]:
        """Words for a file's name."""
        yield from (group.name for group in self.groups if group.id == self.group_id)
        yield self.search
        if self.below is not None:
            yield f"below-{self.below}"
        yield from self.period.file_words()


def asked_students(db: Session, course: Course, orders: Sequence[str]) -> AskedStudents:
    """Read the address: `?q=`, `?group=`, `?below=`, `?from=`, `?to=`, `?sort=`, `?order=`.

    What cannot be meant is answered 400 or 404.
    """
    groups, below = groups_of_course(db, course.id), asked_below()
    return AskedStudents(
        groups,
        group_id=asked_number("group", {group.id for group in groups}),
        search=asked_search(),
        below=below,
        threshold=threshold_of(db, course) if below is None else below,
        order=asked_order(orders),
        period=asked_period(),
    )
