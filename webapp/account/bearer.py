"""The token that a program shows: `Authorization: Bearer att_…` (RFC 6750), on addresses of the interface only.

What it opens is what its account may, in `webapp.account.identity`; here is what narrows that.
"""

from flask import current_app, g, request

from attendance.database.access.access_tokens import access_token_of
from attendance.database.audit.noting import THROUGH
from attendance.database.models import AccessToken, utc_now
from webapp.account.permissions import OF_PERMISSIONS, SCOPES, Permission, scope_of
from webapp.tools.requests import of_interface
from webapp.tools.storage import database

_LONGEST = 200


def access_token() -> AccessToken | None:
    """The token of this request, if it is one of the interface and the token counts; read once."""
    if "access_token" not in g:
        g.access_token = _read() if of_interface() else None
    found: AccessToken | None = g.access_token
    return found


def has_scope(permission: Permission) -> bool:
    """Whether the token of this request includes it; where none is asked for, a person's sign-in does."""
    token = access_token() if of_interface() else None
    if token is None:
        return not of_interface()
    if permission is Permission.ADMINISTER and token.narrowed:
        return False  # it reaches beyond any course
    scopes = token.scopes.split()
    return OF_PERMISSIONS.get(permission) in scopes or (
        (scope := scope_of_view()) in scopes and SCOPES[scope] is permission
    )


def may_part(scope: str) -> bool:
    """Whether the token of this request may do a part of what administrators do, whatever its view needs."""
    token = access_token()
    if token is None or token.narrowed or not token.account.administers:
        return False
    return not {scope, OF_PERMISSIONS[SCOPES[scope]]}.isdisjoint(token.scopes.split())


def scope_of_view() -> str:
    """The scope that the view of this request needs of a program; "" for none."""
    return scope_of(current_app.view_functions.get(request.endpoint or "")) or ""


def only_courses() -> frozenset[int] | None:
    """The ids of the only courses that the token of this request is for; None: it is not narrowed."""
    token = access_token() if of_interface() else None
    return frozenset(course.id for course in token.courses) if token is not None and token.narrowed else None


def _read() -> AccessToken | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if kind.lower() != "bearer" or not token or len(token) > _LONGEST:
        return None
    db = database()
    found = access_token_of(db, token, utc_now())
    if found is not None:
        db.info[THROUGH] = found.name
    return found
