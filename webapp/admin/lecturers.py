"""Lecturers and administrators: who may sign in, and as what."""

import sqlalchemy as sa
from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms import BooleanField

from attendance.database.access.accounts import set_password
from attendance.database.access.passwords import NO_PASSWORD, generate_password, hash_password
from attendance.database.access.roles import administers, give_role, lock_administrators, take_role
from attendance.database.models import Account, AccountRole, AttendanceChange, Course, Role
from attendance.tables.fields import EMAIL, PERSON_NAME
from webapp.account.identity import current_account
from webapp.admin.blueprint import blueprint
from webapp.admin.forms import AdminForm, text_field
from webapp.admin.lookup import count, counts_by, fetch
from webapp.admin.questions import Question, ask, count_text
from webapp.admin.search import matches, searched
from webapp.admin.writing import begin_change, committed, note
from webapp.tools.paging import paginate
from webapp.tools.storage import database

_A_PAGE = 50
_TAKEN = "Somebody else has this e-mail address."
_LISTS = {
    "": ("All", sa.true()),
    "admins": ("Administrators", administers()),
    "inactive": ("May not sign in", ~Account.active),
    "no-password": ("No password yet", Account.active & (Account.password_hash == NO_PASSWORD)),
}


class LecturerForm(AdminForm):
    """A lecturer."""

    name = text_field("Name", PERSON_NAME)
    email = text_field("E-mail address", EMAIL)
    administrator = BooleanField("Administrator")
    active = BooleanField("May sign in", default=True)


@blueprint.get("/lecturers")
def lecturers() -> str:
    """The list; `?q=` searches names and addresses, `?list=` shows those of one kind."""
    db, text = database(), searched()
    shown = request.args.get("list", "")
    shown = shown if shown in _LISTS else ""
    query = sa.select(Account).where(matches(text, Account.name, Account.email), _LISTS[shown][1])
    page = paginate(db, query.order_by(Account.name, Account.id), size=_A_PAGE)
    shown_ids = [lecturer.id for lecturer in page.items]
    courses = counts_by(
        AccountRole.account_id, AccountRole.account_id.in_(shown_ids), AccountRole.course_id.is_not(None)
    )
    lists = [(value, word) for value, (word, _) in _LISTS.items()]
    waiting = count(Account, _LISTS["no-password"][1])
    return render_template(
        "admin/lecturers.html", page=page, text=text, shown=shown, courses=courses, lists=lists, waiting=waiting
    )


@blueprint.route("/lecturers/new", methods=["GET", "POST"])
def new_lecturer() -> ResponseReturnValue:
    """Add a lecturer; the answer shows the first password."""
    form = LecturerForm()
    if form.validate_on_submit():
        password = generate_password()
        hashed = hash_password(password)
        db = begin_change()
        if not _taken(form, None):
            lecturer = Account(name=form.name.data, email=form.email.data, password_hash=hashed)
            if form.administrator.data:
                lecturer.roles.append(AccountRole(role=Role.ADMIN, everywhere=True))
            db.add(lecturer)
            if committed(db, form.email, _TAKEN):
                note("lecturer_added", lecturer=lecturer.id, administrator=bool(form.administrator.data))
                return render_template("admin/password.html", lecturer=lecturer, password=password, new=True)
        db.rollback()
    return render_template("admin/lecturer_form.html", form=form, lecturer=None), 422 if form.errors else 200


@blueprint.get("/lecturers/<int:account_id>")
def lecturer(account_id: int) -> ResponseReturnValue:
    """A lecturer's details and courses."""
    lecturer = fetch(Account, account_id)
    return _lecturer_page(
        lecturer, LecturerForm(formdata=None, obj=lecturer, data={"administrator": lecturer.administers})
    )


@blueprint.post("/lecturers/<int:account_id>")
def save_lecturer(account_id: int) -> ResponseReturnValue:
    """Keep changed details; nobody takes away their own rights."""
    lecturer, form = fetch(Account, account_id), LecturerForm()
    if account_id == current_account().id:
        # Their own role and access are not in the form: another administrator may change them.
        form.administrator.data, form.active.data = lecturer.administers, lecturer.active
    if not form.validate():
        return _lecturer_page(lecturer, form)
    if account_id == current_account().id and form.email.data != lecturer.email:
        form.email.errors = ["You change your own e-mail address on your profile page, which asks for your password."]
        return _lecturer_page(lecturer, form)
    db = begin_change()
    _still_administrator(db)
    if _taken(form, account_id):
        db.rollback()
        return _lecturer_page(lecturer, form)
    administrator, active = bool(form.administrator.data), bool(form.active.data)
    lecturer.name, lecturer.email, lecturer.active = form.name.data, form.email.data, active
    if administrator:
        give_role(db, account_id, Role.ADMIN)
    else:
        take_role(db, account_id)
    if not committed(db, form.email, _TAKEN):
        return _lecturer_page(lecturer, form)
    note("lecturer_changed", lecturer=account_id, administrator=administrator, active=active)
    flash(f"{lecturer.name} is saved.", "success")
    return redirect(url_for("admin.lecturer", account_id=account_id))


