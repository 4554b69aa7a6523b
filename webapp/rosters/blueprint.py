"""The blueprints: OneRoster for administrators, and files for Moodle beside courses and registers."""

from flask import Blueprint

from webapp.account.permissions import Permission, needs

of_administrators = needs(Permission.ADMINISTER)(Blueprint("rosters", __name__, url_prefix="/admin/oneroster"))
of_courses = needs(Permission.TERM)(Blueprint("moodle", __name__))
