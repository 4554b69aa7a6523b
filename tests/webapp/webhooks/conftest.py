"""A dashboard that may tell a receiver on loopback, and the receiver."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer_group

from attendance.database.models import EventKind, WebhookEndpoint
from attendance.settings import Settings
from tests.webapp.outside.receiving import Receiver, receiving
from tests.webapp.visiting import WITH_MAIL, make_settings


@pytest.fixture
def site_settings(tmp_path: Path, migrated_file: Path) -> Settings:
    """Settings of a site that may call loopback, and whose mail is on."""
    web = {**WITH_MAIL["web"], "private_addresses": "127.0.0.0/8"}
    return make_settings(tmp_path / "site", migrated_file, mail=WITH_MAIL["mail"], web=web)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Takes everything, until told otherwise."""
    with receiving() as made:
        yield made


@pytest.fixture
def hook(site_db: Session, receiver: Receiver) -> Callable[..., WebhookEndpoint]:
    """`hook(name, **more)`: an endpoint at the receiver."""

    def make(name: str = "records", **more: Any) -> WebhookEndpoint:
        given: dict[str, Any] = {"url": f"{receiver.address}/hook", "events": [kind.value for kind in EventKind]}
        made = WebhookEndpoint(name=name, secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", **{**given, **more})
        site_db.add(made)
        site_db.commit()
        options = [undefer_group("secrets")]
        query = sa.select(WebhookEndpoint).where(WebhookEndpoint.id == made.id).options(*options)
        return site_db.scalars(query.execution_options(populate_existing=True)).one()

    return make
