"""The page of roles: what each may, and what each address of the dashboard needs."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from flask import Flask

from attendance.database.models import Role
from attendance.settings import Settings
from webapp.account.permissions import PERMISSIONS, Access, Permission, need_of
from webapp.app import create_app
from webapp.tools.requests import INTERFACE

_PAGE = """\
<!-- Made by `make reference` from the code; do not edit. -->

# Roles: who may what

For administrators. Whoever signs in has an account. What an account may, its roles say; each is held somewhere, and an
account may have several: head of a department, lecturer of two courses, assistant in a third. The page of an account
(*Administration*, *Accounts*) gives roles and takes them away; so do the page of a course, imports of lecturers
([imports.md](imports.md)) and `attendance lecturer role`.

| role | held | for |
| --- | --- | --- |
| administrator | everywhere | who runs the system for the institution. One remains: nobody takes away their own role |
| head | in a department | who answers for its courses: reads and corrects all of them, without administration |
| lecturer | in a course | who teaches it |
| assistant | in a course | who takes its registers, and sees no reports and files of whole terms |

In one course somebody is lecturer or assistant, not both. An account without a role can sign in and sees no course. A
course belongs to one department or to none; then only administrators see it, beside those who have a role in it.
Departments are under *Administration*, *Departments*; a department with courses cannot be deleted.

## What each role may

There where it is held; nothing elsewhere. What belongs to another course answers as if it were not there.

{permissions}

In a joint session each sees the students of those courses that the roles reach. A student's page shows these courses
only. An excuse of every course is an administrator's.

## Who signed in

The list of accounts says when each signed in last, and *Never signed in* shows who has not yet. When is kept at each
sign-in; it is no log.

Everybody's profile shows where they are signed in, with browser, network address and last use, and signs them out
there or everywhere. A new password, another role, or losing the right to sign in ends every sign-in of that account
at once; a register that is watched live ends within two seconds.

## The second step

Every account may ask for a code beside the password, which an app on a phone makes (TOTP, as all such apps do):
*Profile > Second step at the sign-in > Set up…* asks for the password, shows a picture for the app, and gives ten
recovery codes, each good for once. Changing or ending it asks for a code.

`ATTENDANCE_WEB_SECOND_FACTOR=administrators` requires it of administrators, `everybody` of all who sign in: until
they have set it up, they open nothing but the page on which they do. Links and new passwords do not lift it. Who lost
phone and recovery codes asks an administrator: *Lift…* on the account's page, or `attendance lecturer
lift-second-factor EMAIL` on the server, for the only administrator. Be sure who asks. Where it is required, the next
sign-in leads to setting it up again.

## What each address needs

Of the addresses under `/admin` each needs *{administer}*. A new address that says nothing needs that too. What those of
the interface for programs need says [api.md](api.md).

{addresses}
"""

_WORDS = {
    Role.ADMIN: "administrator",
    Role.DEPARTMENT: "head",
    Role.LECTURER: "lecturer",
    Role.ASSISTANT: "assistant",
}


def roles_page() -> str:
    """The page as Markdown."""
    return _PAGE.format(
        permissions="\n".join(_permissions()),
        addresses="\n".join(_addresses()),
        administer=Permission.ADMINISTER,
    )


def _permissions() -> Iterator[str]:
    yield f"| | {' | '.join(_WORDS.values())} |"
    yield f"| --- |{' --- |' * len(_WORDS)}"
    for permission in Permission:
        cells = ["yes" if permission in PERMISSIONS[role] else "" for role in _WORDS]
        yield f"| {permission} | {' | '.join(cells)} |"


def _addresses() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings.model_validate({"data": {"directory": Path(folder)}}))
        found = sorted(_needs(app))
    yield "| address | needs |"
    yield "| --- | --- |"
    for address, methods, need in found:
        yield f"| `{address}`{methods} | {need} |"


def _needs(app: Flask) -> Iterator[tuple[str, str, Permission | Access]]:
    for rule in app.url_map.iter_rules():
        need = None if rule.endpoint == "static" else need_of(app, rule.endpoint)
        if need is not None and not rule.rule.startswith(("/admin", INTERFACE)):
            posts = (rule.methods or set()) & {"POST"}
            methods = "" if not posts else ", and sending its form" if "GET" in (rule.methods or ()) else ", sending"
            yield rule.rule, methods, need
