"""Telling what was erased, and `attendance gallery erasures`: what is not yet, and by whom."""

from datetime import UTC, datetime

import click
import sqlalchemy as sa

from attendance.database.engine import require_current_schema
from attendance.database.models import Service
from attendance.database.opening import open_engine
from attendance.database.upkeep.services import is_gone
from attendance.settings import Settings, load_settings
from operations.erasure import ErasureReport, services_waited_for, what_remains


def tell_erased(settings: Settings, engine: sa.Engine, report: ErasureReport) -> None:
    """Say what was erased, which services have not done their part yet, and what remains to be done by hand.

    Raises:
        click.ClickException: something is left, or nothing is known of a student.
    """
    click.echo(
        f"Erased {report.encodings} encodings, {report.photos} photos, {report.waiting} sightings and pieces of "
        f"evidence on their way to the database, {report.versions} versions of the index."
    )
    if report.published is not None:
        click.echo(f"Published index {report.published}.")
        if report.unrecorded is not None:
            click.echo(f"Index {report.published} is not recorded in the database: {report.unrecorded}", err=True)
    if report.left is not None:
        raise click.ClickException(f"not everything is erased: {report.left} Ask for the erasure again")
    waiting = sorted({_named(service) for _, services in services_waited_for(engine) for service in services})
    if waiting:
        click.echo(
            f"Recognition services that have not erased it yet: {', '.join(waiting)}. Those that run do so within "
            "seconds; `attendance gallery erasures` shows when all have."
        )
    for sentence in what_remains(settings, engine, report):
        click.echo(sentence)
    if report.unknown:
        names = " or ".join(repr(student) for student in report.unknown)
        raise click.ClickException(
            f"neither the database nor the gallery knows {names}, and no outbox does: there was nothing to erase"
        )


@click.command()
def erasures() -> None:
    """Show the erasures that are not finished, and who has not carried them out.

    A number of a deletion is shown until everybody has; then nothing that can name the student is kept.
    """
    settings = load_settings()
    with open_engine(settings.database_url) as engine:
        require_current_schema(engine)
        unfinished = services_waited_for(engine)
    for erasure, services in unfinished:
        asked = f"{erasure.requested_at:%Y-%m-%d %H:%M} UTC"
        click.echo(f"{erasure.index_number}  {erasure.kind.value.replace('_', ' ')}, asked for {asked}")
        if erasure.shared_at is None:
            click.echo(f"  the gallery's worker: {erasure.message or 'not begun'}")
        for service in services:
            click.echo(f"  {_named(service)}")
    if not unfinished:
        click.echo("Every erasure is finished.")


def _named(service: Service) -> str:
    gone = "; not waited for" if is_gone(service, datetime.now(UTC)) else ""
    return f"{service.name} (last seen {service.last_seen_at:%Y-%m-%d %H:%M} UTC{gone})"
