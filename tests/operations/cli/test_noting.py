"""Every command changes nothing, or leaves an entry of the audit log with the operating system's user."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.orm import Session

from attendance.database.models import ActorKind, AuditEntry, ImportedFile
from operations.cli.main import attendance
from tests.factories import NINE, make_course, make_department, make_lecturer, make_student

NOTED = {
    "camera add", "camera mark", "camera move", "camera remove", "camera revoke", "camera rotate", "db backup",
    "db copy", "db downgrade", "db restore", "db upgrade", "enrol", "gallery convert", "gallery erase",
    "gallery work", "import", "index build", "recordings run", "index export-pickle", "index import", "lecturer add",
    "lecturer lift-second-factor", "lecturer links", "lecturer reset-password", "lecturer role", "purge",
    "register entered-late", "serve", "student delete", "student link", "student set", "token add", "token revoke",
    "web", "web work",
}  # fmt: skip
"""They change something that the log tells of, or start a program whose settings it compares."""

UNNOTED = {
    "calibrate": "writes thresholds into a settings file, which the next start of a program notes",
    "camera run": "runs on a camera, which has no database",
    "camera list": "shows",
    "config": "shows",
    "db current": "shows",
    "demo": "an installation of its own, for an hour",
    "doctor": "shows",
    "engine info": "shows",
    "evaluate": "measures",
    "gallery erasures": "shows",
    "index info": "shows",
    "lecturer list": "shows",
    "models fetch": "files of models, which everybody may have",
    "models list": "shows",
    "student show": "shows",
    "tls examine": "shows",
    "tls make-test-ca": "files for a trial",
    "tls renew-trial": "files for a trial",
    "token list": "shows",
}


def _commands(group: click.Group, before: str = "") -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        path = f"{before} {name}".strip()
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield path
            yield from _commands(command, path)
        else:
            yield path


def test_each_command_is_in_one_of_the_two_lists() -> None:
    assert set(_commands(attendance)) == NOTED | UNNOTED.keys()
    assert not NOTED & UNNOTED.keys()


@pytest.fixture
def log(db: Session, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Session:
    """The database of the commands, with a course, a department and a student."""
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", database_url)
    monkeypatch.setenv("ATTENDANCE_DATA_DIRECTORY", str(tmp_path / "data"))
    monkeypatch.setenv("ATTENDANCE_WEB_ADDRESS", "https://attendance.example.edu")
    monkeypatch.delenv("SUDO_USER", raising=False)
    make_course(db, "CS101", department=make_department(db, "Physics"))
    make_student(db, "s1")
    db.commit()
    db.close()
    return db


def _run(*words: str) -> None:
    done = CliRunner().invoke(attendance, words)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("commands", "said"),
    [
        (
            ["lecturer add --email a@b.org --name Ada --admin --head-of Physics --generate",
             "lecturer role a@b.org --teaches CS101", "lecturer role a@b.org --teaches CS101 --remove",
             "lecturer reset-password a@b.org --generate"],
            [("account.added", "a@b.org", None), ("role.given", "a@b.org", {"role": "administrator"}),
             ("role.given", "a@b.org", {"role": "department", "department": "Physics"}),
             ("role.given", "a@b.org", {"role": "lecturer", "course": "CS101"}),
             ("role.taken", "a@b.org", {"role": "lecturer", "course": "CS101"}), ("password.reset", "a@b.org", None)],
        ),
        (
            ["camera add hall --room Aula --create-room", "camera mark hall extra",
             "camera move hall --room B --create-room", "camera rotate hall", "camera revoke hall",
             "camera remove hall"],
            [("room.added", "Aula", None), ("camera.added", "hall", None), ("token.made", "hall", None),
             ("camera.changed", "hall", {"fields": "extra"}), ("room.added", "B", None),
             ("camera.changed", "hall", {"fields": "room_id"}), ("token.made", "hall", None),
             ("token.ended", "hall", None), ("camera.deleted", "hall", None)],
        ),
        (
            ["token add nagios --role monitoring", "token revoke nagios"],
            [("token.made", "nagios", {"role": "monitoring"}), ("token.ended", "nagios", None)],
        ),
        (
            ["student set s1 --email a@b.org", "student link s1"],
            [("student.changed", None, {"fields": "email"}), ("own_page.link_made", None, None)],
        ),
    ],
)  # fmt: skip
def test_what_a_command_did_is_noted_with_who_ran_it(log, commands, said) -> None:
    for command in commands:
        _run(*command.split())
    entries = log.scalars(sa.select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(entry.action, entry.subject, entry.details) for entry in entries] == said
    for entry in entries:
        assert (entry.actor_kind, entry.actor) == (ActorKind.COMMAND, pwd.getpwuid(os.getuid()).pw_name)
        assert entry.student == ("s1" if entry.action in ("student.changed", "own_page.link_made") else None)
        assert not {"cam_", "op_", "me_"} & {str(vars(entry))[at : at + 4] for at in range(len(str(vars(entry))))}


def test_an_import_is_noted_with_its_counts_and_each_consent(log, tmp_path) -> None:
    file = tmp_path / "new.csv"
    file.write_text("index_number,name,consent_date\n990001,Grace Hopper,2026-01-07\n")
    _run("import", "students", str(file))
    assert log.scalars(sa.select(AuditEntry)).all() == []  # a trial
    log.rollback()
    _run("import", "students", str(file), "--apply")
    consent, imported = log.scalars(sa.select(AuditEntry).order_by(AuditEntry.id)).all()
    assert (consent.action, consent.student) == ("consent.given", "990001")
    assert (imported.action, imported.subject, imported.actor_kind) == ("file.imported", "students", ActorKind.COMMAND)
    assert imported.details | {"lines": 1, "added": 1} == imported.details


def test_a_backup_and_a_purge_are_noted(log) -> None:
    log.add(
        ImportedFile(token="t", account_id=_account(log), kind="students", file_name="a", report={}, uploaded_at=NINE)
    )
    log.commit()
    log.close()
    _run("db", "backup")
    _run("purge")
    _run("purge")  # which finds nothing more
    saved, purged = log.scalars(sa.select(AuditEntry).order_by(AuditEntry.id)).all()
    assert (saved.action, saved.subject) == ("command.run", "attendance db backup")
    assert saved.details["file"].startswith("attendance-")
    assert purged.details == {"files that were tried or imported": 1}


def _account(db: Session) -> int:
    account = make_lecturer(db)
    return account.id