@blueprint.route("/lecturers/<int:account_id>/password", methods=["GET", "POST"])
def reset_password(account_id: int) -> ResponseReturnValue:
    """Give a lecturer a new password, which the answer shows."""
    lecturer = fetch(Account, account_id)
    itself = account_id == current_account().id
    answer = ask(
        _question(
            lecturer,
            title=f"New password for {lecturer.name}?",
            consequences=["The present password ends at once, and so does every sign-in made with it."],
            button="Make a new password",
            refused="Change your own password on your profile page." if itself else None,
        )
    )
    if answer is not None:
        return answer
    password = generate_password()
    hashed = hash_password(password)
    db = begin_change()
    set_password(db, lecturer, hashed)
    db.commit()
    note("lecturer_password_reset", lecturer=account_id)
    return render_template("admin/password.html", lecturer=lecturer, password=password, new=False)


@blueprint.route("/lecturers/<int:account_id>/delete", methods=["GET", "POST"])
def delete_lecturer(account_id: int) -> ResponseReturnValue:
    """Delete a lecturer; the corrections stay, without a name."""
    lecturer = fetch(Account, account_id)
    itself = account_id == current_account().id
    courses = count(AccountRole, AccountRole.account_id == account_id, AccountRole.course_id.is_not(None))
    changes = count(AttendanceChange, AttendanceChange.account_id == account_id)
    consequences = [f"{lecturer.name} leaves {count_text(courses, 'course')} and cannot sign in any more."]
    if changes:
        consequences.append(
            f"{count_text(changes, 'correction')} of registers will not say any more who made them. To keep that, take "
            "away the right to sign in instead."
        )
    answer = ask(
        _question(
            lecturer,
            title=f"Delete {lecturer.name}?",
            consequences=consequences,
            button="Delete the lecturer",
            must_type=lecturer.email if changes else None,
            refused="You cannot delete yourself. Another administrator can." if itself else None,
        )
    )
    if answer is not None:
        return answer
    db = begin_change()
    _still_administrator(db)
    db.execute(sa.delete(Account).where(Account.id == account_id))
    db.commit()
    note("lecturer_deleted", lecturer=account_id)
    flash(f"{lecturer.name} is deleted.", "success")
    return redirect(url_for("admin.lecturers"))


def _still_administrator(db: Session) -> None:
    """Refuse (403) whoever came second of two administrators who take each other's rights away at once."""
    if current_account().id not in lock_administrators(db):
        abort(403)


def _question(
    lecturer: Account,
    *,
    title: str,
    consequences: list[str],
    button: str,
    must_type: str | None = None,
    refused: str | None = None,
) -> Question:
    back = url_for("admin.lecturer", account_id=lecturer.id)
    return Question(
        title=title,
        consequences=consequences,
        button=button,
        back=back,
        crumbs=[("Lecturers", url_for("admin.lecturers")), (lecturer.name, back)],
        must_type=must_type,
        refused=refused,
    )


def _lecturer_page(lecturer: Account, form: LecturerForm) -> ResponseReturnValue:
    courses = sa.select(Course).join(AccountRole).where(AccountRole.account_id == lecturer.id)
    page = render_template(
        "admin/lecturer.html",
        form=form,
        lecturer=lecturer,
        itself=lecturer.id == current_account().id,
        has_password=lecturer.password_hash != NO_PASSWORD,
        courses=database().scalars(courses.order_by(Course.code)).all(),
    )
    return page, 422 if form.errors else 200


def _taken(form: LecturerForm, account_id: int | None) -> bool:
    query = sa.select(Account.id).where(Account.email == form.email.data, Account.id != (account_id or 0))
    if database().scalar(query) is None:
        return False
    form.email.errors = [_TAKEN]
    return True
