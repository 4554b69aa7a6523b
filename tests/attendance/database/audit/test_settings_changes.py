"""Which settings are changed since a program's last start is noted; never what they are."""

import json

import sqlalchemy as sa

from attendance.database.audit.settings_changes import note_settings
from attendance.database.models import ActorKind, AuditEntry, StartedProgram
from attendance.settings import Settings

SECRET = "a password of the mail server"


def _settings(**sections) -> Settings:
    return Settings.model_validate(sections)


def test_the_first_start_names_nothing_and_the_next_what_differs(engine, db):
    before = _settings(institution={"name": "A"}, database={"url": "sqlite:///x"})
    assert note_settings(engine, "dashboard", before) == []
    assert note_settings(engine, "dashboard", before) == []
    after = _settings(institution={"name": "B"}, database={"url": "mysql+pymysql://u:p@h/d"}, retention={"job_days": 7})
    changed = note_settings(engine, "dashboard", after)
    assert changed == ["ATTENDANCE_DATABASE_URL", "ATTENDANCE_INSTITUTION_NAME", "ATTENDANCE_RETENTION_JOB_DAYS"]
    assert note_settings(engine, "dashboard", after) == []
    entry = db.scalars(sa.select(AuditEntry)).one()
    assert (entry.action, entry.actor_kind, entry.actor) == ("settings.changed", ActorKind.PROGRAM, "dashboard")
    assert entry.details == {"settings": "DATABASE_URL, INSTITUTION_NAME, RETENTION_JOB_DAYS"}


def test_each_program_has_settings_of_its_own(engine, db):
    note_settings(engine, "dashboard", _settings(institution={"name": "A"}))
    assert note_settings(engine, "recognition service", _settings(institution={"name": "B"})) == []
    assert sorted(db.scalars(sa.select(StartedProgram.program))) == ["dashboard", "recognition service"]


def test_what_is_kept_proves_no_guess_of_a_secret(engine, db):
    note_settings(engine, "dashboard", _settings(mail={"user": "u", "password": SECRET}))
    row = db.scalars(sa.select(StartedProgram)).one()
    kept = json.dumps([row.salt, row.settings])
    assert SECRET not in kept
    assert len(row.settings["ATTENDANCE_MAIL_PASSWORD"]) == 3  # one of 4,096: thousands of guesses fit
    assert len(row.settings["ATTENDANCE_INSTITUTION_NAME"]) == 16


def test_a_database_that_refuses_keeps_nobody_from_starting(engine):
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE started_program")
    assert note_settings(engine, "dashboard", _settings()) == []
