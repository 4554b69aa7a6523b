"""The schema is the same on both databases as in the models, and addresses are refused by name."""

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.orm import Session

from attendance import database
from attendance.database.engine import (
    DatabaseError,
    LossyDowngradeError,
    address_file,
    create_database_engine,
    current_revision,
    downgrade,
    losses_of_downgrade,
    newest_revision,
    require_current_schema,
    session_factory,
    shown,
    sqlite_file,
    upgrade,
)
from attendance.database.entries import (
    Author,
    add_entry,
    change_entry,
    change_remark,
    history_of,
    take_out_entries,
)
from attendance.database.migrations.revisions import known_revisions
from attendance.database.models import (
    Attendance,
    AttendanceChange,
    Base,
    ClassSession,
    Closing,
    Excuse,
    FileContent,
    ImportedFile,
    ImportedFilePart,
    Observation,
    SeriesOrigin,
    SessionSeries,
    SessionState,
    SignInAttempt,
    Source,
    Status,
    Student,
    Unrecorded,
)
from attendance.database.register import Sighting, record_sighting
from tests.factories import NINE, enrol, make_course, make_group, make_lecturer, make_room, make_session, make_student
from tests.mariadb import MariaDb


def test_migrations_make_the_tables_of_the_models(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_down_and_up_again(engine: sa.Engine) -> None:
    downgrade(engine, "base")
    assert set(sa.inspect(engine).get_table_names()) <= {"alembic_version"}
    upgrade(engine)
    require_current_schema(engine)


def test_the_revisions_that_the_files_name_are_those_that_alembic_finds() -> None:
    folder = Path(database.__file__).with_name("migrations")
    scripts = ScriptDirectory(str(folder), recursive_version_locations=True)
    assert newest_revision() == scripts.get_current_head()
    assert known_revisions(Path(scripts.dir)) == {one.revision: one.down_revision for one in scripts.walk_revisions()}


def test_migrations_that_part_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _add_migration(tmp_path, monkeypatch, batch="class_session")
    later = tmp_path / "migrations" / "versions" / "later.py"
    other = later.read_text().replace('revision = "later"', 'revision = "other"', 1)
    later.with_name("other.py").write_text(other)
    with pytest.raises(DatabaseError, match="have 2 ends: later, other"):
        newest_revision()


def test_upgrade_of_a_current_database_keeps_its_rows(db: Session, engine: sa.Engine) -> None:
    db.add(Student(index_number="1", name="Zoë Łuczak 学生"))
    db.commit()
    upgrade(engine)
    assert current_revision(engine) == newest_revision()
    assert db.scalars(sa.select(Student.name)).all() == ["Zoë Łuczak 学生"]


def test_an_error_that_reaches_a_log_says_nothing_of_the_row(engine: sa.Engine, db: Session) -> None:
    make_student(db, "s1", name="Zoë Łuczak")
    db.commit()
    twice = sa.insert(Student).values(index_number="s1", name="Zoë Łuczak", created_at=NINE)
    for another in (engine, create_database_engine(engine.url.render_as_string(hide_password=False), patience_s=5)):
        with another.connect() as connection, pytest.raises(sa.exc.IntegrityError) as refused:
            connection.execute(twice)
        assert "Zoë" not in str(refused.value)
        assert "INSERT INTO student" in str(refused.value)


def test_index_numbers_are_told_apart_byte_by_byte(db: Session) -> None:
    db.add_all([Student(index_number=number, name="x") for number in ("ab1", "AB1", "é1", "e1")])
    db.commit()
    assert db.scalar(sa.select(sa.func.count()).select_from(Student)) == 4


def test_a_database_without_tables_says_what_to_do(database_url: str) -> None:
    with pytest.raises(DatabaseError, match="attendance db upgrade"):
        require_current_schema(create_database_engine(database_url))


def test_a_schema_of_a_newer_version_is_not_touched(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match=r"9999, which this version does not know"):
        require_current_schema(engine)
    with pytest.raises(DatabaseError, match=r"9999.*this version knows revisions up to 0"):
        upgrade(engine)


def test_a_later_migration_up_and_down_keeps_every_row(
    engine: sa.Engine, db: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, newest = _fill(db), newest_revision()
    _add_migration(tmp_path, monkeypatch, batch="class_session")
    with pytest.raises(DatabaseError, match=rf"{newest}, this version needs later: run `attendance db upgrade`"):
        require_current_schema(engine)

    upgrade(engine)
    require_current_schema(engine)
    assert "later" in {column["name"] for column in sa.inspect(engine).get_columns("class_session")}
    assert _register(db) == before

    downgrade(engine, newest)
    assert "later" not in {column["name"] for column in sa.inspect(engine).get_columns("class_session")}
    assert _register(db) == before
    with pytest.raises(sa.exc.IntegrityError):  # foreign keys hold again
        db.execute(sa.update(ClassSession).values(room_id=424_242))


def test_every_migration_down_and_up_keeps_what_both_schemas_hold(engine: sa.Engine, db: Session) -> None:
    before = _fill(db)
    downgrade(engine, "0001")
    assert "attendance_evidence" not in sa.inspect(engine).get_table_names()
    upgrade(engine)
    assert _register(db) == before
    assert db.scalars(sa.select(Student.gallery_encodings)).all() == [0] * len(before)


def test_sessions_are_indexed_by_their_start(engine: sa.Engine, db: Session) -> None:
    def indexes() -> set[str | None]:
        return {index["name"] for index in sa.inspect(engine).get_indexes("class_session")}

    before = _fill(db)
    assert "ix_class_session_starts_at" in indexes()
    downgrade(engine, "0002")
    assert "ix_class_session_starts_at" not in indexes()
    assert _register(db) == before
    upgrade(engine)
    assert "ix_class_session_starts_at" in indexes()
    assert _register(db) == before


def test_files_and_attempts_go_and_come_back_empty(engine: sa.Engine, db: Session) -> None:
    tables = {"imported_file", "imported_file_part", "sign_in_attempt"}
    before = _fill(db)
    lecturer = make_lecturer(db)
    db.flush()
    file = ImportedFile(token="t", account_id=lecturer.id, kind="students", file_name="a.csv", report={})
    db.add_all([file, SignInAttempt(account="a", address="b", tried_at=NINE)])
    db.flush()
    db.add(ImportedFilePart(file_id=file.id, content=FileContent.FILE, place=0, data=b"x"))
    db.commit()
    downgrade(engine, "0003")
    assert tables.isdisjoint(sa.inspect(engine).get_table_names())
    assert _register(db) == before
    upgrade(engine)
    assert tables <= set(sa.inspect(engine).get_table_names())
    assert _register(db) == before
    assert db.scalars(sa.select(ImportedFile)).all() == []


def test_versions_and_remarks_go_and_come_back_without_the_entries_being_lost(engine: sa.Engine, db: Session) -> None:
    before = _fill(db)
    row = db.scalars(sa.select(Attendance)).one()
    lecturer = make_lecturer(db)
    change_entry(db, row, Status.EXCUSED, Source.PERSON, Author("ill", lecturer.id))
    change_remark(db, row, "note", Author("noted", lecturer.id))
    other = make_student(db, "s2")
    gone = Attendance(session_id=row.session_id, student_id=other.id, status=Status.LATE, version=1)
    assert add_entry(db, gone, Author("late", lecturer.id))
    take_out_entries(db, [gone], Author("not here", lecturer.id))
    db.commit()
    assert db.scalars(history_of(row.session_id, other.id).with_only_columns(AttendanceChange.reason)).all() == [
        "not here",
        "late",
    ]
    db.rollback()  # MariaDB changes no table that somebody is reading
    downgrade(engine, "0004")
    assert "version" not in {column["name"] for column in sa.inspect(engine).get_columns("attendance")}
    with engine.begin() as connection:
        reasons = connection.execute(sa.text("SELECT reason FROM attendance_change ORDER BY id")).scalars().all()
    assert reasons == ["ill", "noted"]
    upgrade(engine)
    db.expire_all()
    assert [status for _, status in _register(db)] == [Status.EXCUSED] != [status for _, status in before]
    row = db.scalars(sa.select(Attendance)).one()
    assert (row.version, row.remark) == (1, None)
    with engine.begin() as connection:  # as a service of the version before does, while an installation is upgraded
        connection.execute(sa.text("DELETE FROM attendance_change"))
        connection.execute(sa.text("DELETE FROM attendance"))
        connection.execute(
            sa.text(
                "INSERT INTO attendance (session_id, student_id, status, source, updated_at)"
                " VALUES (:session, :student, 'late', 'machine', '2026-11-23 09:00:00')"
            ),
            {"session": row.session_id, "student": other.id},
        )
    db.rollback()
    assert db.scalars(sa.select(Attendance.version)).all() == [1]


def test_excuses_go_and_what_they_made_of_the_register_stays(engine: sa.Engine, db: Session) -> None:
    before = _fill(db)
    student = db.scalars(sa.select(Student.id)).one()
    db.add(Excuse(student_id=student, starts_at=NINE, ends_at=NINE.replace(hour=12), reason="ill"))
    db.commit()
    downgrade(engine, "0005")
    assert "excuse" not in sa.inspect(engine).get_table_names()
    assert _register(db) == before
    upgrade(engine)
    assert _register(db) == before
    assert db.scalars(sa.select(Excuse)).all() == []


def test_observation_goes_and_closed_sessions_come_back_as_from_before(engine: sa.Engine, db: Session) -> None:
    before = _fill(db)
    session = db.scalars(sa.select(ClassSession)).one()
    session.closed_at = session.ends_at
    seen = db.scalars(sa.select(Student)).one()
    seen.gallery_encodings, seen.gallery_updated_at = 3, NINE
    unknown = make_student(db, "s2")
    row = Attendance(session_id=session.id, student_id=unknown.id, unrecorded_reason=Unrecorded.UNRECOGNISABLE)
    assert add_entry(db, row, Author("closed"))
    db.add(Observation(room_id=session.room_id, hour=NINE, watched=2**60 - 1, counts=bytes(600)))
    db.commit()
    assert db.scalars(sa.select(Observation.watched)).all() == [2**60 - 1]
    db.rollback()
    downgrade(engine, "0006", lossy=True)
    assert "observation" not in sa.inspect(engine).get_table_names()
    assert _register(db) == before
    db.rollback()
    upgrade(engine)
    db.expire_all()
    assert _register(db) == before
    assert db.scalars(sa.select(Observation)).all() == []
    assert db.scalars(sa.select(ClassSession.closed_as)).all() == [Closing.BEFORE_OBSERVATION]
    assert dict(db.execute(sa.select(Student.index_number, Student.recognisable_since)).all()) == {
        seen.index_number: NINE,
        "s2": None,
    }


def test_sessions_become_series_of_one_and_lose_what_the_schema_before_cannot_hold(
    engine: sa.Engine, db: Session
) -> None:
    before = _fill(db)
    course = make_course(db)
    cancelled = make_session(db, course)
    cancelled.state = SessionState.CANCELLED
    group = make_group(db, course)
    make_session(db, course, group=group, also_for=(make_course(db),), also_in=(make_room(db),))
    db.add(SessionSeries(uid="u", origin=SeriesOrigin.FILE, course_id=course.id, group_id=group.id))
    db.commit()
    keeps = ClassSession.state == SessionState.SCHEDULED
    sessions = db.scalars(sa.select(ClassSession.id).where(keeps).order_by(ClassSession.id)).all()
    db.rollback()
    losses = [
        "1 cancelled sessions, which are deleted",
        "1 sessions in several rooms, which keep the first: whoever sits in another is not seen",
        "1 sessions for several courses or groups, which keep the first",
        "1 sessions of a group, which are for the whole course then",
        "1 groups of courses, with their members",
    ]
    assert losses_of_downgrade(engine, "0008") == losses
    with pytest.raises(LossyDowngradeError, match="1 cancelled sessions, which are deleted; 1 sessions in"):
        downgrade(engine, "0008")
    assert losses_of_downgrade(engine, "0008") == losses
    downgrade(engine, "0008", lossy=True)
    assert "course_group" not in sa.inspect(engine).get_table_names()
    assert _register(db) == before
    upgrade(engine)
    db.expire_all()
    assert _register(db) == before
    kept = db.scalars(sa.select(ClassSession).order_by(ClassSession.id)).all()
    assert [session.id for session in kept] == sessions
    for session in kept:
        assert session.series is not None
        assert (session.series.uid, session.series.course_id) == (f"session-{session.id}", session.course_id)
        assert (session.planned_at, session.cancelled, session.changed_at) == (session.starts_at, False, None)
        assert (session.further_rooms, session.further_audiences, session.group_id) == ([], [], None)
    db.rollback()
    with engine.begin() as connection:  # as a program of the version before does, while an installation is upgraded
        connection.execute(
            sa.text(
                "INSERT INTO class_session (course_id, room_id, starts_at, ends_at, early_minutes, grace_minutes)"
                " VALUES (:course, :room, '2026-11-23 09:00:00', '2026-11-23 10:00:00', 10, 10)"
            ),
            {"course": kept[0].course_id, "room": kept[0].room_id},
        )
    assert db.scalars(sa.select(ClassSession.state).order_by(ClassSession.id.desc())).first() is SessionState.SCHEDULED


def test_a_migration_that_fails_on_sqlite_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = create_database_engine(f"sqlite:///{tmp_path / 'attendance.db'}")
    upgrade(engine)
    with session_factory(engine)() as db:
        before, newest = _fill(db), newest_revision()
        _add_migration(tmp_path, monkeypatch, batch="class_session", then="DELETE FROM room")
        with pytest.raises(DatabaseError, match="rows that refer to nothing"):
            upgrade(engine)
        assert current_revision(engine) == newest
        assert _register(db) == before
    engine.dispose()


_LATER = """
import sqlalchemy as sa
from alembic import op

revision = "later"
down_revision = {newest!r}

def upgrade():
    with op.batch_alter_table({batch!r}, recreate="auto") as table:
        table.add_column(sa.Column("later", sa.String(20)))
        table.alter_column("early_minutes", existing_type=sa.SmallInteger(), type_=sa.Integer(), nullable=False)
    op.execute({then!r})

def downgrade():
    with op.batch_alter_table({batch!r}) as table:
        table.alter_column("early_minutes", existing_type=sa.Integer(), type_=sa.SmallInteger(), nullable=False)
        table.drop_column("later")
"""


def _add_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, batch: str, then: str = "SELECT 1") -> None:
    """Let this version have one more migration than it has, of a table that others refer to."""
    folder = shutil.copytree(Path(database.__file__).with_name("migrations"), tmp_path / "migrations")
    (folder / "versions" / "later.py").write_text(_LATER.format(batch=batch, then=then, newest=newest_revision()))
    monkeypatch.setattr("attendance.database.engine._MIGRATIONS", folder)


def _fill(db: Session) -> list[tuple[str, str | None]]:
    course = make_course(db)
    student = make_student(db, "s1", name="Zoë Łuczak 学生")
    enrol(db, course, student)
    session = make_session(db, course)
    record_sighting(db, Sighting(session.id, "s1", NINE, NINE, 0.9, None))
    db.commit()
    return _register(db)
    return _register(db)


def _register(db: Session) -> list[tuple[str, str | None]]:
    rows = db.execute(sa.select(Student.name, Attendance.status).join(Attendance).join(ClassSession)).all()
    db.rollback()
    assert len(rows) == 1
    return [(name, status) for name, status in rows]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://u:secret@h/d", r"postgresql://; use sqlite:/// or mysql\+pymysql://"),
        ("no address", "no database address"),
        ("mysql+pymysql://u:secret@h:port/d", "no database address"),
        ("mysql+pymysql://u:pa@secret@h/d", "more than one @. .* @ is %40"),
        ("mysql+pymysql://u@example.edu:secret@h/d", "more than one @"),
        ("mysql+pymysql://u:p@s:secret@h/d", "more than one @"),
        ("mysql+pymysql://u:p@s?secret@h/d", "more than one @"),
        ("mysql+pymysql://u:p@s/secret@h/d", "more than one @"),
        ("sqlite:////dev/null/secret-free/attendance.db", "cannot make the folder /dev/null/secret-free"),
    ],
)
def test_a_wrong_address_is_refused_without_its_password(url: str, says: str) -> None:
    with pytest.raises(DatabaseError, match=says) as caught:
        upgrade(create_database_engine(url))
    assert "secret@" not in str(caught.value)
    assert "pa@" not in str(caught.value)


