"""What the worker looks after by itself, asked of real counterparts."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
import sqlalchemy as sa
import trustme

from attendance.database.models import AuditAction, AuditEntry, LtiKey, StandingCheck, utc_now
from attendance.database.upkeep.checks import CERTIFICATE, CHECKED_EVERY, ENDS, PROVIDER, SEALS, WORK
from attendance.settings import Settings
from tests.webapp.account.oidc.hostile import CLIENT, SECRET, running_provider
from tests.webapp.visiting import make_settings
from webapp.app import create_app
from webapp.lti.services.keys import make_key
from webapp.tools.storage import sessions_of
from webapp.work.checks import StandingChecks

pytestmark = pytest.mark.real


class Worker(NamedTuple):
    settings: Settings
    check: Callable

    def __call__(self, **sections):
        return self.check(**sections)


@pytest.fixture
def worker(tmp_path, migrated_file):
    """Makes the checks of an installation, once an interval has passed; gives what they found."""

    here = make_settings(tmp_path / "data", migrated_file)

    def check(**sections):
        settings = Settings.model_validate(here.model_dump(exclude_unset=True) | sections)
        app = create_app(settings)
        sessions = sessions_of(app)
        with sessions.begin() as db:
            db.execute(sa.update(StandingCheck).values(checked_at=utc_now() - CHECKED_EVERY))
        assert not StandingChecks(app, settings).step(threading.Event())
        with sessions() as db:
            found = {row.name: row for row in db.scalars(sa.select(StandingCheck))}
            noted = db.scalars(sa.select(AuditEntry).where(AuditEntry.action == AuditAction.SETTINGS_CHANGED)).all()
        sessions.kw["bind"].dispose()
        return found, [(entry.actor, entry.subject, entry.details) for entry in noted]

    return Worker(here, check)


@pytest.fixture
def provider():
    with running_provider() as made:
        yield made


def with_provider(provider):
    known = {"issuer": provider.address, "client_id": CLIENT, "client_secret": SECRET}
    return {"oidc": known, "web": {"address": "http://127.0.0.1:1", "private_addresses": "127.0.0.0/8"}}


def test_where_nothing_else_is_used_it_tells_that_it_runs(worker):
    found, _ = worker()
    assert set(found) == {WORK, SEALS}
    assert all(row.problem is row.failing_since is None for row in found.values())
    assert utc_now() - found[WORK].checked_at < timedelta(minutes=1)


def test_a_provider_that_goes_away_and_comes_back_another(worker, provider):
    found, _ = worker(**with_provider(provider))
    assert found[PROVIDER].found["token"].startswith(provider.address)
    provider.fails_with = 503
    found, _ = worker(**with_provider(provider))
    since = found[PROVIDER].failing_since
    assert since is not None
    assert found[PROVIDER].problem.startswith(f"{provider.address}: ")
    found, _ = worker(**with_provider(provider))
    assert found[PROVIDER].failing_since == since
    provider.fails_with = None
    elsewhere = f"{provider.address}/elsewhere"
    provider.change_metadata = lambda said: said | {"token_endpoint": elsewhere}
    found, noted = worker(**with_provider(provider))
    assert (found[PROVIDER].failing_since, found[PROVIDER].problem) == (None, None)
    assert found[PROVIDER].changed_at is not None
    assert noted == [("worker", provider.address, {"settings": "token"})]
    _, noted = worker(**with_provider(provider))
    assert len(noted) == 1, "once"
    found, _ = worker()
    assert PROVIDER not in found, "it is not used any more"


def test_keys_that_were_sealed_with_another_secret(worker):
    sessions = sessions_of(create_app(worker.settings))
    with sessions.begin() as db:
        make_key(db, "another secret of the web, long enough", now=datetime(2026, 11, 23, tzinfo=UTC))
    sessions.kw["bind"].dispose()
    found, _ = worker()
    assert "the web secret is another than when it was kept" in found[SEALS].problem
    with sessions.begin() as db:
        db.execute(sa.delete(LtiKey))
    found, _ = worker()
    assert found[SEALS].problem is None


@contextmanager
def shown(certificate):
    """A server with a certificate on loopback; gives the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            while True:
                try:
                    connection, _ = server.accept()
                    with context.wrap_socket(connection, server_side=True) as secure:
                        secure.recv(1)
                except OSError:
                    if server.fileno() < 0:
                        return

        threading.Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_when_the_dashboards_certificate_ends(worker):
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=9)
    with shown(trustme.CA().issue_cert("localhost", not_after=ends)) as port:
        address = f"https://localhost:{port}"
        found, _ = worker(web={"address": address})
    assert datetime.fromisoformat(found[CERTIFICATE].found[ENDS]) == ends
    found, _ = worker(web={"address": address})
    assert f"{address} shows no certificate to the worker" in found[CERTIFICATE].problem
    assert datetime.fromisoformat(found[CERTIFICATE].found[ENDS]) == ends, "the end is known still"
    past = datetime.now(UTC) - timedelta(days=1)
    with shown(trustme.CA().issue_cert("localhost", not_before=past - timedelta(days=9), not_after=past)) as port:
        found, _ = worker(web={"address": f"https://localhost:{port}"})
    assert f"ended on {past:%Y-%m-%d}" in found[CERTIFICATE].problem
