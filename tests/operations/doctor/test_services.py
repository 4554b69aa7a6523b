"""What doctor says of several services, and of an index that comes from another machine."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.engine import create_database_engine
from attendance.database.models import IndexVersion, Service
from attendance.gallery.format import publish
from attendance.settings import Settings
from attendance.settings.families import traits_of
from operations.doctor.findings import Verdict
from operations.doctor.gallery import examine_index
from operations.doctor.services import examine_services, examine_source
from tests.databases import make_tables

MODEL = "dlib-resnet-v1"


def publish_there(folder: Path) -> str:
    rows = {"s1": np.full((1, 128), 0.1, np.float32)}
    return publish(folder, rows, model=MODEL, traits=traits_of(MODEL), encoding_size=128)[0].version


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a machine whose index is copied from a mounted folder."""
    values = {"data": {"directory": tmp_path / "data"}, "replica": {"folder": tmp_path / "mounted"}}
    return Settings.model_validate(values)


def test_the_source_is_asked_and_compared(settings: Settings, tmp_path: Path) -> None:
    (finding,) = examine_source(settings)
    assert (finding.verdict, "is it mounted" in finding.text) == (Verdict.PROBLEM, True)
    version = publish_there(tmp_path / "mounted")
    (finding,) = examine_source(settings)
    assert (finding.verdict, finding.text.endswith(f"has index {version}, and here is none")) == (Verdict.WARNING, True)
    (finding,) = examine_index(settings, None)
    assert "index build" not in finding.remedy, "there is no store here"
    assert publish_there(settings.index_path).startswith("000001-")
    (finding,) = examine_index(settings, None)
    assert finding.verdict is Verdict.OK
    assert examine_source(Settings()) == [], "an index that is built here has none"


def test_services_that_lag_or_are_silent_are_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    engine = create_database_engine(settings.database_url)
    make_tables(engine)
    now, old, new = datetime.now(UTC), "000001-20260301T080000Z-5f3a9c01", "000002-20260301T090000Z-5f3a9c01"
    about = {"model": MODEL, "identities": 1, "encodings": 1, "sha256": "0" * 64}
    with Session(engine) as db:
        db.add(Service(name="first", last_seen_at=now, index_version=""))
        db.commit()
        (finding,) = examine_services(settings)
        assert (finding.verdict, finding.text) == (Verdict.OK, "1 run, and no index is published")
        db.execute(sa.delete(Service))
        db.add(IndexVersion(version=new, published_at=now - timedelta(hours=1), **about))
        db.add(Service(name="well", last_seen_at=now, index_version=new))
        db.commit()
        (finding,) = examine_services(settings)
        assert finding.text == "1 run, all with the index that is published"
        db.add(Service(name="cut off", last_seen_at=now, index_version=old, index_problem="main:1 cannot be reached"))
        db.add(Service(name="stuck", last_seen_at=now, index_version=old))
        db.add(Service(name="quiet", last_seen_at=now - timedelta(minutes=9), index_version=new))
        db.add(Service(name="gone", last_seen_at=now - timedelta(days=1), index_version=old))
        db.commit()
    found = {finding.subject: finding for finding in examine_services(settings)}
    assert set(found) == {"service cut off", "service stuck", "service quiet"}
    assert found["service cut off"].text == "it gets no newer index: main:1 cannot be reached"
    assert old in found["service stuck"].text
    assert found["service quiet"].verdict is Verdict.WARNING
    with engine.begin() as connection:
        connection.execute(sa.delete(Service))
    assert examine_services(settings) == []
    engine.dispose()
