"""The page of the audit log: who did what to whom, when and from where; for administrators."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, abort, current_app, render_template, url_for
from flask.typing import ResponseReturnValue

from attendance.database.audit.finding import entries, entries_above
from attendance.database.models import AuditAction, AuditEntry
from webapp.account.permissions import Permission, needs
from webapp.audit.asked import Asked, asked_filter, place_in, place_text
from webapp.audit.audit_sheet import audit_sheet
from webapp.audit.words import ACTION_WORDS, KIND_WORDS, action_words, actor_words, detail_words, student_words
from webapp.exports.answers import Form, answer, file_stem
from webapp.tools.storage import database, release_database, sessions_of

blueprint = needs(Permission.AUDIT)(Blueprint("audit", __name__, url_prefix="/admin/audit"))

_A_PAGE = 50


@blueprint.get("")
def index() -> ResponseReturnValue:
    """The newest entries of the filter; `?below=` and `?above=` name a place in the log, for the pages of it."""
    asked = asked_filter()
    shown: Sequence[AuditEntry] = []
    newer = older = None
    if not asked.errors:
        shown, newer, older = _page(asked)
    body = render_template(
        "audit/index.html",
        asked=asked,
        shown=shown,
        newer=newer,
        older=older,
        kinds=[
            (kind, word, [(action.value, ACTION_WORDS[action]) for action in AuditAction if _kind(action) == kind])
            for kind, word in KIND_WORDS.items()
        ],
        words={"action": action_words, "actor": actor_words, "student": student_words, "details": detail_words},
        days=current_app.config["ATTENDANCE"].retention.audit_days,
        export_addresses={form: url_for("audit.export", form=form, **asked.arguments) for form in Form},
    )
    return body, 422 if asked.errors else 200


@blueprint.get("/log.csv", defaults={"form": Form.CSV})
@blueprint.get("/log.xlsx", defaults={"form": Form.XLSX})
def export(form: Form) -> ResponseReturnValue:
    """Every entry of the filter, on all its pages."""
    asked = asked_filter()
    if asked.errors:
        abort(400, next(iter(asked.errors.values())))
    sheet = audit_sheet(asked.wanted, sessions_of(current_app))
    release_database()  # the file has its own session
    days = [f"{word}-{day}" for word, day in (("from", asked.first_day), ("to", asked.last_day)) if day]
    return answer([sheet], file_name=file_stem(["audit-log", asked.wanted.action or "", *days]), form=form)


def _page(asked: Asked) -> tuple[Sequence[AuditEntry], str | None, str | None]:
    """The entries of the page, and the addresses of the newer and of the older ones, where there are such."""
    db, above = database(), place_in("above")
    below = place_in("below")
    if above is not None:
        found = entries_above(db, asked.wanted, above=above, most=_A_PAGE + 1)
        shown, newer, older = found[-_A_PAGE:], len(found) > _A_PAGE, bool(found)
    else:
        found = entries(db, asked.wanted, below=below, most=_A_PAGE + 1)
        shown, newer, older = found[:_A_PAGE], below is not None and bool(found), len(found) > _A_PAGE
    return (
        shown,
        _address(asked, above=place_text(shown[0])) if newer else None,
        _address(asked, below=place_text(shown[-1])) if older else None,
    )


def _address(asked: Asked, **place: Any) -> str:
    return url_for("audit.index", **asked.arguments, **place)


def _kind(action: AuditAction) -> str:
    return action.value.partition(".")[0]
