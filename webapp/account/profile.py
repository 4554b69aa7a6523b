"""The lecturer's own profile: name, e-mail address, picture, password."""

import sqlalchemy as sa
from flask import Blueprint, Response, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from sqlalchemy.exc import IntegrityError
from wtforms import EmailField, PasswordField, StringField, ValidationError
from wtforms.validators import DataRequired, Length

from attendance.database.access.access_tokens import end_tokens_of, has_tokens
from attendance.database.access.accounts import set_password
from attendance.database.access.passwords import hash_password
from attendance.database.models import Account, AuditAction, LtiMatching, LtiPlatform
from attendance.tables.fields import EMAIL, PERSON_NAME
from webapp.account.ask_password import ask_password, has_password
from webapp.account.identity import begin_own_change, current_account, sign_in_again, this_sign_in
from webapp.account.new_password import NewPasswordForm
from webapp.account.noting import noted
from webapp.account.oidc.room import oidc_settings, provider_name
from webapp.account.permissions import Access, needs
from webapp.account.pictures import MAX_BYTES, ProfilePictureError, prepare_picture
from webapp.account.places import places
from webapp.account.sign_in import too_many
from webapp.tools.fields import Fits, cleaned
from webapp.tools.languages import say_error
from webapp.tools.storage import begin_change, database
from webapp.tools.uploads import upload_limit

blueprint = needs(Access.SIGNED_IN)(Blueprint("profile", __name__, url_prefix="/profile"))

_YEAR_S = 31_536_000
_TAKEN = lazy_gettext("Somebody else signs in with this e-mail address.")


class ProfileForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """Name and e-mail address."""

    name = StringField(
        lazy_gettext("Name"),
        filters=[cleaned(PERSON_NAME)],
        validators=[
            DataRequired(lazy_gettext("Type your name.")),
            Length(
                max=PERSON_NAME.longest,
                message=lazy_gettext("At most %(longest)s characters.", longest=PERSON_NAME.longest),
            ),
            Fits(PERSON_NAME, lazy_gettext("This has characters that cannot be shown. Type it again.")),
        ],
    )
    email = EmailField(
        lazy_gettext("E-mail address"),
        filters=[cleaned(EMAIL)],
        validators=[
            DataRequired(lazy_gettext("Type your e-mail address.")),
            Fits(EMAIL, lazy_gettext("This is no e-mail address, like name@university.edu.")),
        ],
    )
    your_password = PasswordField(lazy_gettext("Your password"))

    def changes_address(self, lecturer: Account) -> bool:
        """Whether the person would sign in with another address afterwards, which asks for the password."""
        return bool(self.email.data != lecturer.email)


class PictureForm(FlaskForm):  # type: ignore[misc]
    """A new picture."""

    picture = FileField(lazy_gettext("New picture"), validators=[FileRequired(lazy_gettext("Choose a picture first."))])


class PasswordForm(NewPasswordForm):
    """A new password, and the one of now."""

    current_password = PasswordField(
        lazy_gettext("Current password"), validators=[DataRequired(lazy_gettext("Type your current password."))]
    )

    def validate_new_password(self, field: PasswordField) -> None:
        """The rules for passwords, and not the old one again."""
        super().validate_new_password(field)
        if field.data == self.current_password.data:
            raise ValidationError(gettext("This is your current password. Choose another one."))


@blueprint.get("")
def page() -> ResponseReturnValue:
    """The profile."""
    return _page()


@blueprint.post("")
def save_details() -> ResponseReturnValue:
    """Keep name and e-mail address; another address asks for the password, or who finds a browser has the account."""
    form, lecturer, db = ProfileForm(), current_account(), database()
    if not form.validate():
        return _page(details=form), 422
    if form.changes_address(lecturer):
        if _address_finds_people():  # who takes the address of somebody who has not come yet would be them afterwards
            form.email.errors = [
                gettext("Your institution's sign-in goes by this address. An administrator changes it.")
            ]
            return _page(details=form), 422
        wait = ask_password(lecturer, form.your_password, gettext("Type your password to change the e-mail address."))
        if form.your_password.errors:
            page = _page(details=form)
            return too_many(wait, page) if wait else (page, 422)
    taken = db.scalar(sa.select(Account.id).where(Account.email == form.email.data, Account.id != lecturer.id))
    if taken is None:
        begin_own_change()
        fields = [name for name in ("name", "email") if getattr(lecturer, name) != form[name].data]
        details = {"fields": ", ".join(fields), "before": lecturer.email if "email" in fields else ""}
        noted(AuditAction.ACCOUNT_CHANGED, subject=form.email.data, details=details)
        lecturer.name, lecturer.email = form.name.data or "", form.email.data or ""
        try:
            db.commit()
        except IntegrityError:  # somebody else took it between the question and the answer
            db.rollback()
            taken = -1
    if taken is not None:
        form.email.errors = [_TAKEN]
        return _page(details=form), 422
    flash(gettext("Your profile is saved."), "success")
    return redirect(url_for("profile.page"))


