"""What each role may: the one table of it, which docs/roles.md is drawn from.

A view says with `needs` what it wants; then `webapp.account.identity` refuses who has it nowhere, and
`webapp.account.reach` finds only what belongs to courses and departments in which somebody has it.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar

from flask import Flask

from attendance.database.models import Role

T = TypeVar("T")

_NEEDS = "attendance_needs"
_SCOPE = "attendance_scope"


class Permission(StrEnum):
    """What somebody may; the value is how documents call it."""

    READ = "open courses, registers, records and students"
    CORRECT = "correct entries of a register, one or several, and take it by hand"
    EXCUSE = "excuse students"
    PLAN = "move, cancel and restore sessions, and name the course's own statuses"
    RECOGNISE = "decide on photos that students propose of themselves"
    TERM = "reports and exports over many sessions"
    DEPARTMENT = "reports that compare the courses of a department"
    AUDIT = "the audit log: who did what, when and from where"
    AIM = "what a camera sees just now, while it is hung, and the areas in which faces count"
    ADMINISTER = "administration: people and roles, courses, rooms, cameras, timetable, imports"


class Access(StrEnum):
    """What wants no role."""

    ANYBODY = "anybody"
    SIGNED_IN = "whoever is signed in"
    STUDENT = "the student who came in by a link; no account, whatever its roles"


OF_PERMISSIONS: Mapping[Permission, str] = {
    permission: permission.name.lower()
    for permission in (
        Permission.READ,
        Permission.CORRECT,
        Permission.EXCUSE,
        Permission.PLAN,
        Permission.TERM,
        Permission.ADMINISTER,
    )
}
"""The scope that holds all of a permission."""
SCOPES: Mapping[str, Permission] = {
    **{scope: permission for permission, scope in OF_PERMISSIONS.items()},
    **dict.fromkeys(("departments", "courses", "students", "rooms", "timetable"), Permission.ADMINISTER),
}
"""What a token of the interface for programs can be let do, of what its account may, by the name of each scope.

The last ones are parts of administration, one a kind of thing: a program of the student office adds students and
nothing else. `administer` holds them all.
"""

_OF_REGISTERS = frozenset({Permission.READ, Permission.CORRECT})
_OF_COURSES = _OF_REGISTERS | {Permission.EXCUSE, Permission.PLAN, Permission.RECOGNISE, Permission.TERM}

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.DEPARTMENT: _OF_COURSES | {Permission.DEPARTMENT},
    Role.LECTURER: _OF_COURSES,
    Role.ASSISTANT: _OF_REGISTERS,
}
"""What each role may, there where somebody has it."""


def needs(need: Permission | Access, *, scope: str | None = None) -> Callable[[T], T]:
    """Say what a view wants, or of a blueprint all views that say nothing themselves.

    Args:
        need: of the account.
        scope: of a token, where less than the whole permission is enough.
    """

    def mark(view: T) -> T:
        setattr(view, _NEEDS, need)
        setattr(view, _SCOPE, scope)
        return view

    return mark


def need_of(app: Flask, endpoint: str) -> Permission | Access | None:
    """What a view wants; None for one that says nothing, nor does its blueprint."""
    view = app.view_functions[endpoint]
    blueprint = app.blueprints.get(endpoint.rpartition(".")[0])
    need: Permission | Access | None = getattr(view, _NEEDS, getattr(blueprint, _NEEDS, None))
    return need


def scope_of(view: object) -> str | None:
    """The scope that a program needs for a view; None where a token with any will do."""
    need, scope = getattr(view, _NEEDS, None), getattr(view, _SCOPE, None)
    return scope or (OF_PERMISSIONS.get(need) if isinstance(need, Permission) else None)
