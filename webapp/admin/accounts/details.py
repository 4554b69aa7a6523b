"""Accounts: who may sign in, as what, and who ever did."""

from operator import itemgetter

import sqlalchemy as sa
from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext, ngettext
from sqlalchemy.orm import Session, joinedload, selectinload
from wtforms import BooleanField

from attendance.database.access.access_tokens import end_access_tokens, end_tokens_of, has_tokens
from attendance.database.access.accounts import set_password
from attendance.database.access.identities import identities_of, release_accounts
from attendance.database.access.links import waits_for_password
from attendance.database.access.passwords import NO_PASSWORD, generate_password, hash_password
from attendance.database.access.roles import administers, give_role, lock_administrators, take_role
from attendance.database.access.second_factors import lift
from attendance.database.access.sign_ins import end_sign_ins
from attendance.database.models import (
    AccessToken,
    Account,
    AccountRole,
    AttendanceChange,
    AuditAction,
    Course,
    Role,
    SignIn,
)
from attendance.database.upkeep import erasure
from attendance.tables.fields import EMAIL, PERSON_NAME
from webapp.account.identity import current_account
from webapp.account.noting import noted
from webapp.account.oidc.room import oidc_settings, provider_name, takes_password
from webapp.admin.accounts.role_form import RoleForm, role_words
from webapp.admin.blueprint import blueprint
from webapp.admin.forms import AdminForm, text_field
from webapp.admin.lookup import count, fetch
from webapp.admin.questions import Question, ask
from webapp.admin.search import matches, searched
from webapp.admin.writing import begin_change, committed, taken
from webapp.tools.paging import paginate
from webapp.tools.storage import database

_A_PAGE = 50
_OFFERED = 1000
"""Courses that the field suggests."""
_PLACES = (joinedload(AccountRole.department), joinedload(AccountRole.course))
_TAKEN = lazy_gettext("Somebody else has this e-mail address.")


class AccountForm(AdminForm):
    """An account; its roles in departments and courses have a form of their own."""

    name = text_field(lazy_gettext("Name"), PERSON_NAME)
    email = text_field(lazy_gettext("E-mail address"), EMAIL)
    administrator = BooleanField(lazy_gettext("Administrator"))
    active = BooleanField(lazy_gettext("May sign in"), default=True)


@blueprint.get("/accounts")
def accounts() -> str:
    """The list; `?q=` searches names and addresses, `?list=` shows those of one kind."""
    db, text, lists = database(), searched(), _lists()
    shown = request.args.get("list", "")
    shown = shown if shown in lists else ""
    query = sa.select(Account).where(matches(text, Account.name, Account.email), lists[shown][1])
    query = query.options(selectinload(Account.roles).options(*_PLACES)).order_by(Account.name, Account.id)
    return render_template(
        "admin/accounts.html",
        page=paginate(db, query, size=_A_PAGE),
        text=text,
        shown=shown,
        role_words=role_words,
        lists=[(value, word) for value, (word, _condition) in lists.items()],
        waiting=count(Account, lists["no-password"][1]),
    )


@blueprint.route("/accounts/new", methods=["GET", "POST"])
def new_account() -> ResponseReturnValue:
    """Add an account; the answer shows its first password."""
    form = AccountForm()
    if form.validate_on_submit():
        with_password = takes_password(form.email.data or "")
        password = generate_password()
        hashed = hash_password(password) if with_password else NO_PASSWORD
        db = begin_change()
        if not taken(form.email, Account.email, _TAKEN, but=None):
            account = Account(name=form.name.data, email=form.email.data, password_hash=hashed)
            if form.administrator.data:
                account.roles.append(AccountRole(role=Role.ADMIN, everywhere=True))
            db.add(account)
            noted(AuditAction.ACCOUNT_ADDED, subject=account.email)
            if form.administrator.data:
                noted(AuditAction.ROLE_GIVEN, subject=account.email, details={"role": Role.ADMIN.value})
            if committed(db, form.email, _TAKEN):
                if not with_password:
                    words = gettext(
                        "%(name)s is added, and signs in at %(provider)s.", name=account.name, provider=provider_name()
                    )
                    flash(words, "success")
                    return redirect(url_for("admin.account", account_id=account.id))
                return render_template("admin/password.html", account=account, password=password, new=True)
        db.rollback()
    return render_template("admin/account_form.html", form=form, account=None), 422 if form.errors else 200


@blueprint.get("/accounts/<int:account_id>")
def account(account_id: int) -> ResponseReturnValue:
    """An account's details and roles."""
    return account_page(fetch(Account, account_id))


