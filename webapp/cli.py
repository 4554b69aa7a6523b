"""`attendance web`."""

import os

import click

from attendance.database.engine import require_current_schema
from attendance.database.opening import open_engine
from attendance.settings import Settings, load_settings
from attendance.settings.logs import configure_logging
from webapp.app import create_app
from webapp.serving.left_behind import delete_left_behind
from webapp.serving.secret_key import secret_key
from webapp.serving.server import serve, start_closer


@click.command()
@click.option("--debug", is_flag=True, help="Run Flask's own server, with its debugger: for developers only.")
def web(debug: bool) -> None:
    """Run the dashboard until Ctrl-C or SIGTERM.

    Needs the database (`attendance db upgrade`). While it runs, sessions that end are closed: whoever was not seen
    becomes absent.
    """
    settings = load_settings()
    configure_logging(settings.log)
    check_before_serving(settings)
    if debug:
        _run_debug_server(settings)
    else:
        serve(settings, create_app, lambda address: click.echo(f"The dashboard is ready: {address}"))


def check_before_serving(settings: Settings) -> None:
    """Find out before the first request what would fail each of them."""
    with open_engine(settings.database_url) as engine:
        require_current_schema(engine)
    delete_left_behind(settings.data.directory)
    configured = settings.web.secret_key
    secret_key(configured.get_secret_value() if configured else None, settings.data.directory)


def _run_debug_server(settings: Settings) -> None:
    app = create_app(settings)
    app.config["TEMPLATES_AUTO_RELOAD"] = True
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 0
    # The reloader runs this program twice; the child is the one that serves.
    if os.environ.get("WERKZEUG_RUN_MAIN") == "true":
        start_closer(app, settings, 1)
    host, _, port = settings.web.listen.rpartition(":")
    app.run(host, int(port), debug=True, threaded=True)
