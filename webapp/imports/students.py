"""Students from a CSV file."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.student_links import end_own_page_sign_ins
from attendance.database.consent import given_row, keep_given, outlives_withdrawal
from attendance.database.models import Student
from attendance.database.upkeep.erasure_requests import being_erased
from attendance.tables import fields
from attendance.tables.columns import CONSENT_DATE, CONSENT_MEANS, STUDENT_NAME, index_number_column
from attendance.tables.dates import parse_date
from attendance.tables.errors import LineError
from attendance.tables.reading import Column, Line
from attendance.texts import english, english_list
from webapp.imports.addresses import StudentAddresses
from webapp.imports.likeness import LikeNumbers
from webapp.imports.plan import ImportPlan, RecordKind
from webapp.imports.report import Outcome, Result
from webapp.imports.run import Importer, Numbered

_DECLARED_GROUP = Column(
    "declared_group",
    english("A group in the student's own words, for reports of errors by group. Empty leaves what is recorded."),
    required=False,
    rule=fields.DECLARED_GROUP,
)
_EMAIL = Column(
    "email",
    english(
        "The student's own e-mail address, to which links to the student's own page go. Empty leaves what is recorded."
    ),
    required=False,
    aliases=("e-mail", "mail", "email_address"),
    rule=fields.EMAIL,
)
_LANGUAGE = Column(
    "language",
    english("The language of mail and of the own page, like en or fr. Empty leaves what is recorded."),
    required=False,
    rule=fields.LANGUAGE,
)
_CHANGED = (
    "name", "consent_given_at", "consent_means", "consent_withdrawn_at", "declared_group", "email", "language"
)  # fmt: skip
_WANTED = (Student.id, Student.index_number, *(getattr(Student, name) for name in _CHANGED))


@dataclass(frozen=True)
class _Planned:
    """A student whom an earlier file of the plan adds, as a row of the database that says nothing yet."""

    name: str
    id: int = 0
    consent_given_at: datetime | None = None
    consent_means: str | None = None
    consent_withdrawn_at: datetime | None = None
    declared_group: str | None = None
    email: str | None = None
    language: str | None = None


@dataclass(frozen=True)
class StudentRecord:
    """A line of the file; None leaves what is recorded as it is."""

    index_number: str
    name: str
    consent_given_on: date | None
    consent_means: str | None
    declared_group: str | None
    email: str | None
    language: str | None


class StudentImporter(Importer[StudentRecord]):
    """Adds students; gives those already there what the file says of name, address, language and consent."""

    not_meant: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("group", "groups", "seminar_group", "seminar group", "class", "grupa"),
        english(
            "the group of a student in a course is imported as Course groups; what a student says of themselves, for "
            "reports of errors by group, has the heading declared_group."
        ),
    )

    def __init__(
        self, zone: ZoneInfo, *, rule: fields.TextRule = fields.INDEX_NUMBER, plan: ImportPlan | None = None
    ) -> None:
        super().__init__(plan)
        self._zone = zone
        self._number = index_number_column(rule)
        self.columns = (self._number, STUDENT_NAME, _EMAIL, CONSENT_DATE, CONSENT_MEANS, _DECLARED_GROUP, _LANGUAGE)
        self._like = LikeNumbers(self.plan)
        self._addresses = StudentAddresses()
        self._adding: dict[str, str] = {}

    def parse(self, line: Line, present: frozenset[str]) -> StudentRecord:
        """Check the fields of a line."""
        given = line.values.get("consent_date", "")
        if line.values.get("consent_means") and not given:
            raise LineError(english("consent_means is given without the day in consent_date."), "consent_date")
        return StudentRecord(
            name=line.text(STUDENT_NAME),
            index_number=line.text(self._number),
            consent_given_on=self._day(given) if given else None,
            consent_means=line.optional_text(CONSENT_MEANS),
            declared_group=line.optional_text(_DECLARED_GROUP),
            email=line.optional_text(_EMAIL),
            language=line.optional_text(_LANGUAGE),
        )

    def _day(self, text: str) -> date:
        day = parse_date(text, "consent_date")
        if day > datetime.now(self._zone).date():
            raise LineError(english("consent_date %(day)s is in the future.", day=str(day)), "consent_date")
        return day

    def _moment(self, day: date) -> datetime:
        return datetime.combine(day, time(), tzinfo=self._zone).astimezone(UTC)

    def key(self, record: StudentRecord) -> tuple[Hashable, str, str]:
        """The index number."""
        return (
            record.index_number,
            english("Index number %(index_number)s", index_number=record.index_number),
            "index_number",
        )

    def handle(self, db: Session, batch: Sequence[Numbered[StudentRecord]], *, apply: bool) -> list[Outcome]:
        """A few statements, whatever the size of the batch."""
        self._like.begin(db)
        self._addresses.begin(db, {item.record.email for item in batch if item.record.email})
        numbers = [item.record.index_number for item in batch]
        query = sa.select(*_WANTED).where(Student.index_number.in_(numbers))
        known: dict[str, Any] = {row.index_number: row for row in db.execute(query)}
        known |= {number: _Planned(one.name) for number, one in self.plan.planned(RecordKind.STUDENTS).items()}
        erasing = being_erased(db, [item.record.index_number for item in batch if item.record.consent_given_on])
        outcomes: list[Outcome] = []
        new: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        moved: list[int] = []
        consents: list[dict[str, Any]] = []
        for item in batch:
            row, record = known.get(item.record.index_number), item.record
            refusals = {
                "consent_date": self._refusal(row, record, erasing),
                "email": self._addresses.refusal(record.email, record.index_number),
            }
            column, refusal = next(((name, said) for name, said in refusals.items() if said), ("", None))
            if refusal is not None:
                outcomes.append(Outcome(item.line, Result.REFUSED, refusal, column))
                continue
            self._addresses.give(record.email, record.index_number)
            if row is None:
                new.append(self._new(record))
                question = self._like.question(record.index_number, item.line)
                outcomes.append(Outcome(item.line, Result.ADDED, records=1, question=question))
                continue
            changes, words = self._difference(row, record)
            if changes:
                changed.append({"id": row.id, **changes})
                moved += [row.id] if changes["email"] != row.email else []
                consents += [self._consent(row.id, changes)] if _consents(row, changes) else []
            message = (
                english(
                    "%(index_number)s is already there; %(words)s",
                    index_number=record.index_number,
                    words=english_list("; ", words),
                )
                if words
                else ""
            )
            outcomes.append(Outcome(item.line, Result.UPDATED if changes else Result.UNCHANGED, message))
        self._adding = {row["index_number"]: row["name"] for row in new}
        if apply:
            end_own_page_sign_ins(db, moved)
            write_rows(db, Student, new, changed)
            keep_given(db, [*self._consents_of_new(db, new), *consents])
        return outcomes

    def _consents_of_new(self, db: Session, new: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The consents of students whom a batch has added, as changes to keep."""
        given = {row["index_number"]: row for row in new if row["consent_given_at"]}
        if not given:
            return []
        query = sa.select(Student.index_number, Student.id).where(Student.index_number.in_(given))
        return [self._consent(student_id, given[number]) for number, student_id in db.execute(query)]

    def _consent(self, student_id: int, values: Mapping[str, Any]) -> dict[str, Any]:
        return given_row(student_id, values["consent_given_at"], values["consent_means"], self.plan.recorder)

    def settle(self) -> None:
        """Remember the students of the last batch."""
        self.plan.remember(RecordKind.STUDENTS, self._adding.items())
        self._like.settle()
        self._addresses.settle()

    def _refusal(self, row: Any, record: StudentRecord, erasing: frozenset[str]) -> str | None:
        """Why a line's consent cannot be recorded, or None."""
        if record.consent_given_on is None:
            return None
        if record.index_number in erasing:
            return english(
                "%(index_number)s is being erased. Import this line again when that is done.",
                index_number=record.index_number,
            )
        withdrawn = row.consent_withdrawn_at if row is not None else None
        if withdrawn is not None and not outlives_withdrawal(self._moment(record.consent_given_on), withdrawn):
            day = withdrawn.astimezone(self._zone).date()
            return english(
                "%(index_number)s withdrew the consent on %(day)s. Only one that was given later counts.",
                index_number=record.index_number,
                day=str(day),
            )
        return None

    def _new(self, record: StudentRecord) -> dict[str, Any]:
        return {
            "index_number": record.index_number,
            "name": record.name,
            "consent_given_at": None if record.consent_given_on is None else self._moment(record.consent_given_on),
            "consent_means": record.consent_means,
            "declared_group": record.declared_group,
            "email": record.email,
            "language": record.language,
        }

    def _difference(self, row: Any, record: StudentRecord) -> tuple[dict[str, Any], list[str]]:
        # Every row of a bulk update has the same columns, so that they go in one statement.
        after = {name: getattr(row, name) for name in _CHANGED} | {"name": record.name}
        words: list[str] = []
        if record.name != row.name:
            words.append(english("the name changes from %(former)s to %(name)s", former=row.name, name=record.name))
        if record.consent_given_on is not None:
            recorded = row.consent_given_at and row.consent_given_at.astimezone(self._zone).date()
            if recorded != record.consent_given_on:
                after["consent_given_at"] = self._moment(record.consent_given_on)
                after["consent_withdrawn_at"] = None
                words.append(english("consent given on %(day)s", day=str(record.consent_given_on)))
            if record.consent_means and record.consent_means != row.consent_means:
                after["consent_means"] = record.consent_means
                words.append(english("consent by %(means)s", means=record.consent_means))
        if record.declared_group is not None and record.declared_group != row.declared_group:
            after["declared_group"] = record.declared_group
            words.append(english("the declared group changes"))
        if record.email is not None and record.email != row.email:
            after["email"] = record.email
            words.append(english("the e-mail address becomes %(email)s", email=record.email))
        if record.language is not None and record.language != row.language:
            after["language"] = record.language
            words.append(english("the language becomes %(language)s", language=record.language))
        return (after, words) if words else ({}, [])


def _consents(before: Any, after: Mapping[str, Any]) -> bool:
    """Whether a change of a row is one of its consent."""
    given, means = after["consent_given_at"], after["consent_means"]
    return given is not None and (given, means) != (before.consent_given_at, before.consent_means)


def write_rows(
    db: Session, model: type[Any], new: Sequence[dict[str, Any]], changed: Sequence[dict[str, Any]] = ()
) -> None:
    """Insert rows and update others by their id, one statement each."""
    if new:
        db.execute(sa.insert(model), list(new))
    if changed:
        db.execute(sa.update(model), list(changed))