@pytest.mark.parametrize("password", ["pa:ss", "pa/ss", "pa#ss", "pa?ss", "pa%zz", "pa[ss"])
def test_signs_that_an_address_takes_as_they_are(password: str) -> None:
    engine = create_database_engine(f"mysql+pymysql://u:{password}@h/d?passwd=other")
    assert (engine.url.password, engine.url.host, engine.url.database) == (password, "h", "d")
    assert shown(engine) == "mysql+pymysql://u:***@h/d"


def test_a_refused_password_may_have_signs_that_must_be_written_otherwise(mariadb_server: MariaDb) -> None:
    address = sa.make_url(mariadb_server.url("mysql")).set(password="per%cent")
    engine = create_database_engine(address.render_as_string(hide_password=False))
    with pytest.raises(DatabaseError, match=r"Access denied .* % is written %25, @ is %40") as caught:
        current_revision(engine)
    assert "per%cent" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:////var/one.db?timeout=5", Path("/var/one.db")),
        ("sqlite+pysqlite:///one.db", Path("one.db")),
        ("sqlite:///:memory:", None),
        ("sqlite://", None),
        ("sqlite:///file:/var/one.db?uri=true", None),
        ("mysql+pymysql://u:p@h/d", None),
    ],
)
def test_the_file_of_an_address_is_that_of_its_engine(url: str, file: Path | None) -> None:
    assert address_file(url) == sqlite_file(create_database_engine(url)) == file


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing of a database " * 100)
    engine = create_database_engine(f"sqlite:///{tmp_path / 'notes.txt'}")
    with pytest.raises(DatabaseError, match=r"notes\.txt cannot be used: file is not a database"):
        upgrade(engine)


def test_a_server_that_is_away_is_named_without_its_password() -> None:
    engine = create_database_engine("mysql+pymysql://someone:secret@127.0.0.1:9/attendance")
    with pytest.raises(DatabaseError, match=r"127\.0\.0\.1:9") as caught:
        require_current_schema(engine)
    assert "secret" not in str(caught.value)
