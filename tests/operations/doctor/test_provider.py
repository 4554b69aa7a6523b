"""What the doctor says of the sign-in at a provider."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from attendance.database.models import Role
from operations.doctor.findings import Verdict
from operations.doctor.provider import examine_provider
from tests.factories import make_department, make_lecturer
from tests.webapp.account.oidc.hostile import CLIENT, SECRET, running_provider
from tests.webapp.visiting import make_settings
from webapp.app import create_app
from webapp.tools.storage import sessions_of

pytestmark = pytest.mark.real


@pytest.fixture
def provider():
    with running_provider() as made:
        yield made


@pytest.fixture
def settings_of(tmp_path, migrated_file, provider):
    def make(**oidc):
        known = {"issuer": provider.address, "client_id": CLIENT, "client_secret": SECRET}
        web = {"address": "https://attendance.example.edu", "private_addresses": "127.0.0.0/8"}
        return make_settings(tmp_path / "data", migrated_file, web=web, oidc=known | oidc)

    return make


def told(settings):
    return [(finding.verdict, finding.text) for finding in examine_provider(settings)]


def test_off_is_well(tmp_path, migrated_file):
    off = make_settings(tmp_path / "off", migrated_file)
    assert told(off) == [(Verdict.OK, "with passwords: no provider is set")]


def test_what_the_provider_must_know(settings_of, provider):
    (answers, knows) = told(settings_of())
    assert answers == (Verdict.OK, f"{provider.address} answers: 1 keys, signs out there, too")
    assert "https://attendance.example.edu/signin/provider/callback (redirect)" in knows[1]
    assert "https://attendance.example.edu/signin/provider/back-channel-logout" in knows[1]


def test_discovery_that_cannot_be_used(settings_of, provider):
    provider.change_metadata = lambda said: said | {"issuer": "https://login.example.edu/"}
    (verdict, text), _ = told(settings_of())
    assert verdict is Verdict.PROBLEM
    assert "it calls itself https://login.example.edu/; ATTENDANCE_OIDC_ISSUER must be the very same" in text


def test_one_that_is_away(settings_of, provider):
    provider.fails_with = 503
    (verdict, text), (_, knows) = told(settings_of())
    assert (verdict, "does not answer" in text) == (Verdict.PROBLEM, True)
    assert "https://attendance.example.edu/signin/provider/callback (redirect)" in knows


def test_an_inner_network_that_no_setting_allows(settings_of):
    settings = settings_of()
    settings = settings.model_copy(update={"web": settings.web.model_copy(update={"private_addresses": ""})})
    (verdict, text), _ = told(settings)
    assert (verdict, "https" in text) == (Verdict.PROBLEM, True)


def test_no_secret_is_a_warning(settings_of):
    assert any("CLIENT_SECRET is not set here" in text for verdict, text in told(settings_of(client_secret=None)))


def test_what_rules_and_break_glass_name_must_be_there(settings_of):
    rules = [
        "g = a -> department Mathematics",
        "g = b -> department Fine Arts",
        "g = c -> lecturer MA1",
        "g = * -> lecturer *",
    ]
    settings = settings_of(roles=rules, break_glass=["root@example.edu", "gone@example.edu", "ada@example.edu"])
    with sessions_of(create_app(settings)).begin() as db:
        make_department(db, "Mathematics")
        make_lecturer(db, email="root@example.edu", role=Role.ADMIN)
        make_lecturer(db, email="ada@example.edu")
    found = [finding for finding in told(settings) if finding[0] is not Verdict.OK]
    assert found == [
        (Verdict.PROBLEM, "the break-glass account gone@example.edu does not exist"),
        (Verdict.PROBLEM, "the break-glass account ada@example.edu is no administrator's"),
        (Verdict.WARNING, "ATTENDANCE_OIDC_ROLES names 'Fine Arts', which is not there"),
        (Verdict.WARNING, "ATTENDANCE_OIDC_ROLES names 'MA1', which is not there"),
    ]


_WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"authlib", "joserfc", "flask", "flask_babel", "icalendar", "gunicorn"}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Absent())
from attendance.settings import load_settings
from operations.doctor import examination
for finding in examination._provider(load_settings()):
    print(finding.subject, finding.verdict, finding.text)
"""


def test_where_the_dashboard_is_not_installed_the_doctor_runs_and_says_what_it_did_not_ask(tmp_path):
    environ = {"ATTENDANCE_DATA_DIRECTORY": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd())}
    oidc = {"ISSUER": "https://login.example.edu", "CLIENT_ID": "c"}
    environ |= {f"ATTENDANCE_OIDC_{name}": value for name, value in oidc.items()}
    environ["ATTENDANCE_WEB_ADDRESS"] = "https://attendance.example.edu"
    done = subprocess.run([sys.executable, "-c", _WITHOUT], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "sign-in warning the provider was not asked from here: the dashboard (extra web) is not ins" in done.stdout
