"""The interface holds what its description promises: schemathesis asks a real dashboard, by generated requests."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants
from schemathesis.config import SchemathesisConfig
from schemathesis.generation.modes import GenerationMode
from sqlalchemy.orm import Session

from attendance.database.access.access_tokens import NewToken, make_access_token
from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import Role, utc_now
from tests.factories import make_lecturer
from tests.webapp.addresses import furnish
from tests.webapp.running import environ_for, running_dashboard
from tests.webapp.visiting import make_settings
from webapp.account.permissions import SCOPES

_FITTING, _OTHERS = 12, 8
"""Of each address: requests that fit their description, about rows that there are, and requests that do not fit."""
_RULES = ["401", "403", "404", "409", "412", "422", "428"]
"""What a request that fits its description may be answered beside success: by rules that no schema can say."""
_OF_THE_SERVER = (414, 431)
"""What gunicorn answers to addresses and headers that are too long, before the application is asked."""
_CONFIG: dict[str, Any] = {
    "checks": {
        "ignored_auth": {"enabled": False},  # three more requests for each; test_permissions.py asks all addresses so
        "positive_data_acceptance": {"expected-statuses": ["2xx", "304", *_RULES]},
        "missing_required_header": {"expected-statuses": ["400", "401", "403", "404", "415", "422", "428"]},
        "negative_data_rejection": {"expected-statuses": ["400", "405", "413", "415", *_RULES]},
    },
}


@dataclass(frozen=True)
class Described:
    """A running interface.

    Attributes:
        schema: its description, as schemathesis reads it.
        known: ids of rows, by the names of the parameters that hold them.
        session: one connection for all requests.
        shown: the headers with an administrator's token.
    """

    schema: Any
    known: dict[str, Any]
    session: requests.Session
    shown: dict[str, str]


@pytest.fixture(scope="module", autouse=True)
def _without_constants_of_our_code() -> Iterator[None]:
    """Hypothesis reads the constants of every module of ours that is imported, which a request has no use for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(providers, "_get_local_constants", Constants)
        yield


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Described]:
    """The interface of a dashboard with a row of everything."""
    folder = tmp_path_factory.mktemp("described") / "data"
    made = make_settings(folder, migrated_file)
    engine = create_database_engine(made.database_url)
    with session_factory(engine, made.attendance)() as db:
        known = furnish(db, 1)
        token = _token(db)
    engine.dispose()
    environ = environ_for(made, ATTENDANCE_API_REQUESTS_A_MINUTE="100000", ATTENDANCE_WEB_THREADS="4")
    with running_dashboard(environ, folder.parent / "log") as address, requests.Session() as session:
        config = SchemathesisConfig.from_dict(_CONFIG)
        schema = schemathesis.openapi.from_url(f"{address}/api/v1/openapi.json", config=config)
        yield Described(schema, known, session, {"Authorization": f"Bearer {token}"})


def _token(db: Session) -> str:
    admin = make_lecturer(db, role=Role.ADMIN)
    new = NewToken("schemathesis", tuple(SCOPES), None, timedelta(days=1))
    _row, token = make_access_token(db, admin, new, now=utc_now())
    db.commit()
    return token


def examine(described: Described, *, fitting: int, others: int) -> int:
    """Ask every address; how many there are. What is answered otherwise than described is told together."""
    wrong: list[Exception] = []
    operations = [found.ok() for found in described.schema.get_all_operations()]
    for operation in operations:
        names = {one.name for one in operation.path_parameters}
        known = {name: value for name, value in described.known.items() if name in names}
        for cases, most in (
            (operation.as_strategy(GenerationMode.POSITIVE, path_parameters=known), fitting),
            (operation.as_strategy(GenerationMode.NEGATIVE), others),
        ):

            @seed(18)
            @settings(
                max_examples=most,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=cases)
            def ask(case: Any) -> None:
                answer = case.call(session=described.session, headers=described.shown)
                if answer.status_code not in _OF_THE_SERVER:
                    case.validate_response(answer, headers=described.shown)

            try:
                ask()
            except Exception as error:
                wrong.append(error)
    if wrong:
        raise ExceptionGroup("answered otherwise than described", wrong)
    return len(operations)


@pytest.mark.long("every address with generated requests")
def test_every_address_answers_as_it_is_described(described: Described) -> None:
    assert examine(described, fitting=_FITTING, others=_OTHERS) > 30


@pytest.mark.exhaustive
def test_every_address_answers_as_it_is_described_many_times(described: Described) -> None:
    assert examine(described, fitting=150, others=150) > 30