@blueprint.post("/picture")
@upload_limit(3 * MAX_BYTES)  # somewhat more than a picture may have, so that the form can say what is wrong
def save_picture() -> ResponseReturnValue:
    """Keep a new picture."""
    form, lecturer = PictureForm(), current_account()
    if not form.validate():
        return _page(picture=form), 422
    try:
        picture = prepare_picture(form.picture.data.read(MAX_BYTES + 1))
    except ProfilePictureError as error:
        form.picture.errors = [say_error(error)]
        return _page(picture=form), 422
    db = begin_change()
    lecturer.picture, lecturer.picture_digest = picture.data, picture.digest
    db.commit()
    flash(gettext("Your picture is saved."), "success")
    return redirect(url_for("profile.page"))


@blueprint.post("/picture/remove")
def remove_picture() -> ResponseReturnValue:
    """Delete the picture."""
    lecturer, db = current_account(), begin_change()
    lecturer.picture = lecturer.picture_digest = None
    db.commit()
    flash(gettext("Your picture is removed."), "success")
    return redirect(url_for("profile.page"))


@blueprint.post("/password")
def change_password() -> ResponseReturnValue:
    """Change the password; every other sign-in of the account ends."""
    form, lecturer = PasswordForm(), current_account()
    if not has_password(lecturer):
        abort(404)
    if not form.validate():
        return _page(password=form), 422
    wait = ask_password(lecturer, form.current_password, gettext("Type your current password."))
    if form.current_password.errors:
        page = _page(password=form)
        return too_many(wait, page) if wait else (page, 422)
    new_hash = hash_password(form.new_password.data or "")  # slow on purpose, so not while others wait to write
    db = begin_own_change()
    set_password(db, lecturer, new_hash)
    noted(AuditAction.PASSWORD_CHANGED, subject=lecturer.email)
    ended = end_tokens_of(db, lecturer, actor=lecturer.id) if form.end_tokens.data else 0
    db.commit()
    sign_in_again(lecturer)
    flash(gettext("Your password is changed. Other devices have been signed out."), "success")
    if ended:
        flash(gettext("Programs that used tokens of yours are let in no more."), "info")
    return redirect(url_for("profile.page"))


@blueprint.get("/pictures/<digest>")
def picture(digest: str) -> ResponseReturnValue:
    """A lecturer's picture; its address changes with its content, so browsers may keep it."""
    data = database().scalar(sa.select(Account.picture).where(Account.picture_digest == digest).limit(1))
    if data is None:
        abort(404)
    response = Response(data, mimetype="image/jpeg")
    response.headers["Cache-Control"] = f"private, max-age={_YEAR_S}, immutable"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _address_finds_people() -> bool:
    """Whether another system finds people by their address: the institution's provider, or a learning platform."""
    finds = sa.select(LtiPlatform.id).where(LtiPlatform.matching == LtiMatching.EMAIL, LtiPlatform.active).limit(1)
    return oidc_settings().on or database().scalar(finds) is not None


def _page(
    *, details: FlaskForm | None = None, picture: FlaskForm | None = None, password: FlaskForm | None = None
) -> str:
    lecturer = current_account()
    return render_template(
        "account/profile.html",
        details=details or ProfileForm(formdata=None, data={"name": lecturer.name, "email": lecturer.email}),
        picture=picture or PictureForm(formdata=None),
        password=password or PasswordForm(formdata=None),
        has_tokens=has_tokens(database(), lecturer),
        places=places(),
        here=this_sign_in(),
        has_password=has_password(lecturer),
        provider=provider_name() if oidc_settings().on else None,
        address_fixed=_address_finds_people(),
    )
