"""The interface holds what its description promises: schemathesis asks a real dashboard, by generated requests."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, seed, settings
from schemathesis.config import SchemathesisConfig
from sqlalchemy.orm import Session

from attendance.database.access.access_tokens import NewToken, make_access_token
from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import Role, utc_now
from tests.factories import make_lecturer
from tests.webapp.addresses import furnish
from tests.webapp.running import environ_for, running_dashboard
from tests.webapp.visiting import make_settings
from webapp.account.permissions import SCOPES

_EXAMPLES, _MANY = 20, 300
_RULES = ["401", "403", "404", "409", "412", "422", "428"]
"""What a request that fits its schema may be answered beside success: by rules that no schema can say, such as
that a course must be one of the student's."""
_CONFIG: dict[str, Any] = {
    "checks": {
        "positive_data_acceptance": {"expected-statuses": ["2xx", "304", *_RULES]},
        "missing_required_header": {"expected-statuses": ["400", "401", "403", "404", "415", "422", "428"]},
        "negative_data_rejection": {"expected-statuses": ["400", "405", "413", "415", *_RULES]},
    },
}


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Any]:
    """The description, served by a dashboard with a row of everything."""
    folder = tmp_path_factory.mktemp("described") / "data"
    given = make_settings(folder, migrated_file)
    engine = create_database_engine(given.database_url)
    with session_factory(engine, given.attendance)() as db:
        token = _token(db)
    engine.dispose()
    environ = environ_for(given, ATTENDANCE_API_REQUESTS_A_MINUTE="100000", ATTENDANCE_WEB_THREADS="4")
    with running_dashboard(environ, folder.parent / "log") as address:
        config = SchemathesisConfig.from_dict({**_CONFIG, "headers": {"Authorization": f"Bearer {token}"}})
        yield schemathesis.openapi.from_url(f"{address}/api/v1/openapi.json", config=config)


def _token(db: Session) -> str:
    for number in range(1, 4):
        furnish(db, number)
    admin = make_lecturer(db, role=Role.ADMIN)
    _row, token = make_access_token(
        db, admin, NewToken("schemathesis", tuple(SCOPES), None, timedelta(days=1)), now=utc_now()
    )
    db.commit()
    return token


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """One connection for all requests."""
    with requests.Session() as made:
        yield made


schema = schemathesis.pytest.from_fixture("described")
_EXAMINE = settings(
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.long("every address with twenty generated requests")
@schema.parametrize()
@seed(18)
@settings(_EXAMINE, max_examples=_EXAMPLES)
def test_every_address_answers_as_it_is_described(case: Any, session: requests.Session) -> None:
    case.call_and_validate(session=session)


@pytest.mark.exhaustive
@schema.parametrize()
@settings(_EXAMINE, max_examples=_MANY)
def test_every_address_answers_as_it_is_described_many_times(case: Any, session: requests.Session) -> None:
    case.call_and_validate(session=session)