@blueprint.post("/accounts/<int:account_id>")
def save_account(account_id: int) -> ResponseReturnValue:
    """Keep changed details; nobody takes away their own rights."""
    account, form = fetch(Account, account_id), AccountForm()
    if account_id == current_account().id:
        # Their own role and access are not in the form: another administrator may change them.
        form.administrator.data, form.active.data = account.administers, account.active
    if not form.validate():
        return account_page(account, form)
    if account_id == current_account().id and form.email.data != account.email:
        form.email.errors = [
            gettext("You change your own e-mail address on your profile page, which asks for your password.")
        ]
        return account_page(account, form)
    db = begin_change()
    _still_administrator(db)
    if taken(form.email, Account.email, _TAKEN, but=account_id):
        db.rollback()
        return account_page(account, form)
    administrator, active = bool(form.administrator.data), bool(form.active.data)
    _note_changes(account, form, _given_or_taken(db, account_id, administrator=administrator))
    if form.email.data != account.email:  # who was bound may have gone by the address from before
        release_accounts(db, [account_id])
    if not active:
        end_sign_ins(db, SignIn.account_id == account_id)
        end_access_tokens(db, AccessToken.account_id == account_id)
    # Last, so that nothing writes it before `committed` looks whether somebody took the address meanwhile.
    account.name, account.email, account.active = form.name.data, form.email.data, active
    if not committed(db, form.email, _TAKEN):
        return account_page(account, form)
    flash(gettext("%(account)s is saved.", account=account.name), "success")
    return redirect(url_for("admin.account", account_id=account_id))


@blueprint.route("/accounts/<int:account_id>/password", methods=["GET", "POST"])
def reset_password(account_id: int) -> ResponseReturnValue:
    """Give somebody a new password, which the answer shows."""
    account = fetch(Account, account_id)
    itself, tokens = account_id == current_account().id, has_tokens(database(), account)
    answer = ask(
        _question(
            account,
            title=gettext("New password for %(account)s?", account=account.name),
            consequences=[
                gettext("The present password ends at once, and so does every sign-in made with it."),
                *([gettext("So do the tokens with which programs act for the account.")] if tokens else []),
            ],
            button=gettext("Make a new password"),
            refused=gettext("Change your own password on your profile page.") if itself else no_password_words(account),
        )
    )
    if answer is not None:
        return answer
    password = generate_password()
    hashed = hash_password(password)
    db = begin_change()
    set_password(db, account, hashed)
    noted(AuditAction.PASSWORD_RESET, subject=account.email)
    end_tokens_of(db, account, actor=current_account().id)
    db.commit()
    return render_template("admin/password.html", account=account, password=password, new=False)


@blueprint.route("/accounts/<int:account_id>/second-step", methods=["GET", "POST"])
def lift_second_factor(account_id: int) -> ResponseReturnValue:
    """Let somebody who lost the phone sign in with the password alone."""
    account = fetch(Account, account_id)
    itself = account_id == current_account().id
    has_one = account.second_factor_since is not None
    nothing = None if has_one else gettext("%(account)s signs in without a second step.", account=account.name)
    answer = ask(
        _question(
            account,
            title=gettext("Let %(account)s sign in without the second step?", account=account.name),
            consequences=[
                gettext(
                    "The password alone is enough then. Be sure that it is %(account)s who asks.", account=account.name
                ),
                gettext("The app and the recovery codes stop working, and every sign-in of the account ends."),
            ],
            button=gettext("Lift the second step"),
            refused=gettext("Change your own second step on your profile page.") if itself else nothing,
        )
    )
    if answer is not None:
        return answer
    db = begin_change()
    lift(db, account)
    noted(AuditAction.SECOND_FACTOR_REMOVED, subject=account.email)
    db.commit()
    flash(gettext("%(account)s signs in with the password alone.", account=account.name), "success")
    return redirect(url_for("admin.account", account_id=account_id))


