"""`attendance web`."""

import os
import signal
import threading
from collections.abc import Mapping

import click
from pydantic import SecretStr

from attendance.database.audit.settings_changes import note_settings
from attendance.database.engine import require_current_schema
from attendance.database.opening import open_engine
from attendance.settings import Settings, load_settings
from attendance.settings.listening import listens_on_this_machine_only
from attendance.settings.logs import configure_logging
from webapp.app import create_app
from webapp.serving.left_behind import delete_left_behind
from webapp.serving.secret_key import secret_key
from webapp.serving.server import serve, start_closer
from webapp.work.program import WorkProgram

_KEY = "ATTENDANCE_WEB_SECRET_KEY"


@click.group(invoke_without_command=True)
@click.option("--debug", is_flag=True, help="Run Flask's own server, with its debugger: for developers only.")
@click.pass_context
def web(context: click.Context, debug: bool) -> None:
    """Run the dashboard until Ctrl-C or SIGTERM.

    Needs the database (`attendance db upgrade`). While it runs, sessions that end are closed: whoever was not seen
    becomes absent.
    """
    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    configure_logging(settings.log)
    check_before_serving(settings)
    if debug:
        _run_debug_server(settings)
    else:
        serve(settings, create_app, lambda address: click.echo(f"The dashboard is ready: {address}"))


@web.command()
@click.option("--once", is_flag=True, help="End when nothing is due; exit status 1 if something could not be sent.")
def work(once: bool) -> None:
    """Send mail and webhooks that wait, and do timed work, until SIGTERM or Ctrl-C.

    Any number may run. Mail needs a mail server (ATTENDANCE_MAIL_HOST).
    """
    settings = load_settings()
    configure_logging(settings.log)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with open_engine(settings.database_url) as engine:
        require_current_schema(engine)
        note_settings(engine, "mail worker", settings)
    program = WorkProgram(create_app(settings), settings)
    if settings.mail.on:
        click.echo(f"Mail is sent through {settings.mail.host}:{settings.mail.port}.")
    else:
        click.echo("There is no mail server (ATTENDANCE_MAIL_HOST): no mail is sent.")
    if not once:
        if not program.run(stopping):
            raise click.ClickException("a part of the work failed that should not; the log says which and why")
        return
    mails, webhooks = program.run_once(stopping)
    if settings.mail.on:
        click.echo(f"Mail: {mails['sent']} sent, {mails['put_off']} put off, {mails['failed']} failed.")
    click.echo(f"Webhooks: {webhooks['sent']} sent, {webhooks['put_off']} put off, {webhooks['failed']} failed.")
    _complain("mail", mails)
    _complain("webhooks", webhooks)


def _complain(what: str, ended: Mapping[str, int]) -> None:
    if ended["put_off"] or ended["failed"]:
        raise click.ClickException(f"not all {what} was sent; the page of {what} says why")


def check_before_serving(settings: Settings) -> None:
    """Find out before the first request what would fail each of them."""
    configured = settings.web.secret_key
    with open_engine(settings.database_url) as engine:
        require_current_schema(engine)
        key = secret_key(configured.get_secret_value() if configured else None, settings.data.directory)
        if _KEY in note_settings(engine, "dashboard", settings, made={_KEY: SecretStr(key)}):
            click.echo(
                "The key that signs sessions is another than at the dashboard's last start: everybody signs in again. "
                f"If another replica runs, give all of them one {_KEY}.",
                err=True,
            )
    delete_left_behind(settings.data.directory)


def _run_debug_server(settings: Settings) -> None:
    if not listens_on_this_machine_only(settings.web.listen):
        # Its debugger runs whatever Python a visitor types.
        raise click.ClickException(
            f"--debug serves this machine only, but ATTENDANCE_WEB_LISTEN is {settings.web.listen}: "
            "set it to 127.0.0.1:8000, or leave --debug out"
        )
    app = create_app(settings)
    app.config["TEMPLATES_AUTO_RELOAD"] = True
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 0
    # The reloader runs this program twice; the child is the one that serves.
    if os.environ.get("WERKZEUG_RUN_MAIN") == "true":
        start_closer(app, settings, 1)
    host, _, port = settings.web.listen.rpartition(":")
    app.run(host, int(port), debug=True, threaded=True)
