"""The benchmark of pages and reports runs, on a small term."""

import pytest

from attendance.database.engine import create_database_engine, session_factory
from benchmarks.register.matrix import MATRIX, measure_matrix
from benchmarks.register.pages import AT_RISK, EMPTY, measure_pages, pages_of
from benchmarks.register.term import MATRIX_SESSIONS, MATRIX_STUDENTS, SMALL, a_moment, make_term
from tests.webapp.visiting import make_settings
from webapp.app import create_app
from webapp.tools.storage import engine_of, sessions_of


@pytest.mark.long("a term is made up, and every kind of page fetched four times")
def test_every_page_is_measured(tmp_path, migrated_file):
    settings = make_settings(tmp_path / "site", migrated_file)
    engine = create_database_engine(settings.database_url)
    with session_factory(engine)() as db:
        term = make_term(db, SMALL, now=a_moment())
    engine.dispose()
    app = create_app(settings)
    try:
        pages = measure_pages(app, sessions_of(app), term, rounds=1)
        matrix = measure_matrix(app, sessions_of(app), term, rounds=1)[MATRIX]
    finally:
        engine_of(app).dispose()
    assert {page.name for page in pages} == {page.name for page in pages_of(term)}
    assert {EMPTY, AT_RISK} <= {page.name for page in pages}
    assert all(page.seconds and page.size > 1_000 for page in pages)
    assert matrix["rows"] == MATRIX_STUDENTS * MATRIX_SESSIONS
    assert matrix["ratio"] > 0