@blueprint.route("/accounts/<int:account_id>/delete", methods=["GET", "POST"])
def delete_account(account_id: int) -> ResponseReturnValue:
    """Delete an account; the corrections stay, without a name."""
    account = fetch(Account, account_id)
    itself = account_id == current_account().id
    courses = count(AccountRole, AccountRole.account_id == account_id, AccountRole.course_id.is_not(None))
    changes = count(AttendanceChange, AttendanceChange.account_id == account_id)
    consequences = [
        ngettext(
            "%(account)s leaves %(num)s course and cannot sign in any more.",
            "%(account)s leaves %(num)s courses and cannot sign in any more.",
            courses,
            account=account.name,
        )
    ]
    if changes:
        consequences.append(
            ngettext(
                "%(num)s correction of registers will not say any more who made it. To keep that, take away the "
                "right to sign in instead.",
                "%(num)s corrections of registers will not say any more who made them. To keep that, take away the "
                "right to sign in instead.",
                changes,
            )
        )
    answer = ask(
        _question(
            account,
            title=gettext("Delete %(account)s?", account=account.name),
            consequences=consequences,
            button=gettext("Delete the account"),
            must_type=account.email if changes else None,
            refused=gettext("You cannot delete yourself. Another administrator can.") if itself else None,
        )
    )
    if answer is not None:
        return answer
    db = begin_change()
    _still_administrator(db)
    name = account.name
    erasure.delete_account(db, account, actor=current_account().id)
    db.commit()
    flash(gettext("%(account)s is deleted.", account=name), "success")
    return redirect(url_for("admin.accounts"))


def account_page(
    account: Account, form: AccountForm | None = None, roles: RoleForm | None = None
) -> ResponseReturnValue:
    """The page of an account, with whichever of its forms was filled in."""
    form = form or AccountForm(formdata=None, obj=account, data={"administrator": account.administers})
    roles = roles or RoleForm(formdata=None).offer_departments()
    held = sa.select(AccountRole).where(AccountRole.account_id == account.id, AccountRole.everywhere.is_(None))
    found = database().scalars(held.options(*_PLACES)).all()
    page = render_template(
        "admin/account.html",
        form=form,
        roles=roles,
        account=account,
        itself=account.id == current_account().id,
        has_password=account.password_hash != NO_PASSWORD,
        takes_password=takes_password(account.email),
        provider=provider_name() if oidc_settings().on else None,
        bound=identities_of(database(), account),
        held=sorted(((role_words([role])[0], role) for role in found), key=itemgetter(0)),
        codes=database().execute(sa.select(Course.code, Course.name).order_by(Course.code).limit(_OFFERED)).all(),
    )
    return page, 422 if form.errors or roles.errors else 200


def no_password_words(account: Account) -> str | None:
    """Why somebody can have no password, in a sentence; None: they can."""
    if takes_password(account.email):
        return None
    return gettext(
        "Passwords are switched off: %(name)s signs in at %(provider)s.", name=account.name, provider=provider_name()
    )


def _lists() -> dict[str, tuple[str, sa.ColumnElement[bool]]]:
    """The kinds of accounts that can be listed: what each is called, and its condition."""
    return {
        "": (gettext("All"), sa.true()),
        "admins": (gettext("Administrators"), administers()),
        "heads": (gettext("Heads of departments"), Account.roles.any(AccountRole.role == Role.DEPARTMENT)),
        "inactive": (gettext("May not sign in"), ~Account.active),
        "no-password": (gettext("No password yet"), waits_for_password(oidc_settings())),
        "never": (gettext("Never signed in"), Account.last_sign_in_at.is_(None)),
    }


def _given_or_taken(db: Session, account_id: int, *, administrator: bool) -> AuditAction | None:
    """Let somebody administer or not; what was done for it."""
    if administrator:
        return AuditAction.ROLE_GIVEN if give_role(db, account_id, Role.ADMIN) else None
    return AuditAction.ROLE_TAKEN if take_role(db, account_id) else None


def _note_changes(account: Account, form: AccountForm, role: AuditAction | None) -> None:
    """Note what a form is about to change."""
    fields = [name for name in ("name", "email", "active") if getattr(account, name) != form[name].data]
    if fields:
        details: dict[str, str | int] = {"fields": ", ".join(fields)}
        if "email" in fields:
            details["before"] = account.email
        if "active" in fields:
            details["may sign in"] = int(bool(form.active.data))
        noted(AuditAction.ACCOUNT_CHANGED, subject=form.email.data, details=details)
    if role is not None:
        noted(role, subject=form.email.data, details={"role": Role.ADMIN.value})


def _still_administrator(db: Session) -> None:
    """Refuse (403) whoever came second of two administrators who take each other's rights away at once."""
    if current_account().id not in lock_administrators(db):
        abort(403)


def _question(
    account: Account,
    *,
    title: str,
    consequences: list[str],
    button: str,
    must_type: str | None = None,
    refused: str | None = None,
) -> Question:
    back = url_for("admin.account", account_id=account.id)
    return Question(
        title=title,
        consequences=consequences,
        button=button,
        back=back,
        crumbs=[(gettext("Accounts"), url_for("admin.accounts")), (account.name, back)],
        must_type=must_type,
        refused=refused,
    )
