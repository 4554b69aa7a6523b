import pickle
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.engine import DatabaseError
from attendance.database.models import IndexVersion, Student
from attendance.gallery.format import GalleryError, load_gallery
from attendance.gallery.publishing import build_index
from attendance.gallery.store import Store, StoreError
from attendance.settings.families import traits_of
from index_builder.index_versions import record_version
from tests.factories import make_student
from tests.stores import write_store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store.pickle"
    write_store(path, Store({"1001": np.full((2, 128), 0.1), "1002": np.full((1, 128), 0.2)}))
    return path


def test_the_store_becomes_an_index(store: Path, tmp_path: Path) -> None:
    built = build_index(store, tmp_path / "index", traits_of=traits_of)
    gallery = load_gallery(tmp_path / "index", model="dlib-resnet-v1")
    assert gallery.version == built.manifest.version
    assert gallery.identities == ("1001", "1002")
    ((first, second),) = gallery.nearest(np.full((1, 128), 0.11, np.float32))
    assert (first.student, second.student) == ("1001", "1002")
    assert first.distance == pytest.approx(0.01 * 128**0.5, rel=1e-5)


def test_a_bad_store_leaves_the_index_in_use(store: Path, tmp_path: Path) -> None:
    version = build_index(store, tmp_path / "index", traits_of=traits_of).manifest.version
    store.write_bytes(pickle.dumps({"encodings": [[float("nan")] * 128], "names": ["1001"]}))
    with pytest.raises(StoreError, match="NaN"):
        build_index(store, tmp_path / "index", traits_of=traits_of)
    with pytest.raises(StoreError, match="there is no store"):
        build_index(tmp_path / "none", tmp_path / "index", traits_of=traits_of)
    assert load_gallery(tmp_path / "index").version == version


def test_the_version_is_recorded(
    store: Path, tmp_path: Path, database_url: str, sessions: sessionmaker[Session]
) -> None:
    built = build_index(store, tmp_path / "index", traits_of=traits_of)
    record_version(database_url, built)
    again = build_index(store, tmp_path / "index", traits_of=traits_of)
    record_version(database_url, again)
    with sessions() as session:
        rows = session.scalars(sa.select(IndexVersion).order_by(IndexVersion.id)).all()
    assert [row.version for row in rows] == [built.manifest.version, again.manifest.version]
    assert (rows[0].model, rows[0].identities, rows[0].encodings) == ("dlib-resnet-v1", 2, 3)
    assert rows[0].sha256 == built.sha256
    assert rows[0].published_at.tzinfo is not None
    assert (tmp_path / "index" / "CURRENT").read_text() == f"{again.manifest.version} {again.sha256}\n"
    with pytest.raises(DatabaseError, match="the database refused the row"):
        record_version(database_url, built)


def test_who_can_be_recognised_is_noted(
    store: Path, tmp_path: Path, database_url: str, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as db:
        for number in ("1001", "1002", "1003"):
            make_student(db, number)

    def since() -> dict[str, datetime | None]:
        with sessions() as db:
            return {row[0]: row[1] for row in db.execute(sa.select(Student.index_number, Student.recognisable_since))}

    first = build_index(store, tmp_path / "index", traits_of=traits_of)
    assert first.holds == {"1001", "1002"}
    record_version(database_url, first)
    at = datetime.fromisoformat(first.manifest.created_at)
    assert since() == {"1001": at, "1002": at, "1003": None}
    write_store(store, Store({"1001": np.full((2, 128), 0.1)}))
    overtaken = build_index(store, tmp_path / "index", traits_of=traits_of)
    write_store(store, Store({"1003": np.full((2, 128), 0.1)}))
    newest = build_index(store, tmp_path / "index", traits_of=traits_of)
    record_version(database_url, newest)
    record_version(database_url, overtaken)  # its builder was slow: the newest has the last word
    write_store(store, Store({"1002": np.full((2, 128), 0.1)}))
    record_version(database_url, build_index(store, tmp_path / "else", traits_of=traits_of), in_use=False)
    newest_at = datetime.fromisoformat(newest.manifest.created_at)
    assert since() == {"1001": None, "1002": None, "1003": newest_at}


def test_no_database_is_made_for_it(store: Path, tmp_path: Path) -> None:
    built = build_index(store, tmp_path / "index", traits_of=traits_of)
    path = tmp_path / "attendance.db"
    with pytest.raises(DatabaseError, match="there is no database yet"):
        record_version(f"sqlite:///{path}", built)
    assert not path.exists()
    path.touch()
    with pytest.raises(DatabaseError, match="run `attendance db upgrade`"):
        record_version(f"sqlite:///{path}", built)
    with pytest.raises(DatabaseError, match="no database address"):
        record_version("not an address", built)
    with pytest.raises(DatabaseError, match="cannot be used"):
        record_version("mysql+pymysql://user:secret@127.0.0.1:1/name", built)


def test_no_place_for_the_index(store: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GalleryError, match="cannot publish"):
        build_index(store, tmp_path / "file", traits_of=traits_of)
