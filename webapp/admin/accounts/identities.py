"""Releasing an account or a student from the person of the institution's sign-in to whom it is bound."""

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from attendance.database.access.identities import identities_of, release_accounts, release_students
from attendance.database.models import Account, AuditAction, Student
from webapp.account.identity import current_account
from webapp.account.noting import noted
from webapp.account.oidc.room import provider_name
from webapp.admin.blueprint import blueprint
from webapp.admin.lookup import fetch
from webapp.admin.questions import Question, ask
from webapp.admin.writing import begin_change
from webapp.tools.storage import database


@blueprint.route("/accounts/<int:account_id>/release", methods=["GET", "POST"])
def release_account(account_id: int) -> ResponseReturnValue:
    """Let the next person who comes with this account's address be its owner."""
    account, back = fetch(Account, account_id), url_for("admin.account", account_id=account_id)
    itself = gettext("Another administrator must release your own account.")
    refused = itself if account_id == current_account().id else None
    answer = _ask(account, back, (gettext("Accounts"), url_for("admin.accounts")), refused)
    if answer is not None:
        return answer
    db = begin_change()
    release_accounts(db, [account_id])
    noted(AuditAction.IDENTITY_UNLINKED, subject=account.email)
    db.commit()
    return _released(account, back)


@blueprint.route("/students/<int:student_id>/release", methods=["GET", "POST"])
def release_student(student_id: int) -> ResponseReturnValue:
    """Let the next person who comes with this student's address or number be the student."""
    student, back = fetch(Student, student_id), url_for("admin.student", student_id=student_id)
    answer = _ask(student, back, (gettext("Students"), url_for("admin.students")), None)
    if answer is not None:
        return answer
    db = begin_change()
    release_students(db, [student_id])
    noted(AuditAction.IDENTITY_UNLINKED, student=student.index_number)
    db.commit()
    return _released(student, back)


def _ask(
    person: Account | Student, back: str, where: tuple[str, str], refused: str | None
) -> ResponseReturnValue | None:
    bound, provider = identities_of(database(), person), provider_name()
    if not bound:
        refused = gettext("%(name)s is bound to nobody.", name=person.name)
    consequences = [
        gettext(
            "Whoever is signed in as %(name)s through %(provider)s is signed out.", name=person.name, provider=provider
        ),
        gettext(
            "The next person who comes from %(provider)s with this address or number is taken for %(name)s. Be sure "
            "that it is not somebody else who has it now.",
            name=person.name,
            provider=provider,
        ),
    ]
    return ask(
        Question(
            title=gettext("Release %(name)s?", name=person.name),
            consequences=consequences,
            button=gettext("Release"),
            back=back,
            crumbs=[where, (person.name, back)],
            refused=refused,
        )
    )


def _released(person: Account | Student, back: str) -> ResponseReturnValue:
    flash(gettext("%(name)s is bound to nobody any more.", name=person.name), "success")
    return redirect(back)
