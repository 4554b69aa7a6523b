"""The application, put together."""

import hashlib
from pathlib import Path
from typing import Any

from flask import Flask, g
from flask_wtf.csrf import CSRFProtect

from attendance.settings import Settings, load_settings
from webapp.account import forgotten, links, places, preferences, profile, tokens
from webapp.account import sign_in as account
from webapp.account.density import init_density
from webapp.account.identity import init_identity, is_admin, may, signed_in_account, signed_in_student
from webapp.account.oidc.room import init_provider
from webapp.account.oidc.signing_in import blueprint as provider_blueprint
from webapp.account.oidc.signing_in import init_answers
from webapp.account.oidc.signing_out import exempt_from_csrf
from webapp.account.permissions import Permission
from webapp.account.reach import may_in
from webapp.account.second_factor import signing_in as code
from webapp.account.second_factor import views as second_factor
from webapp.account.second_factor.checking import init_codes
from webapp.account.second_factor.required import init_requirement
from webapp.admin import blueprint as admin_blueprint
from webapp.api.interface import init_interface
from webapp.api.limits import init_limits
from webapp.audit import views as audit
from webapp.audit.exporting import init_exports
from webapp.calendars import feed_pages
from webapp.calendars import pages as calendars
from webapp.exam_office import views as exam_office
from webapp.labels import views as labels
from webapp.lti import launching
from webapp.lti.blueprint import of_administrators as lti_administration
from webapp.lti.blueprint import of_launches as lti_launches
from webapp.lti.deep_linking import choosing
from webapp.lti.registration import views as registration
from webapp.mail import pages as mail
from webapp.me import blueprint as own_page_blueprint
from webapp.me.identity import init_student_identity
from webapp.me.sign_in import init_own_page
from webapp.records import courses, excuses, held, proposals, signing
from webapp.records import views as records
from webapp.register import blueprint as register_blueprint
from webapp.register.views import init_register
from webapp.reports import blueprint as reports_blueprint
from webapp.reports import student
from webapp.reports.period import init_period
from webapp.rosters.blueprint import of_administrators as oneroster
from webapp.rosters.blueprint import of_courses as moodle
from webapp.serving import health
from webapp.serving.access_log import init_access_log
from webapp.serving.compression import init_compression
from webapp.serving.secret_key import secret_key
from webapp.serving.security import init_security
from webapp.tools.errors import init_errors
from webapp.tools.fields import init_fields
from webapp.tools.ids import init_ids
from webapp.tools.languages import init_languages
from webapp.tools.storage import init_storage
from webapp.tools.template_tools import init_template_tools
from webapp.tools.themes import init_themes
from webapp.tools.times import init_times
from webapp.webhooks import pages as webhooks

_STATIC = Path(__file__).parent / "static"
_YEAR_S = 31_536_000


def create_app(settings: Settings | None = None) -> Flask:
    """Build the dashboard.

    Args:
        settings: read from the environment when not given.

    Raises:
        SecretKeyError: the session key can neither be read nor made.
    """
    settings = load_settings() if settings is None else settings
    # The address of a static file changes with any of them, so browsers may keep what they have for ever.
    app = Flask(__name__, static_url_path=f"/static/{_static_version()}")
    configured = settings.web.secret_key
    app.secret_key = secret_key(configured.get_secret_value() if configured else None, settings.data.directory)
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = _YEAR_S
    app.config["ATTENDANCE"] = settings
    app.url_map.merge_slashes = False  # it would lead to the name that the request bears, whatever that is
    init_languages(
        app,
        institution=settings.institution.language,
        of_account=_language_of_person,
        with_pseudo=settings.web.pseudo_languages,
    )
    init_themes(app)
    init_template_tools(app)
    init_ids(app)
    init_fields(app, settings.institution.index_pattern)

    init_access_log(app)  # first, so that what the others refuse is logged too
    init_compression(app)
    init_security(app, trusted_proxies=settings.web.trusted_proxies, secure_cookies=settings.web.secure_cookies)
    init_storage(app, settings.database_url, pool_size=settings.database.pool_size, rules=settings.attendance)
    init_times(app, settings.institution.timezone)
    init_period(app)
    init_limits(app)  # before the sign-in check, so that what it refuses counts too
    init_identity(app)
    init_requirement(app)
    init_student_identity(app)
    init_exports(app)
    CSRFProtect(app)  # after the sign-in check: somebody signed out is told so, not that a form is stale
    init_errors(app)
    app.context_processor(_page_context)
    app.jinja_env.globals.update(may=may, may_in=may_in, Permission=Permission)

    account.init_account(app)
    init_codes(app)
    init_density(app)
    init_register(app, max_streams=max(1, settings.web.threads // 2))
    for room in (
        account,
        code,
        courses,
        exam_office,
        excuses,
        forgotten,
        health,
        held,
        links,
        places,
        preferences,
        profile,
        proposals,
        records,
        second_factor,
        signing,
        student,
    ):
        app.register_blueprint(room.blueprint)
    app.register_blueprint(register_blueprint)
    app.register_blueprint(reports_blueprint)
    if settings.students.own_page:
        init_own_page(app)
        app.register_blueprint(own_page_blueprint)
    _add_administration(app)
    app.config["INSTITUTION_NAME"] = settings.institution.name
    _add_other_systems(app, settings)
    return app


def _add_administration(app: Flask) -> None:
    """The pages of administrators, and what stands beside them."""
    app.register_blueprint(admin_blueprint, url_prefix="/admin")
    app.register_blueprint(labels.of_course, url_prefix="/courses/<int:course_id>/statuses")
    app.register_blueprint(labels.of_institution, url_prefix="/admin/statuses")
    app.register_blueprint(mail.blueprint, url_prefix="/admin/mail")
    app.register_blueprint(audit.blueprint)


def _add_other_systems(app: Flask, settings: Settings) -> None:
    """What the university's own systems meet here: sign-in, learning platforms, rosters, calendars, programs."""
    forms = app.extensions["csrf"]
    if settings.oidc.on:
        init_provider(app, settings)
        init_answers(app)
        exempt_from_csrf(app)
        app.register_blueprint(provider_blueprint)
    # Learning platforms send browsers here with forms of their own.
    for view in (launching.login, launching.launch, choosing.choose, registration.register_now):
        forms.exempt(view)
    for room in (lti_launches, lti_administration, oneroster, moodle, feed_pages.blueprint):
        app.register_blueprint(room)
    app.register_blueprint(calendars.blueprint, url_prefix="/admin/calendars")
    app.register_blueprint(webhooks.blueprint, url_prefix="/admin/webhooks")
    if settings.api.on:
        app.register_blueprint(tokens.blueprint)
        init_interface(app, forms)


def _language_of_person() -> str | None:
    person = signed_in_account() or signed_in_student()
    return person.language if person else None


def _page_context() -> dict[str, Any]:
    # A page about a failure must not ask the database again.
    if bool(g.get("bare_page")):
        return {"me": None, "i_am_admin": False}
    return {"me": signed_in_account(), "i_am_admin": is_admin()}


def _static_version() -> str:
    digest = hashlib.sha256()
    for path in sorted(_STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(_STATIC).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
