"""The page of recognition services."""

from flask import render_template

from attendance.database.models import utc_now
from attendance.database.upkeep.services import newest_index, seen_services
from webapp.admin.blueprint import blueprint
from webapp.tools.storage import database


@blueprint.get("/services")
def services() -> str:
    """Every service with how it fares, and the index that is published."""
    db = database()
    return render_template("admin/services.html", services=seen_services(db, utc_now()), newest=newest_index(db))
