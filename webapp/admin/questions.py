"""Asking before something is deleted: a page of its own, which needs no JavaScript."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from wtforms import StringField

from attendance.tables.fields import clean
from webapp.admin.forms import AdminForm


@dataclass(frozen=True)
class Question:
    """What will happen, and what the person must do to let it.

    Attributes:
        title: the question.
        consequences: what will be gone, a sentence each.
        button: the word that does it.
        back: where one goes who does not.
        crumbs: (name, address) of the pages above.
        must_type: what has to be typed, because what goes cannot be had back; None when pressing is enough.
        refused: why it cannot be done at all; the button is left out.
        further: words of further buttons that do it in another way, each with what the form then holds as `as`.
    """

    title: str
    consequences: Sequence[str]
    button: str
    back: str
    crumbs: Sequence[tuple[str, str]]
    must_type: str | None = None
    refused: str | None = None
    further: Sequence[tuple[str, str]] = ()


class _ConfirmForm(AdminForm):
    typed = StringField(lazy_gettext("Confirmation"))


def ask(question: Question) -> ResponseReturnValue | None:
    """The page that asks, or None once the question is answered with yes."""
    form = _ConfirmForm()
    if question.must_type:
        form.typed.label.text = gettext("Type %(must_type)s to confirm", must_type=question.must_type)
    if request.method == "POST" and question.refused is None and form.validate():
        if question.must_type is None or clean(form.typed.data or "") == clean(question.must_type):
            return None
        form.typed.errors = [gettext("This is not %(must_type)s.", must_type=question.must_type)]
    page = render_template("admin/question.html", question=question, form=form)
    return page, 422 if request.method == "POST" else 200
